// Vectors of chunks: as bytes and back, gathered for an index, compared by the angle, and as many as there is room for.
import { expect, test } from 'vitest';
import { nearestTo } from '#core/context/repo/embeddings.ts';
import { noOutline } from '#core/context/repo/outline.ts';
import { indexFiles, type RepoIndex } from '#core/context/repo/repo-index.ts';
import {
  createVectors,
  dimensionIn,
  filesWithVectors,
  MAX_VECTORS,
  packVectors,
  spaceOf,
} from '#core/context/repo/vectors.ts';
import { createRandom } from '../../../helpers/random.ts';

const index = (files: Readonly<Record<string, string>>): RepoIndex =>
  indexFiles(
    Object.entries(files).map(([path, text]) => ({ path, bytes: Buffer.from(text) })),
    () => noOutline,
  );
const fileOf = (of: RepoIndex, path: string) => {
  const file = of.files.find((one) => one.path === path);
  if (file === undefined) throw new Error(`no file ${path}`);
  return file;
};

test('the nearest by one byte a number are the nearest', async () => {
  const random = createRandom(5);
  const dimension = 64;
  const vector = () => Float32Array.from({ length: dimension }, () => random.next() - 0.5);
  const repo = index({ 'a.txt': 'line\n'.repeat(20_000) });
  const file = fileOf(repo, 'a.txt');
  const own = file.chunks.map(vector);
  expect(own.length).toBeGreaterThan(150);
  const gathered = createVectors(repo, dimension);
  gathered.add(file.fingerprint, packVectors(file.chunks, own));
  const vectors = gathered.finish();
  for (let round = 0; round < 20; round++) {
    const asked = vector();
    const cosine = (one: Float32Array): number => {
      const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, x, i) => sum + x * (b[i] as number), 0);
      return dot(asked, one) / Math.sqrt(dot(asked, asked) * dot(one, one));
    };
    const [first = -1] = await nearestTo(asked, vectors, 5);
    expect(cosine(own[first] as Float32Array)).toBeGreaterThan(Math.max(...own.map(cosine)) - 0.01);
    expect((await nearestTo(asked, vectors, 1_000)).every((at) => cosine(own[at] as Float32Array) > -0.01)).toBe(true);
  }
});

test('vectors stand by the numbers of their chunks, the same text in each place; who has none has none', async () => {
  const repo = index({ 'b.txt': 'same\n', 'a.txt': 'other\n', 'c.txt': 'same\n' });
  const gathered = createVectors(repo, 2);
  const same = fileOf(repo, 'b.txt');
  gathered.add(same.fingerprint, packVectors(same.chunks, [Float32Array.from([0, 2])]));
  gathered.add('of no file', packVectors(same.chunks, [Float32Array.from([0, 2])]));
  const vectors = gathered.finish();
  expect([...vectors.chunks]).toEqual([1, 2]);
  expect(await nearestTo(Float32Array.from([1, 1]), vectors, 9)).toEqual([1, 2]);
  expect(await nearestTo(Float32Array.from([1, 0]), vectors, 9)).toEqual([]);
  expect(await nearestTo(Float32Array.from([0, 0]), vectors, 9)).toEqual([]);
  expect(filesWithVectors(repo, 2).map(({ path }) => path)).toEqual(['a.txt', 'b.txt']);
});

test('what nobody packed is refused, what is of other chunks left out', () => {
  const repo = index({ 'a.txt': 'text\n' });
  const { chunks, fingerprint } = fileOf(repo, 'a.txt');
  const good = packVectors(chunks, [Float32Array.from([1, 2, 3])]);
  const gathered = createVectors(repo, 3);
  for (const bad of [new Uint8Array(0), good.subarray(0, 4), Uint8Array.of(...good, 1), Uint8Array.of(3, 255, 255, 3)])
    expect(() => gathered.add(fingerprint, bad)).toThrow(/repository index: /);
  expect(() => createVectors(repo, 4).add(fingerprint, good)).toThrow('another dimension');
  const others = index({ 'a.txt': 'text\n'.repeat(500) }).files[0]?.chunks ?? [];
  gathered.add(
    fingerprint,
    packVectors(
      others,
      others.map(() => Float32Array.from([1, 2, 3])),
    ),
  );
  expect(gathered.finish().chunks).toHaveLength(0);
  gathered.add(fingerprint, good);
  expect([...gathered.finish().values]).toEqual([42, 85, 127]);
});

test('plain code first where not all have room', () => {
  const text = (name: string): string => `${name}\n`.repeat(20);
  const repo = index({ 'src/a.ts': text('a'), 'test/b.test.ts': text('b'), 'package-lock.json': text('c') });
  const large: RepoIndex = {
    ...repo,
    files: repo.files.map((file) => ({
      ...file,
      chunks: Array.from({ length: MAX_VECTORS / 2 }, () => file.chunks[0] as never),
    })),
  };
  expect(filesWithVectors(large, 8).map(({ path }) => path)).toEqual(['src/a.ts', 'test/b.test.ts']);
  expect(filesWithVectors(large, 3_000).map(({ path }) => path)).toEqual(['src/a.ts']);
});

test('a space names its dimension to its own model alone', () => {
  expect(dimensionIn(spaceOf('a/b', 256), 'a/b')).toBe(256);
  expect(dimensionIn(spaceOf('a/b', 256), 'b')).toBeUndefined();
  for (const odd of ['', 'x', '1/0/a', '3/1e2/a/b']) expect(dimensionIn(odd, 'a/b')).toBeUndefined();
});
