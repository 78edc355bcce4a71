import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson } from '#core/http/json.ts';
import { describeFault } from '#core/http/json-fault.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
function fault(text: string, limits?: { maxDepth?: number }): string | undefined {
  const parsed = parseJson(bytes(text), limits);
  return parsed.ok ? undefined : `${parsed.error.field}| ${parsed.error.message}`;
}

describe('JSON from outside', () => {
  it('is what JSON.parse says', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        const text = JSON.stringify(value);
        const parsed = parseJson(bytes(text));
        if (!text.includes('__proto__')) expect(parsed).toEqual({ ok: true, value: JSON.parse(text) as unknown });
      }),
    );
  });

  it.each([
    ['', 'is empty where JSON was expected'],
    [' \n', 'is empty where JSON was expected'],
    ['{"topic":"a",}', 'is not JSON: it has "}" at character 13 in topic where a name in double quotes was expected'],
    ['{"labels":{"team":}}', 'is not JSON: it has "}" at character 18 in labels.team where a value was expected'],
    ['{"tags":["a","b" "c"]}', 'is not JSON: it has "\\"" at character 17 in tags[1] where a comma or ] was expected'],
    ["{'topic':1}", 'is not JSON: it has "\'" at character 1 in an object where a name in double quotes was expected'],
    [
      '{"prompt":"a\nb"}',
      'is not JSON: it has "\\n" at character 12 in prompt where an escape in place of a control character was expected',
    ],
    ['{"prompt":"\\x"}', 'is not JSON: it has "\\\\" at character 11 in prompt where an escape sequence was expected'],
    ['{"prompt":"abc', 'is not JSON: it ends at character 14 in prompt where a closing quote was expected'],
    ['{"a" 1}', 'is not JSON: it has "1" at character 5 in a where a colon was expected'],
    ['{"a":1} x', 'is not JSON: it has "x" at character 8 where nothing more was expected'],
    ['[1,]', 'is not JSON: it has "]" at character 3 in [1] where a value was expected'],
    ['nul', 'is not JSON: it has "n" at character 0 where a value was expected'],
    ['\u00a01', 'is not JSON: it has "\u00a0" at character 0 where a value was expected'],
  ])('%j: says where', (text, message) => {
    expect(fault(text)).toBe(`body| body: ${message}`);
  });

  it('finds a fault in every text that JSON.parse refuses, and in no other', () => {
    const broken = fc.tuple(
      fc.json({ maxDepth: 4 }),
      fc.nat(),
      fc.nat(3),
      fc.constantFrom('', '"', ',', '}', ']', '{', '\\', '0', ':', '\t'),
    );
    fc.assert(
      fc.property(broken, ([text, at, cut, put]) => {
        const i = at % (text.length + 1);
        const bad = text.slice(0, i) + put + text.slice(i + cut);
        let parses = true;
        try {
          JSON.parse(bad);
        } catch {
          parses = false;
        }
        expect(/ at character \d+ |^is empty/.test(describeFault(bad))).toBe(!parses);
      }),
      { numRuns: 2_000 },
    );
  });

  it('refuses what is nested too deep, before parsing it, and counts no brackets in strings', () => {
    const deep = (n: number): string => `${'['.repeat(n)}${']'.repeat(n)}`;
    expect(fault(deep(64))).toBeUndefined();
    expect(fault(deep(65))).toBe('body| body: is nested more than 64 levels deep (byte 64)');
    expect(fault(deep(1_000_000))).toMatch(/levels deep/);
    expect(fault('{"a":[{}]}', { maxDepth: 2 })).toMatch(/byte 6/);
    expect(fault(JSON.stringify(`\\"${'[{'.repeat(100)}`))).toBeUndefined();
    expect(fault(`[${'[],'.repeat(500)}[]]`, { maxDepth: 2 })).toBeUndefined();
  });

  it('refuses __proto__ as a name, however it is written, and allows it as a value', () => {
    expect(fault('{"context":{"list":[{"__proto__":{"admin":true}}]}}')).toBe(
      'context.list[0].__proto__| context.list[0].__proto__: is not a permitted name',
    );
    expect(fault('{"\\u005f_proto__":1}')).toMatch(/^__proto__\|/);
    expect(fault('{"prompt":"what is __proto__ in \\u0041?"}')).toBeUndefined();
  });

  it('costs little, whatever it looks like', () => {
    const least = (text: string): number => {
      const body = bytes(text);
      const times = [1, 2, 3].map(() => {
        const began = performance.now();
        parseJson(body);
        return performance.now() - began;
      });
      return Math.min(...times);
    };
    // What the engine itself takes for a body of this size is the measure; a path for every number took twenty times as long.
    const numbers = `[${'1,'.repeat(900_000)}1`;
    const plain = least(`${numbers},"a"]`);
    expect(least(`${numbers},"\\u0061"]`)).toBeLessThan(8 * plain + 50);
  });

  it('looks for the fault of a large body in its beginning alone', () => {
    const large = '{"c":1},'.repeat(250_000);
    expect(fault(`[${large}`)).toBe('body| body: is not JSON: something is wrong after character 99994');
    expect(fault(`[1 ${large}`)).toMatch(/it has "\{" at character 3 in \[0\]/);
    for (let shift = 0; shift < 12; shift++) {
      const text = `[${' '.repeat(99_990 + shift)}true,-1.5e+3,"\\u0041",]`;
      expect(fault(text)).toMatch(/something is wrong after/);
    }
  });

  it('refuses bytes that are not UTF-8', () => {
    const parsed = parseJson(new Uint8Array([0x22, 0xff, 0x22]));
    expect(parsed.ok ? '' : parsed.error.message).toBe('body: is not UTF-8');
  });
});
