// The small parts of the search, each by itself: words, scores, fusion, imports, the walk along links, mentions, kinds, and what
// the evaluation reads from a changelog.
import { expect, test } from 'vitest';
import { idf, lengthTerms, saturate } from '#core/context/repo/bm25.ts';
import { addRanks, addScores, best } from '#core/context/repo/fusion.ts';
import { createResolver } from '#core/context/repo/imports.ts';
import { kindOf } from '#core/context/repo/kind.ts';
import { mentionsIn, pathEnds } from '#core/context/repo/mentions.ts';
import { pageRank } from '#core/context/repo/pagerank.ts';
import { termsOf, termsOfText } from '#core/context/repo/words.ts';
import { changesByVersion } from '../../../evals/retrieval/changelog.ts';

test.each([
  ['parseHTTPHeader_v2', 'parsehttpheader_v2 parse http header'],
  ['snake_cased_name', 'snake_cased_name snake cased name'],
  ['$scope', 'scope'],
  ['README', 'readme'],
  ['chunks', 'chunk'],
  ['queries', 'query'],
  ['status class', 'status'],
  ['the 42 a', ''],
  ['straßen_größe', 'straßen_größe straßen größe'],
])('terms of %s', (word, terms) => {
  expect(termsOfText(word).join(' ')).toBe(terms);
});

test('a word longer than any name is none', () => {
  expect(termsOfText(`${'x'.repeat(65)} ${'y'.repeat(64)}`)).toEqual(['y'.repeat(64)]);
  expect(termsOf('')).toEqual([]);
});

test('BM25 by hand: two documents of 2 and 4 words, a term once in each', () => {
  const [short, long] = lengthTerms([2, 4], { k1: 1.2, b: 0.75 });
  expect(short).toBeCloseTo(1.2 * (0.25 + (0.75 * 2) / 3));
  expect(saturate(1, short ?? 0, 1.2)).toBeGreaterThan(saturate(1, long ?? 0, 1.2));
  expect(idf(2, 2)).toBeCloseTo(Math.log(1 + 0.5 / 2.5));
  expect(idf(2, 1)).toBeGreaterThan(idf(2, 2));
});

test('fusion: by the best score, by ranks, and equals by number', () => {
  const scores = new Float64Array(4);
  addScores(scores, [0, 10, 5, 0], 2);
  expect([...scores]).toEqual([0, 2, 1, 0]);
  addScores(scores, [0, 0, 0, 0], 5);
  addRanks(scores, [3, 0, 99, -1], 1);
  expect([...scores]).toEqual([61 / 62, 2, 1, 1]);
  expect(best(scores, 3)).toEqual([1, 2, 3]);
  expect(best([0, -1, Number.NaN], 3)).toEqual([]);
});

const paths = [
  'src/app.ts',
  'src/lib/index.ts',
  'src/lib/tool.d.ts',
  'py/pkg/__init__.py',
  'py/pkg/mod.py',
  'java/src/com/acme/Thing.java',
  'src/net/parse.rs',
  'include/acme/list.h',
  'a/same.ts',
  'b/same.ts',
];

test.each([
  ['src/app.ts', './lib', 'src/lib/index.ts'],
  ['src/app.ts', './lib/tool.js', 'src/lib/tool.d.ts'],
  ['src/lib/index.ts', '../app.ts', 'src/app.ts'],
  ['src/app.ts', '../../outside', ''],
  ['src/app.ts', '#lib/tool.ts', 'src/lib/tool.d.ts'],
  ['py/main.py', 'pkg.mod', 'py/pkg/mod.py'],
  ['java/src/com/acme/Other.java', 'com.acme.Thing', 'java/src/com/acme/Thing.java'],
  ['src/main.rs', 'crate::net::parse', 'src/net/parse.rs'],
  ['src/main.c', 'acme/list.h', 'include/acme/list.h'],
  ['src/app.ts', 'same', ''],
  ['src/app.ts', 'node:fs/promises', ''],
  ['src/app.ts', '', ''],
])('in %s the import of %s is %s', (from, specifier, target) => {
  const found = createResolver(paths)(from, specifier);
  expect(paths[found] ?? '').toBe(target);
});

test('the walk: what the start leads to ranks, what it does not has nothing', () => {
  // 0 leads to 1 and 2 alike, 1 leads to 2, 2 and 3 lead nowhere.
  const graph = {
    starts: Uint32Array.of(0, 2, 3, 3, 3),
    targets: Uint32Array.of(1, 2, 2),
    weights: Float32Array.of(0.5, 0.5, 1),
  };
  const [zero = 0, one = 0, two = 0, three = 0] = pageRank(graph, Float64Array.of(1, 0, 0, 0));
  expect(zero + one + two + three).toBeCloseTo(1);
  expect(zero).toBeGreaterThan(two);
  expect(two).toBeGreaterThan(one);
  expect(three).toBe(0);
});

test('a name that fits many files names none; ends decide', () => {
  const all = ['a/x.ts', 'b/x.ts', 'c/x.ts', 'd/x.ts', 'Makefile'];
  const named = (text: string): string[] =>
    mentionsIn(text, all, pathEnds(all)).map(({ file, line }) => `${all[file]}:${line}`);
  expect(named('see x.ts')).toEqual([]);
  expect(named('see b/x.ts:12:3.')).toEqual(['b/x.ts:12']);
  expect(named('run ./Makefile, not the Makefile.')).toEqual(['Makefile:0']);
});

test.each([
  ['src/a.ts', 'source'],
  ['src/latest.ts', 'source'],
  ['src/a.test.ts', 'test'],
  ['pkg/a_test.go', 'test'],
  ['go/vendor/x/a.go', 'vendored'],
  ['src/a.pb.go', 'generated'],
  ['docs/guide.ts', 'docs'],
  ['sub/yarn.lock', 'lock'],
])('%s is %s', (path, kind) => {
  expect(kindOf(path)).toBe(kind);
});

test('a changelog by version, in the words of people', () => {
  const text = `# Changelog

## [1.2.0](https://example.com/compare) (2020-01-01)

### Fixes
* **http:** keep \`headers\` ([#12](https://example.com/12)) ([abcdef0](https://example.com/c))
- see [the guide](docs/guide.md), fixes #7

### Contributors to this release
- Some Body

v1.1.9 - January 1, 2020
 * old one (#3)
`;
  expect([...changesByVersion(text)]).toEqual([
    ['1.2.0', ['http: keep headers', 'see the guide,']],
    ['1.1.9', ['old one']],
  ]);
});
