// The search finds what a question names, defines, says and leads to; it tells why, and answers the same to the same.
import { readdirSync, readFileSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import { type Embeddings, withNearest } from '#core/context/repo/embeddings.ts';
import { loadOutliner } from '#core/context/repo/grammars.node.ts';
import type { Outliner } from '#core/context/repo/outline.ts';
import { indexFiles } from '#core/context/repo/repo-index.ts';
import { type FoundChunk, MAX_LIMIT, openSearch, type Query, type RepoSearch } from '#core/context/repo/search.ts';
import { createVectors, packVectors } from '#core/context/repo/vectors.ts';
import { unwrap } from '#core/result.ts';

let outliner: Outliner;
let search: RepoSearch;
beforeAll(async () => {
  outliner = await loadOutliner(['typescript', 'python']);
  const folders = ['core/context/repo', 'core/scheduling', 'core/redis', 'test/unit/scheduling', 'docs'];
  const paths = folders.flatMap((folder) => readdirSync(folder).map((name) => `${folder}/${name}`));
  search = openSearch(indexFiles(paths.filter((path) => /\.\w+$/.test(path)).map(read), outliner));
});

const read = (path: string): { path: string; bytes: Uint8Array } => ({ path, bytes: readFileSync(path) });

function made(files: Readonly<Record<string, string>>): RepoSearch {
  const all = Object.entries(files).map(([path, text]) => ({ path, bytes: Buffer.from(text) }));
  return openSearch(indexFiles(all, outliner));
}

const pathsOf = (repo: RepoSearch, query: Partial<Query> & { text: string }): string[] =>
  unwrap(repo.files({ limit: 10, ...query })).map(({ path }) => path);

function first(query: Partial<Query> & { text: string }): FoundChunk {
  const [chunk] = unwrap(search.search({ limit: 5, ...query }));
  if (chunk === undefined) throw new Error('nothing found');
  return chunk;
}

test('a name that a file defines', () => {
  const chunk = first({ text: 'where is personalised PageRank computed?' });
  expect(chunk.path).toBe('core/context/repo/pagerank.ts');
  expect(chunk.reason).toContain('defines pagerank');
  expect(chunk.header).toBe(`${chunk.path}:${chunk.from}-${chunk.to}`);
});

test('the bytes of a result are lines of the file', () => {
  for (const chunk of unwrap(search.search({ text: 'cut a file into chunks of whole lines', limit: 20 }))) {
    const bytes = readFileSync(chunk.path);
    const lines = bytes
      .toString()
      .split('\n')
      .slice(chunk.from - 1, chunk.to);
    expect(bytes.subarray(chunk.start, chunk.end).toString()).toBe(`${lines.join('\n')}\n`);
  }
});

test.each([
  ['broken since yesterday: core/redis/redis.ts', 'core/redis/redis.ts', 1],
  ['    at rank (file:///home/me/app/core/context/repo/search.ts:170:3)', 'core/context/repo/search.ts', 170],
  ['it fails in SEARCH.TS:170', 'core/context/repo/search.ts', 170],
  ['C:\\work\\core\\context\\repo\\search.ts(170,5): error TS2322', 'core/context/repo/search.ts', 170],
  ['File "core/context/repo/search.ts", line 170, in rank', 'core/context/repo/search.ts', 170],
])('a file that the question names comes first: %s', (text, path, line) => {
  const chunk = first({ text: `plan fairness retry overdue timeouts scheduler pools ${text}` });
  expect(chunk.path).toBe(path);
  expect(chunk.from <= line && line <= chunk.to).toBe(true);
  expect(chunk.reason).toMatch(/^the question names /);
});

test('tests, generated, vendored and lock files come later, unless the question names them', () => {
  const text = 'export function frobnicate() { return "frobnicate"; }\n';
  const repo = made({
    'package-lock.json': text,
    'vendor/a/frob.ts': text,
    'dist/frob.ts': text,
    'src/frob.test.ts': text,
    'src/frob.ts': text,
  });
  const order = ['src/frob.ts', 'src/frob.test.ts', 'dist/frob.ts', 'vendor/a/frob.ts', 'package-lock.json'];
  expect(pathsOf(repo, { text: 'frobnicate' })).toEqual(order);
  expect(pathsOf(repo, { text: 'frobnicate in vendor/a/frob.ts' })[0]).toBe('vendor/a/frob.ts');
});

test('links lead to files that hold no word of the question', () => {
  const repo = made({
    'src/a.ts': 'import { secret } from "./deep/b.ts";\nexport const invoice = secret();\n',
    'src/deep/b.ts': 'export function secret() {}\n',
    'src/c.ts': 'export function other() {}\n',
  });
  const [, second, ...rest] = unwrap(repo.files({ text: 'invoice', limit: 5 }));
  expect(second).toMatchObject({ path: 'src/deep/b.ts', reason: 'linked with what was found' });
  expect(rest).toEqual([]);
});

test('a name that another file defines is a link without an import', () => {
  const repo = made({
    'a.py': 'def invoice():\n    return compute_total()\n',
    'b.py': 'def compute_total():\n    pass\n',
    'c.py': 'def unrelated():\n    pass\n',
  });
  expect(pathsOf(repo, { text: 'invoice' })).toEqual(['a.py', 'b.py']);
});

test('only paths that begin so, and factors of the caller', () => {
  const text = 'redis retry';
  expect(pathsOf(search, { text, paths: ['core/scheduling/'] }).every((p) => p.startsWith('core/scheduling/'))).toBe(
    true,
  );
  const [top = '', second = ''] = pathsOf(search, { text });
  expect(pathsOf(search, { text, boosts: { [top]: 0.01, [second]: 5 } })[0]).toBe(second);
  expect(pathsOf(search, { text, boosts: { [top]: 0 } })).not.toContain(top);
});

test.each([
  [{ limit: 0 }, 'limit'],
  [{ limit: 1.5 }, 'limit'],
  [{ limit: MAX_LIMIT + 1 }, 'limit'],
  [{ boosts: { 'a.ts': -1 } }, 'boosts.a.ts'],
  [{ boosts: { 'a.ts': Number.NaN } }, 'boosts.a.ts'],
])('refuses %o', (wrong, field) => {
  for (const answer of [
    search.search({ text: 'a', limit: 5, ...wrong }),
    search.files({ text: 'a', limit: 5, ...wrong }),
  ]) {
    expect(answer).toMatchObject({ ok: false, error: { code: 'invalid_argument', field } });
  }
});

test.each(['', ' ', '...', '/', '\0', '😀', '1 2 3', 'the and of', '.'.repeat(1_000_000), '('.repeat(100_000)])(
  'a question without words finds nothing: %#',
  (text) => {
    expect(search.search({ text, limit: 5 })).toEqual({ ok: true, value: [] });
  },
);

test('an index without files', () => {
  expect(made({}).search({ text: 'a', limit: 5 })).toEqual({ ok: true, value: [] });
});

test('the same question, the same answer, in order of the scores', () => {
  const query = { text: 'retry a job after its lease ended', limit: 30 };
  const found = unwrap(search.search(query));
  expect(unwrap(search.search(query))).toEqual(found);
  expect(found.map(({ score }) => score)).toEqual(found.map(({ score }) => score).toSorted((a, b) => b - a));
});

test('meanings are one more list: what no word finds comes in', async () => {
  const repo = made({
    'src/cat.ts': 'export const feline = 1;\n',
    'src/dog.ts': 'export const hound = 1;\n',
    'src/both.ts': 'export const animal = 1;\n',
  });
  // A vector with one place for each idea.
  const ideas: Readonly<Record<string, readonly number[]>> = {
    kitten: [1, 0],
    feline: [1, 0],
    hound: [0, 1],
    animal: [1, 1],
  };
  const embeddings: Embeddings = {
    model: 'scripted',
    dimensions: undefined,
    embed: async (texts) =>
      texts.map((text) => {
        const found = Object.entries(ideas).find(([word]) => text.includes(word));
        return Float32Array.from(found?.[1] ?? [0, 0]);
      }),
  };
  const options = { signal: new AbortController().signal };
  const gathered = createVectors(repo.index, 2);
  for (const { path, chunks, fingerprint } of repo.index.files)
    gathered.add(fingerprint, packVectors(chunks, await embeddings.embed([readText(path)], options)));
  const query = { text: 'kitten', limit: 5 };
  expect(unwrap(repo.search(query))).toEqual([]);
  const found = unwrap(repo.search(await withNearest(query, gathered.finish(), embeddings, options)));
  expect(found.map(({ path, reason }) => [path, reason])).toEqual([
    ['src/cat.ts', 'its meaning is near'],
    ['src/both.ts', 'its meaning is near'],
  ]);

  function readText(path: string): string {
    return { 'src/cat.ts': 'feline', 'src/dog.ts': 'hound', 'src/both.ts': 'animal' }[path] ?? '';
  }
});

test('numbers of chunks that there are not are passed over', () => {
  expect(search.search({ text: '', limit: 5, nearest: [-1, 1e9, 0.5, Number.NaN] })).toEqual({ ok: true, value: [] });
});
