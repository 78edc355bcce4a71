// Postings: for each term the documents that hold it, and how often, in three flat arrays.
import type { Counted } from './terms.ts';

export interface Postings {
  /** Term t stands in documents starts[t] to starts[t + 1] - 1. */
  readonly starts: Uint32Array;
  /** Ascending for each term. */
  readonly docs: Uint32Array;
  readonly counts: Uint8Array;
}

/** Of no document. */
export function emptyPostings(terms: number): Postings {
  return { starts: new Uint32Array(terms + 1), docs: new Uint32Array(0), counts: new Uint8Array(0) };
}

/** Turns documents into postings. `documents` come in ascending order of their numbers. */
export function invert(terms: number, documents: readonly (readonly [number, Counted])[]): Postings {
  const starts = new Uint32Array(terms + 1);
  for (const [, { ids }] of documents) {
    for (const id of ids) starts[id + 1] = (starts[id + 1] as number) + 1;
  }
  for (let t = 0; t < terms; t++) starts[t + 1] = (starts[t + 1] as number) + (starts[t] as number);
  const next = starts.slice();
  const docs = new Uint32Array(starts[terms] as number);
  const counts = new Uint8Array(docs.length);
  for (const [doc, { ids, counts: times }] of documents) {
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i] as number;
      const at = next[id] as number;
      docs[at] = doc;
      counts[at] = times[i] as number;
      next[id] = at + 1;
    }
  }
  return { starts, docs, counts };
}

/** Postings of `order`'s terms from two sources: the old ones with their documents renumbered (-1: gone), and fresh ones. */
export function mergePostings(order: Uint32Array, old: Postings, renumber: Int32Array, fresh: Postings): Postings {
  const most = old.docs.length + fresh.docs.length;
  const docs = new Uint32Array(most);
  const counts = new Uint8Array(most);
  const starts = new Uint32Array(order.length + 1);
  let n = 0;
  for (let t = 0; t < order.length; t++) {
    const id = order[t] as number;
    let a = id + 1 < old.starts.length ? (old.starts[id] as number) : 0;
    const aEnd = id + 1 < old.starts.length ? (old.starts[id + 1] as number) : 0;
    let b = fresh.starts[id] as number;
    const bEnd = fresh.starts[id + 1] as number;
    for (; a < aEnd; a++) {
      const doc = renumber[old.docs[a] as number] as number;
      if (doc < 0) continue;
      for (; b < bEnd && (fresh.docs[b] as number) < doc; b++) {
        docs[n] = fresh.docs[b] as number;
        counts[n++] = fresh.counts[b] as number;
      }
      docs[n] = doc;
      counts[n++] = old.counts[a] as number;
    }
    for (; b < bEnd; b++) {
      docs[n] = fresh.docs[b] as number;
      counts[n++] = fresh.counts[b] as number;
    }
    starts[t + 1] = n;
  }
  return { starts, docs: docs.slice(0, n), counts: counts.slice(0, n) };
}
