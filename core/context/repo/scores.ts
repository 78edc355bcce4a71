// Scores of a question in each field. Text is scored by chunk and, in the same pass, by file.
import { type Bm25, idf, lengthTerms, plain, saturate } from './bm25.ts';
import type { Postings } from './postings.ts';
import type { RepoIndex } from './repo-index.ts';
import { termsOfText } from './words.ts';

export interface QueryTerm {
  readonly id: number;
  /** More for what the question says more than once. */
  readonly weight: number;
}

/** Terms of a question, each once; those that no file holds are dropped. */
export function queryTerms(index: RepoIndex, text: string, most: number): QueryTerm[] {
  const times = new Map<string, number>();
  for (const term of termsOfText(text)) times.set(term, (times.get(term) ?? 0) + 1);
  const found: QueryTerm[] = [];
  for (const [term, count] of times) {
    const id = find(index.terms, term);
    if (id >= 0) found.push({ id, weight: saturate(count, 1, 1) });
    if (found.length === most) break;
  }
  return found;
}

/** The number of a term, or -1. */
export function find(terms: readonly string[], term: string): number {
  let low = 0;
  let high = terms.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const at = terms[middle] as string;
    if (at === term) return middle;
    if (at < term) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

/** What does not depend on the question. */
export interface FieldLengths {
  readonly chunk: Float64Array;
  readonly file: Float64Array;
  readonly definitions: Float64Array;
  readonly paths: Float64Array;
}

/** Paths are short and of like length, so theirs hardly counts; so is a list of names. */
const FLAT: Bm25 = { k1: 1.2, b: 0.3 };

/** `b` is that of texts. */
export function fieldLengths(index: RepoIndex, b: number): FieldLengths {
  const text = { k1: plain.k1, b };
  const files = new Float64Array(index.files.length);
  for (let c = 0; c < index.lengths.length; c++) {
    const file = index.fileOf[c] as number;
    files[file] = (files[file] as number) + (index.lengths[c] as number);
  }
  const defined = new Float64Array(index.files.length);
  for (let i = 0; i < index.definitions.docs.length; i++) {
    const file = index.fileOf[index.definitions.docs[i] as number] as number;
    defined[file] = (defined[file] as number) + (index.definitions.counts[i] as number);
  }
  const named = new Float64Array(index.files.length);
  for (let i = 0; i < index.paths.docs.length; i++) {
    const file = index.paths.docs[i] as number;
    named[file] = (named[file] as number) + (index.paths.counts[i] as number);
  }
  return {
    chunk: lengthTerms(index.lengths, text),
    file: lengthTerms(files, text),
    definitions: lengthTerms(defined, FLAT),
    paths: lengthTerms(named, FLAT),
  };
}

export interface FieldScores {
  /** By chunk. */
  readonly chunk: Float64Array;
  /** The rest by file: all text, the best chunk, names defined, path. */
  readonly file: Float64Array;
  readonly best: Float64Array;
  readonly definitions: Float64Array;
  readonly paths: Float64Array;
}

/** Scores of all chunks and files in all fields. */
export function scoreFields(index: RepoIndex, lengths: FieldLengths, terms: readonly QueryTerm[]): FieldScores {
  const count = index.files.length;
  const chunk = new Float64Array(index.fileOf.length);
  const file = new Float64Array(count);
  const definitions = new Float64Array(count);
  const paths = new Float64Array(count);
  for (const { id, weight } of terms) {
    addChunks(index.text, id, weight, lengths.chunk, chunk);
    addFiles(index, index.text, id, weight, lengths.file, file);
    addFiles(index, index.definitions, id, weight, lengths.definitions, definitions);
    addChunks(index.paths, id, weight, lengths.paths, paths);
  }
  const top = new Float64Array(count);
  for (let c = 0; c < chunk.length; c++) {
    const f = index.fileOf[c] as number;
    if ((chunk[c] as number) > (top[f] as number)) top[f] = chunk[c] as number;
  }
  return { chunk, file, best: top, definitions, paths };
}

function addChunks(postings: Postings, id: number, weight: number, lengths: Float64Array, into: Float64Array): void {
  const { starts, docs, counts } = postings;
  const end = starts[id + 1] as number;
  const worth = weight * idf(lengths.length, end - (starts[id] as number));
  for (let i = starts[id] as number; i < end; i++) {
    const doc = docs[i] as number;
    into[doc] = (into[doc] as number) + worth * saturate(counts[i] as number, lengths[doc] as number, plain.k1);
  }
}

/** The chunks of a file stand together in the postings, so its count is a sum over neighbours. */
function addFiles(
  index: RepoIndex,
  { starts, docs, counts }: Postings,
  id: number,
  weight: number,
  lengths: Float64Array,
  into: Float64Array,
): void {
  const { fileOf } = index;
  const begin = starts[id] as number;
  const end = starts[id + 1] as number;
  let files = 0;
  let before = -1;
  for (let i = begin; i < end; i++) {
    const file = fileOf[docs[i] as number] as number;
    if (file !== before) files++;
    before = file;
  }
  const worth = weight * idf(lengths.length, files);
  for (let i = begin; i < end; ) {
    const file = fileOf[docs[i] as number] as number;
    let count = 0;
    for (; i < end && fileOf[docs[i] as number] === file; i++) count += counts[i] as number;
    into[file] = (into[file] as number) + worth * saturate(count, lengths[file] as number, plain.k1);
  }
}
