// Which paths a scan's patterns let in, by table.
import { expect, test } from 'vitest';
import { defaultExcludeGlobs, defaultIncludeGlobs } from '#core/protocol/repo-globs.ts';
import { unwrap } from '#core/result.ts';
import { type Globs, parseGlobs } from '../../../services/worker/repo/globs.ts';

const globs = (include_globs: readonly string[], exclude_globs: readonly string[] = []): Globs =>
  unwrap(parseGlobs({ include_globs, exclude_globs }));

test.each([
  ['**/*.go', 'main.go', true],
  ['**/*.go', 'a/main.go', true],
  ['**/*.go', 'a/b/c/main.go', true],
  ['**/*.go', '.hidden/.x.go', true],
  ['**/*.go', 'main.go.txt', false],
  ['*.go', 'main.go', true],
  ['*.go', 'a/b/main.go', true],
  ['Makefile', 'sub/Makefile', true],
  ['Makefile', 'Makefile/inner', true],
  ['Makefile', 'Makefile2', false],
  ['src/**', 'src/a/b.ts', true],
  ['src/**', 'x/src/a.ts', false],
  ['src/**', 'src', true],
  ['/src/**', 'src/a.ts', true],
  ['./src/*.ts', 'src/a.ts', true],
  ['src/', 'src/deep/a.ts', true],
  ['src', 'src/deep/a.ts', true],
  ['src/*.ts', 'src/deep/a.ts', false],
  ['**/*.{ts,tsx}', 'a/b.tsx', true],
  ['a?c', 'abc', true],
  ['a?c', 'a/c', false],
  ['[ab].c', 'b.c', true],
  ['[!a].c', 'b.c', true],
  ['[!a].c', 'a.c', false],
  ['app/(group)/*.tsx', 'app/(group)/page.tsx', true],
  ['app/(group)/*.tsx', 'app/group/page.tsx', false],
  ['a|b', 'a', false],
  ['a|b', 'a|b', true],
  ['!a.ts', 'b.ts', false],
  ['!a.ts', '!a.ts', true],
  ['+(a)', 'aa', false],
  ['*.GO', 'main.go', false],
])('include %s on %s: %s', (pattern, path, expected) => {
  expect(globs([pattern]).includes(path)).toBe(expected);
});

test.each([
  ['vendor/**', 'vendor/x.go', true],
  ['vendor/**', 'a/b/vendor/x/y.go', true],
  ['vendor/**', 'vendored/x.go', false],
  ['bin/**', 'robin/x.go', false],
  ['bin/**', 'bin', false],
  ['/vendor/**', 'vendor/x.go', true],
  ['/vendor/**', 'a/vendor/x.go', false],
  ['docs/internal', 'docs/internal/a.md', true],
  ['docs/internal', 'x/docs/internal/a.md', true],
  ['docs/*', 'docs/a/b.md', false],
  ['**/*.test.ts', 'a/b.test.ts', true],
  ['*.min.js', 'dist2/x.min.js', true],
])('exclude %s on %s: %s', (pattern, path, expected) => {
  expect(globs(['**'], [pattern]).excludes(path)).toBe(expected);
});

test.each([
  ['vendor/**', 'vendor', true],
  ['vendor/**', 'a/vendor', true],
  ['vendor/', 'a/vendor', true],
  ['vendor', 'a/vendor', true],
  ['/vendor', 'a/vendor', false],
  ['vendor/*', 'vendor', false],
  ['**/*.go', 'a.go', false],
  ['**/gen-*/**', 'x/gen-1', true],
])('exclude %s closes the folder %s: %s', (pattern, path, expected) => {
  expect(globs(['**'], [pattern]).excludesFolder(path)).toBe(expected);
});

test('the default patterns look at sources at any depth and leave vendored folders out at any depth', () => {
  const { includes, excludes, excludesFolder } = globs(defaultIncludeGlobs, defaultExcludeGlobs);
  for (const path of ['main.go', 'a/b/c.ts', '.github/workflows/ci.yml', 'x.md']) {
    expect(includes(path) && !excludes(path), path).toBe(true);
  }
  for (const path of ['logo.png', 'LICENSE', 'a/b.wasm']) expect(includes(path), path).toBe(false);
  for (const folder of ['node_modules', 'web/node_modules', '.git', 'a/.venv', 'x/dist']) {
    expect(excludesFolder(folder), folder).toBe(true);
    expect(excludes(`${folder}/x.ts`), folder).toBe(true);
  }
  expect(excludesFolder('src/builder')).toBe(false);
});

test('no pattern excludes nothing', () => {
  expect(globs(['**']).excludes('a')).toBe(false);
  expect(globs(['**']).excludesFolder('a')).toBe(false);
});

test.each([
  [['ok', '{a'], 'include_globs.1', 'Missing closing'],
  [['[a'], 'include_globs.0', 'Missing closing'],
  [['../x'], 'include_globs.0', '".."'],
  [['a/./b'], 'include_globs.0', '"."'],
  [['a//b'], 'include_globs.0', 'empty parts'],
  [['/'], 'include_globs.0', 'is empty'],
  [['./'], 'include_globs.0', 'is empty'],
  [['*a*b*c*d'], 'include_globs.0', 'too many wildcards'],
  [['a/**/b/**/c/**/d/**'], 'include_globs.0', 'too many wildcards'],
])('refuses %j and names %s', (patterns, field, problem) => {
  const read = parseGlobs({ include_globs: patterns, exclude_globs: [] });
  expect(read).toMatchObject({ ok: false, error: { code: 'invalid_argument', field } });
  expect(read.ok ? '' : read.error.message).toContain(problem);
});

test('a pattern made to be slow is fast: groups and quantifiers mean nothing', () => {
  const { includes } = globs(['(a+)+b', '((((a)+)+)+)+c', '{[a]+,b}+d']);
  const began = performance.now();
  expect(includes('a'.repeat(200))).toBe(false);
  expect(performance.now() - began).toBeLessThan(500);
});

test('three wildcards, the most there may be, end in bounded time on the worst name', () => {
  const { includes } = globs(['*a*a*b']);
  const began = performance.now();
  expect(includes('a'.repeat(255))).toBe(false);
  expect(performance.now() - began).toBeLessThan(10_000);
});
