// Chunks are the file: whatever the bytes, they follow each other without a gap, and together they are what they were cut from.
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { chunkFile, headerOf, MAX_BYTES, MAX_LINES } from '#core/context/repo/chunk.ts';
import { loadOutliner } from '#core/context/repo/grammars.node.ts';
import { MAX_FILE_BYTES, MAX_LINE_BYTES } from '#core/context/repo/lines.ts';
import type { Outliner } from '#core/context/repo/outline.ts';

let outliner: Outliner;
beforeAll(async () => {
  outliner = await loadOutliner();
});

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

function expectWhole(path: string, bytes: Uint8Array): void {
  const { chunks, skipped } = chunkFile(path, bytes, outliner);
  expect(skipped).toBeUndefined();
  let line = 1;
  let at = 0;
  for (const chunk of chunks) {
    expect([chunk.from, chunk.start]).toEqual([line, at]);
    expect(chunk.to).toBeGreaterThanOrEqual(chunk.from);
    const own = bytes.subarray(chunk.start, chunk.end);
    expect(own.length).toBeGreaterThan(0);
    // Whole lines: the bytes hold as many as the range says.
    const feeds = own.filter((byte) => byte === 10).length;
    expect(feeds + (own.at(-1) === 10 ? 0 : 1)).toBe(chunk.to - chunk.from + 1);
    if (chunk.to > chunk.from) expect(own.length).toBeLessThanOrEqual(MAX_BYTES);
    expect(chunk.to - chunk.from).toBeLessThan(MAX_LINES);
    for (const { line: defined } of chunk.definitions) {
      expect(defined >= chunk.from && defined <= chunk.to).toBe(true);
    }
    line = chunk.to + 1;
    at = chunk.end;
  }
  expect(at).toBe(bytes.length);
}

const real = ['core/context/repo/chunk.ts', 'core/bus/nats-ws.ts', 'local/run.mjs', 'README.md', 'package.json'];

test('random edits of real files', () => {
  const files = real.map((path) => ({ path, text: readFileSync(path, 'utf8') }));
  const edit = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    cut: fc.nat(400),
    put: fc.oneof(
      fc.string({ maxLength: 20, unit: 'grapheme' }),
      fc.constantFrom('\r\n', '\n', '\r', '{', '}', '`', '/*', '"', '(', '\n\n\n', '# h\n', '```\n'),
    ),
  });
  fc.assert(
    fc.property(
      fc.constantFrom(...files),
      fc.array(edit, { maxLength: 8 }),
      fc.boolean(),
      fc.boolean(),
      (file, edits, windows, open) => {
        let { text } = file;
        if (windows) text = text.replaceAll('\n', '\r\n');
        for (const { at, cut, put } of edits) {
          const place = Math.floor(at * text.length);
          text = text.slice(0, place) + put + text.slice(place + cut);
        }
        if (open) text = text.replace(/\s+$/, '');
        expectWhole(file.path, encode(text.replaceAll('\0', '')));
      },
    ),
    { numRuns: 150 },
  );
});

test('bytes that are no text of any encoding', () => {
  const bytes = fc.uint8Array({ min: 1, max: 255, maxLength: 5_000 });
  fc.assert(
    fc.property(bytes, fc.constantFrom('a.ts', 'a.py', 'a.md', 'a.bin', 'a.cpp'), (some, path) => {
      expectWhole(path, some);
    }),
    { numRuns: 200 },
  );
});

test.each([
  ['nothing', '', 0],
  ['a line feed', '\n', 1],
  ['one open line', 'a', 1],
])('%s', (_, text, chunks) => {
  expect(chunkFile('a.ts', encode(text), outliner).chunks).toHaveLength(chunks);
  expectWhole('a.ts', encode(text));
});

test('what is left out says why', () => {
  const of = (bytes: Uint8Array): string | undefined => chunkFile('a.txt', bytes, outliner).skipped;
  expect(of(encode('a\0b'))).toBe('binary');
  expect(of(encode('x'.repeat(MAX_LINE_BYTES)))).toBeUndefined();
  expect(of(encode(`a\n${'x'.repeat(MAX_LINE_BYTES + 1)}\nb`))).toBe('long_line');
  expect(of(encode('x'.repeat(10 * 1024 * 1024)))).toBe('too_large');
  expect(of(encode('xy\n'.repeat(MAX_FILE_BYTES / 3)))).toBeUndefined();
  expect(chunkFile('a.js', encode('a\0b'), outliner).chunks).toEqual([]);
});

test('cuts where functions end, and says what is around', () => {
  const method = (name: string, lines: number): string =>
    `  // About ${name}.\n  ${name}() {\n${'    work();\n'.repeat(lines)}  }\n\n`;
  const text = `class Big extends Base {\n${method('one', 50)}${method('two', 40)}${method('three', 60)}}\n`;
  const { chunks } = chunkFile('src/big.ts', encode(text), outliner);
  // What comes before `three` ends with the blank line behind `two`: the comment goes with its method.
  expect(chunks.map(({ from, to }) => [from, to])).toEqual([
    [1, 99],
    [100, 164],
  ]);
  expect(text.split('\n')[99]).toBe('  // About three.');
  expect(chunks[1]?.definitions).toEqual([{ name: 'three', kind: 'method', line: 101 }]);
  expect(headerOf('src/big.ts', chunks[1] as (typeof chunks)[number])).toBe(
    'src/big.ts:100-164\nclass Big extends Base {',
  );
});

test('sections of Markdown, none in fenced code', () => {
  const text = '# One\ntext\n\n```\n# no heading\n```\n## Two\nmore\n# Three\n';
  const { chunks } = chunkFile('a.md', encode(text), outliner);
  expect(chunks.flatMap(({ definitions }) => definitions.map(({ name, line }) => [name, line]))).toEqual([
    ['One', 1],
    ['Two', 7],
    ['Three', 9],
  ]);
});
