// Patterns against the table of Go's own tests for path.Match, and against a slow, obvious reading of the same rules.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { matches, parsePattern } from '#core/policy/pattern.ts';

function match(pattern: string, text: string): boolean {
  const parsed = parsePattern(pattern);
  if (!parsed.ok) throw new Error(`${pattern}: ${parsed.error}`);
  return matches(parsed.value, text);
}

test.each([
  ['abc', 'abc', true],
  ['*', 'abc', true],
  ['*c', 'abc', true],
  ['a*', 'a', true],
  ['a*', 'abc', true],
  ['a*', 'ab/c', false],
  ['a*/b', 'abc/b', true],
  ['a*/b', 'a/c/b', false],
  ['a*b*c*d*e*/f', 'axbxcxdxe/f', true],
  ['a*b*c*d*e*/f', 'axbxcxdxexxx/f', true],
  ['a*b*c*d*e*/f', 'axbxcxdxe/xxx/f', false],
  ['a*b*c*d*e*/f', 'axbxcxdxexxx/fff', false],
  ['a*b?c*x', 'abxbbxdbxebxczzx', true],
  ['a*b?c*x', 'abxbbxdbxebxczzy', false],
  ['ab[c]', 'abc', true],
  ['ab[b-d]', 'abc', true],
  ['ab[e-g]', 'abc', false],
  ['ab[^c]', 'abc', false],
  ['ab[^b-d]', 'abc', false],
  ['ab[^e-g]', 'abc', true],
  ['a\\*b', 'a*b', true],
  ['a\\*b', 'ab', false],
  ['a?b', 'a☺b', true],
  ['a[^a]b', 'a☺b', true],
  ['a???b', 'a☺b', false],
  ['a[^a][^a][^a]b', 'a☺b', false],
  ['[a-ζ]*', 'α', true],
  ['*[a-ζ]', 'A', false],
  ['a?b', 'a/b', false],
  ['a*b', 'a/b', false],
  ['[\\]a]', ']', true],
  ['[\\-]', '-', true],
  ['[x\\-]', 'x', true],
  ['[x\\-]', '-', true],
  ['[x\\-]', 'z', false],
  ['[\\-x]', 'x', true],
  ['[\\-x]', '-', true],
  ['[\\-x]', 'a', false],
  ['*x', 'xxx', true],
  // Not in Go's table: topics, one emoji of two UTF-16 units, an unfinished text, a class that takes a slash.
  ['job.*', 'job.repo.scan', true],
  ['job.*', 'job', false],
  ['job.*.x', 'job.a.b.x', true],
  ['sys.*', 'xsys.a', false],
  ['JOB.*', 'job.a', false],
  ['a?b', 'a🙂b', true],
  ['[🙂-🙄]', '🙃', true],
  ['ab', 'a', false],
  ['a', 'ab', false],
  ['a[^x]b', 'a/b', true],
  // Go commits to the first place where the part before the second star fits, and never goes back. So do we.
  ['*[^x]*b', 'aa/b', false],
])('%s on %s: %s', (pattern, text, expected) => {
  expect(match(pattern, text)).toBe(expected);
});

test.each([
  '[]a]',
  '[-]',
  '[x-]',
  '[-x]',
  '\\',
  'a\\',
  '[a-b-c]',
  '[',
  '[^',
  '[^bc',
  'a[',
  'a/b[',
  '[]',
  '[a',
  '[a-',
  '[a-]',
  '[\\',
  '',
  ' ',
])('refuses %j', (pattern) => {
  expect(parsePattern(pattern).ok).toBe(false);
});

test('agrees with a regular expression where both mean the same', () => {
  const term = fc.constantFrom('*', '?', 'a', 'b', '.', '[ab]', '[^a]', '\\*');
  const asRegExp: Record<string, string> = { '*': '[^]*', '?': '[^]', '.': '\\.', '\\*': '\\*' };
  fc.assert(
    fc.property(
      fc.array(term, { minLength: 1, maxLength: 8 }),
      fc.string({ unit: fc.constantFrom('a', 'b', '.', '*'), maxLength: 10 }),
      (terms, text) => {
        const expected = new RegExp(`^${terms.map((t) => asRegExp[t] ?? t).join('')}$`).test(text);
        expect(match(terms.join(''), text)).toBe(expected);
      },
    ),
    { numRuns: 2_000 },
  );
});

test('many stars on a long text that does not fit take no time', () => {
  const began = performance.now();
  expect(match(`${'a*'.repeat(60)}b`, 'a'.repeat(20_000))).toBe(false);
  expect(performance.now() - began).toBeLessThan(1_000);
});
