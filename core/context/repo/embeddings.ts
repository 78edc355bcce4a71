// The port to somebody who compares meanings. Nothing here needs it: without one the search fuses one list less. Driver:
// core/model/openai-embeddings.ts.
import { CortexError } from '#core/errors.ts';
import type { Query } from './search.ts';
import { nearestTo, type Vectors } from './vectors.ts';

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
  return { ...query, nearest: nearestTo(asked, vectors, Math.min(query.limit, MAX_NEAREST)) };
}
