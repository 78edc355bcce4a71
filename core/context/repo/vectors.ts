// Vectors of chunks, by which their meanings are compared: how a file's are kept, which files have some, and which are nearest. A number
// of a vector is one byte. Only angles count, so each vector is stretched until its largest number is 127, and no scale is kept.
import { BLOB_VERSION } from './blob.ts';
import { corrupt, createByteReader, createByteWriter } from './bytes.ts';
import type { Chunk } from './chunk.ts';
import { best } from './fusion.ts';
import { kindOf } from './kind.ts';
import { defaultRanking } from './ranking.ts';
import type { IndexedFile, RepoIndex } from './repo-index.ts';

/** Chunks of one commit that have vectors, at most, and bytes of these. */
export const MAX_VECTORS = 50_000;
const MAX_VECTOR_BYTES = 96 * 2 ** 20;

/** Vectors of some chunks of an index. */
export interface Vectors {
  readonly dimension: number;
  /** Numbers of the chunks, ascending. */
  readonly chunks: Uint32Array;
  /** `dimension` numbers for each of these. */
  readonly values: Int8Array;
  /** 1 by the length of each; 0 for one that points nowhere. */
  readonly inverse: Float32Array;
}

/** What makes vectors comparable, as a name: the model, its dimension, and how files are cut. */
export function spaceOf(model: string, dimension: number): string {
  return `${BLOB_VERSION}/${dimension}/${model}`;
}

/** The dimension of a space of that model; undefined when it is the space of another one. */
export function dimensionIn(space: string, model: string): number | undefined {
  const dimension = Number(space.split('/', 2)[1]);
  return dimension >= 1 && space === spaceOf(model, dimension) ? dimension : undefined;
}

/** The files whose chunks get vectors, each text once: as many as the bounds allow, and where these do not suffice, plain code first. */
export function filesWithVectors(index: RepoIndex, dimension: number): readonly IndexedFile[] {
  const byPrint = new Map(index.files.toReversed().map((file) => [file.fingerprint, file]));
  const weight = ({ path }: IndexedFile): number => defaultRanking.kinds[kindOf(path)];
  let room = Math.min(MAX_VECTORS, Math.floor(MAX_VECTOR_BYTES / dimension));
  return [...byPrint.values()]
    .filter(({ chunks }) => chunks.length > 0)
    .sort((a, b) => weight(b) - weight(a) || (a.path < b.path ? -1 : 1))
    .filter(({ chunks }) => (room -= chunks.length) >= 0);
}

/** The vectors of a file's chunks as bytes: dimension, count, the lines of each chunk, then the numbers. */
export function packVectors(chunks: readonly Chunk[], vectors: readonly Float32Array[]): Uint8Array {
  const dimension = vectors[0]?.length ?? 0;
  const out = createByteWriter();
  out.number(dimension);
  out.number(chunks.length);
  for (const { from, to } of chunks) {
    out.number(from);
    out.number(to);
  }
  for (const vector of vectors) out.append(new Uint8Array(quantized(vector).buffer));
  return out.bytes().slice();
}

function quantized(vector: Float32Array): Int8Array {
  const most = vector.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  return Int8Array.from(vector, (value) => (most > 0 ? Math.round((value / most) * 127) : 0));
}

/** Gathers the vectors of an index from those of its files. */
export function createVectors(index: RepoIndex, dimension: number) {
  const chunks: number[] = [];
  const rows: Int8Array[] = [];
  const inverses: number[] = [];
  const numbers = new Map<string, number[]>();
  for (const [number, { fingerprint }] of index.files.entries()) {
    numbers.set(fingerprint, [...(numbers.get(fingerprint) ?? []), number]);
  }
  return {
    /** Throws `data_loss` for what nobody packed. A file that is cut otherwise (the same text under the name of another language) gets none. */
    add(print: string, packed: Uint8Array): void {
      for (const file of numbers.get(print) ?? []) {
        const own = index.files[file] as IndexedFile;
        const first = index.firstChunk[file] as number;
        for (const [i, row] of rowsOf(packed, own.chunks, dimension).entries()) {
          chunks.push(first + i);
          rows.push(row);
          inverses.push(inverseOf(row));
        }
      }
    },
    finish(): Vectors {
      const order = Array.from(chunks.keys()).sort((a, b) => (chunks[a] as number) - (chunks[b] as number));
      const values = new Int8Array(rows.length * dimension);
      for (const [at, row] of order.entries()) values.set(rows[row] as Int8Array, at * dimension);
      const inverse = Float32Array.from(order, (row) => inverses[row] as number);
      return { dimension, chunks: Uint32Array.from(order, (row) => chunks[row] as number), values, inverse };
    },
  };
}

function inverseOf(row: Int8Array): number {
  let square = 0;
  for (let i = 0; i < row.length; i++) square += (row[i] as number) ** 2;
  return square > 0 ? 1 / Math.sqrt(square) : 0;
}

function rowsOf(packed: Uint8Array, chunks: readonly Chunk[], dimension: number): Int8Array[] {
  const reader = createByteReader(packed);
  if (reader.number() !== dimension) throw corrupt('vectors have another dimension');
  const lines = Array.from({ length: reader.count() }, () => ({ from: reader.number(), to: reader.number() }));
  const { buffer, byteOffset, length } = reader.rest();
  if (length !== lines.length * dimension) throw corrupt('vectors are cut off');
  if (lines.length !== chunks.length) return [];
  if (lines.some(({ from, to }, i) => from !== chunks[i]?.from || to !== chunks[i]?.to)) return [];
  return chunks.map((_, i) => new Int8Array(buffer, byteOffset + i * dimension, dimension));
}

/** Scores some rows by the angle to what is asked, 0 for one that points nowhere. */
export function scoreRows(
  asked: Float64Array,
  { dimension, values, inverse }: Vectors,
  scores: Float32Array,
  from: number,
  to: number,
): void {
  for (let row = from; row < to; row++) {
    const first = row * dimension;
    // Four sums at once take half the time of one: none need wait for the one before.
    let a = 0;
    let b = 0;
    let c = 0;
    let d = 0;
    let i = 0;
    for (; i + 3 < dimension; i += 4) {
      a += (asked[i] as number) * (values[first + i] as number);
      b += (asked[i + 1] as number) * (values[first + i + 1] as number);
      c += (asked[i + 2] as number) * (values[first + i + 2] as number);
      d += (asked[i + 3] as number) * (values[first + i + 3] as number);
    }
    for (; i < dimension; i++) a += (asked[i] as number) * (values[first + i] as number);
    scores[row] = (a + b + c + d) * (inverse[row] as number);
  }
}

/** Numbers of the `limit` chunks with the best scores, the best first; of equals the smaller number. None that points away. */
export function bestRows({ chunks }: Vectors, scores: Float32Array, limit: number): number[] {
  return best(scores, limit).map((row) => chunks[row] as number);
}
