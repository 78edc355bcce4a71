// The port to somebody who compares meanings. Nothing here needs it: without one the search fuses one list less. Driver:
// core/model/openai-embeddings.ts.
import { CortexError } from '#core/errors.ts';
import type { Query } from './search.ts';
import { bestRows, scoreRows, type Vectors } from './vectors.ts';

export interface Embeddings {
  /** As its provider calls it: vectors of two models are never compared. */
  readonly model: string;
  /** Numbers of each vector; undefined: as many as the model gives by itself. */
  readonly dimensions: number | undefined;
  /** Vectors of one length for texts, in their order. Throws CortexError; isRetryable tells whether to ask again. */
  embed(texts: readonly string[], options: { readonly signal: AbortSignal }): Promise<readonly Float32Array[]>;
}

/** Chunks that come by their meaning: further ones are near to nothing in particular. */
const MAX_NEAREST = 30;

/** Multiplications that are made at once, some ten milliseconds; then others get their turn. */
const slice = 4_000_000;
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

/** The query with the chunks nearest to its text. Throws what `embed` throws, and `internal` for a vector of another length. */
export async function withNearest(
  query: Query,
  vectors: Vectors,
  embeddings: Embeddings,
  options: { readonly signal: AbortSignal },
): Promise<Query> {
  const [asked] = await embeddings.embed([query.text], options);
  if (asked?.length !== vectors.dimension) {
    throw new CortexError(
      'internal',
      `model ${embeddings.model} gave ${asked?.length ?? 0} numbers where the repository has ${vectors.dimension}`,
    );
  }
  return { ...query, nearest: await nearestTo(asked, vectors, Math.min(query.limit, MAX_NEAREST)) };
}

/** Numbers of the chunks that are nearest, the nearest first. */
export async function nearestTo(asked: Float32Array, vectors: Vectors, limit: number): Promise<readonly number[]> {
  const question = Float64Array.from(asked);
  const scores = new Float32Array(vectors.chunks.length);
  const rows = Math.ceil(slice / vectors.dimension);
  for (let from = 0; from < scores.length; from += rows) {
    if (from > 0) await turn();
    scoreRows(question, vectors, scores, from, Math.min(from + rows, scores.length));
  }
  return bestRows(vectors, scores, limit);
}
