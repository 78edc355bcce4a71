// The port to somebody who compares meanings. Nothing here needs it: without one the search fuses one list less.
import type { Query } from './search.ts';

export interface Embeddings {
  /** Vectors of one length for texts, in their order. */
  embed(texts: readonly string[], options: { readonly signal: AbortSignal }): Promise<readonly Float32Array[]>;
}

/** The query with the chunks nearest to its text, by the cosine; `vectors` are those of the chunks, by their numbers. */
export async function withNearest(
  query: Query,
  vectors: readonly Float32Array[],
  embeddings: Embeddings,
  options: { readonly signal: AbortSignal },
): Promise<Query> {
  const [asked] = await embeddings.embed([query.text], options);
  return asked === undefined ? query : { ...query, nearest: nearestTo(asked, vectors, query.limit) };
}

/** Numbers of the `limit` nearest vectors, the nearest first; of equals the smaller number. None that points away. */
export function nearestTo(asked: Float32Array, vectors: readonly Float32Array[], limit: number): number[] {
  return vectors
    .map((vector, number) => ({ number, cosine: cosine(asked, vector) }))
    .filter((one) => one.cosine > 0)
    .sort((a, b) => b.cosine - a.cosine || a.number - b.number)
    .slice(0, limit)
    .map(({ number }) => number);
}

function cosine(a: Float32Array, b: Float32Array): number {
  let dot = 0;
  let aa = 0;
  let bb = 0;
  for (let i = 0; i < a.length; i++) {
    const x = a[i] as number;
    const y = b[i] ?? 0;
    dot += x * y;
    aa += x * x;
    bb += y * y;
  }
  return aa === 0 || bb === 0 ? 0 : dot / Math.sqrt(aa * bb);
}
