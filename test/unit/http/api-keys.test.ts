// Keys as data: made, written, read back; and every way a file of them can be wrong.
import { describe, expect, test } from 'vitest';
import {
  type ApiKey,
  formatApiKey,
  generateApiKey,
  isPrincipal,
  keyDigest,
  parseApiKeys,
} from '#core/http/api-keys.ts';

const random = new Uint8Array(32).map((_, i) => i * 7);
const options = { tenant: 'acme', principal: 'ann@example.com', role: 'operator' } as const;
const { key, entry } = generateApiKey(random, options);
const good: ApiKey = { id: 'a', sha256: 'a'.repeat(64), tenant: 't', principal: 'p', role: 'viewer' };

describe('a new key', () => {
  test('is 256 bits of the random given, and is known by its digest alone', () => {
    expect(key).toMatch(/^cortex_[A-Za-z0-9_-]{43}$/);
    expect(Buffer.from(key.slice(7), 'base64url')).toEqual(Buffer.from(random));
    expect(entry).toEqual({ ...options, id: entry.sha256.slice(0, 12), sha256: keyDigest(key) });
    expect(JSON.stringify(entry)).not.toContain(key.slice(7, 20));
  });

  test('has the digest that sha256sum gives', () => {
    expect(keyDigest('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  });

  test('takes an id and a date', () => {
    const made = generateApiKey(random, { ...options, id: 'ci', createdAt: '2026-01-02T03:04:05Z' });
    expect(made.entry).toMatchObject({ id: 'ci', created_at: '2026-01-02T03:04:05Z' });
  });

  test.each([0, 16, 31, 33])('is not made of %i bytes', (n) => {
    expect(() => generateApiKey(new Uint8Array(n), options)).toThrow(RangeError);
  });
});

describe('the file', () => {
  test('is read as it was written, line by line', () => {
    const other = generateApiKey(new Uint8Array(32), { ...options, createdAt: '2026-01-02T03:04:05Z' }).entry;
    expect(parseApiKeys(formatApiKey(entry) + formatApiKey(other))).toEqual({ ok: true, value: [entry, other] });
  });

  test.each([
    ['a JSON list', JSON.stringify([good])],
    ['YAML', `# keys\n- id: a\n  sha256: ${good.sha256}\n  tenant: t\n  principal: p\n  role: viewer\n`],
  ])('may be %s', (_, text) => {
    expect(parseApiKeys(text)).toEqual({ ok: true, value: [good] });
  });

  test.each(['', '\n', '# nobody yet\n', '[]'])('%j holds no keys', (text) => {
    expect(parseApiKeys(text)).toEqual({ ok: true, value: [] });
  });

  const line = (change: Record<string, unknown>): string => `- ${JSON.stringify({ ...good, ...change })}\n`;
  test.each([
    ['a map', 'keys: []', ['the file: must be a list']],
    ['a text', 'hello', ['the file: must be a list']],
    ['half a line', `${line({})}- {"id": "b"`, ['line ']],
    ['an alias', '- &a {id: x}\n- *a\n', ['the file: anchors']],
    ['a list of texts', '- hello\n', ['[0]: ']],
    ['a digest that is none', line({ sha256: 'A'.repeat(64) }), ['[0].sha256: must be 64 lower-case hex digits']],
    ['a role that is none', line({ role: 'root' }), ['[0].role: must be one of viewer, submitter, operator, admin']],
    ['a tenant that is none', line({ tenant: 'a b' }), ['[0].tenant: ']],
    ['a principal that is none', line({ principal: '' }), ['[0].principal: ']],
    ['an id that is none', line({ id: 'a:b' }), ['[0].id: ']],
    ['a field too many', line({ tennant: 'x' }), ['[0].tennant: is not a known field']],
    ['the same id twice', line({}) + line({ sha256: 'b'.repeat(64) }), ['[1].id: is the same as that of [0]']],
    ['the same key twice', line({}) + line({ id: 'b' }), ['[1].sha256: is the same as that of [0]']],
    ['two wrong lines', line({ role: 1 }) + line({ id: '', tenant: 5 }), ['[0].role: ', '[1].id: ', '[1].tenant: ']],
  ])('%s is told', (_, text, problems) => {
    const parsed = parseApiKeys(text);
    expect(parsed.ok).toBe(false);
    const told = parsed.ok ? [] : parsed.error;
    expect(told).toHaveLength(problems.length);
    for (const [i, problem] of problems.entries()) expect(told[i]).toContain(problem);
  });
});

test.each([
  ['ann', true],
  ['ann@example.com', true],
  ['a.b+c_d-e', true],
  ['', false],
  ['a b', false],
  ['a\n', false],
  ['x'.repeat(129), false],
])('%j as a principal: %s', (text, is) => {
  expect(isPrincipal(text)).toBe(is);
});
