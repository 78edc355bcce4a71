// BM25 (Robertson, Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond") over postings, scores in one flat array.

export interface Bm25 {
  /** How soon more of the same word stops to count. */
  readonly k1: number;
  /** How much a long document must pay for its length: 0 nothing, 1 in full. */
  readonly b: number;
}

export const plain: Bm25 = { k1: 1.2, b: 0.75 };

/** The part of the formula that depends on the document alone: k1 (1 - b + b length / average). */
export function lengthTerms(lengths: ArrayLike<number>, { k1, b }: Bm25): Float64Array {
  let sum = 0;
  for (let i = 0; i < lengths.length; i++) sum += lengths[i] as number;
  const average = sum / Math.max(1, lengths.length) || 1;
  return Float64Array.from(lengths, (length) => k1 * (1 - b + (b * length) / average));
}

/** Robertson and Sparck Jones, never negative: 0 documents with the term weigh most. */
export function idf(documents: number, withTerm: number): number {
  return Math.log(1 + (documents - withTerm + 0.5) / (withTerm + 0.5));
}

/** What `count` times a term is worth in one document. */
export function saturate(count: number, lengthTerm: number, k1: number): number {
  return (count * (k1 + 1)) / (count + lengthTerm);
}
