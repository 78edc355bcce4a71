// Why something was found, in words: the heaviest terms of each field, the place that the question names, the meaning, the links.
import { idf } from './bm25.ts';
import type { Postings } from './postings.ts';
import type { IndexedFile, RepoIndex } from './repo-index.ts';
import type { Ranked } from './search.ts';

const MOST = 4;

/** Of a file, or of one of its chunks. */
export function reasonsOf(index: RepoIndex, ranked: Ranked, file: number, chunk?: number): string {
  const first = chunk ?? index.firstChunk[file] ?? 0;
  const end = chunk === undefined ? (index.firstChunk[file + 1] as number) : chunk + 1;
  const reasons: string[] = [];
  const named = ranked.mentions.filter((mention) => mention.file === file);
  if (named.length > 0) reasons.push(`the question names ${[...new Set(named.map(told))].slice(0, MOST).join(', ')}`);
  const defines = heaviest(index, ranked, index.definitions, first, end);
  if (defines.length > 0) reasons.push(`defines ${defines.join(', ')}`);
  const path = heaviest(index, ranked, index.paths, file, file + 1);
  if (path.length > 0) reasons.push(`path has ${path.join(', ')}`);
  const text = heaviest(index, ranked, index.text, first, end);
  if (text.length > 0) reasons.push(`text has ${text.join(', ')}`);
  const isNear = nearOne(ranked, first, end);
  if (isNear) reasons.push('its meaning is near');
  if ((ranked.linked[file] as number) > 0 && text.length + path.length + named.length === 0 && !isNear) {
    reasons.push('linked with what was found');
  }
  if (reasons.length === 0) reasons.push(`belongs to ${(index.files[file] as IndexedFile).path}`);
  return reasons.join('; ');
}

function nearOne({ near }: Ranked, first: number, end: number): boolean {
  for (let number = first; number < end && near.size > 0; number++) if (near.has(number)) return true;
  return false;
}

function told({ as, line }: { readonly as: string; readonly line: number }): string {
  return line > 0 ? `${as}:${line}` : as;
}

function heaviest(index: RepoIndex, ranked: Ranked, postings: Postings, first: number, end: number): string[] {
  const documents = postings === index.paths ? index.files.length : index.fileOf.length;
  const found: { readonly term: string; readonly weight: number }[] = [];
  for (const { id, weight } of ranked.terms) {
    const from = postings.starts[id] as number;
    const to = postings.starts[id + 1] as number;
    const at = lowerBound(postings.docs, from, to, first);
    if (at === to || (postings.docs[at] as number) >= end) continue;
    found.push({ term: index.terms[id] as string, weight: weight * idf(documents, to - from) });
  }
  found.sort((a, b) => b.weight - a.weight || (a.term < b.term ? -1 : 1));
  return found.slice(0, MOST).map(({ term }) => term);
}

function lowerBound(docs: Uint32Array, from: number, to: number, least: number): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((docs[middle] as number) < least) low = middle + 1;
    else high = middle;
  }
  return low;
}
