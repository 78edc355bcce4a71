// How files hang together: who imports whom, and who mentions a name that another defines. Both are read off the index.
import { createResolver } from './imports.ts';
import type { RepoIndex } from './repo-index.ts';

/** Edges out of file f are targets[starts[f]] to targets[starts[f + 1] - 1]; the weights of each file's edges sum up to 1. */
export interface Graph {
  readonly starts: Uint32Array;
  readonly targets: Uint32Array;
  readonly weights: Float32Array;
}

/** A name that more files define says nothing about which one is meant, and one that more files mention is a common word. */
const MAX_DEFINERS = 3;
const MAX_MENTIONS = 40;
const MIN_NAME = 4;

/** An import is said, a name is guessed; and he who uses something is a weaker hint than what he uses. */
const IMPORT = 1;
const MENTION = 0.5;
const BACKWARDS = 0.5;

/** The graph of an index. */
export function graphOf(index: RepoIndex): Graph {
  const count = index.files.length;
  const edges = Array.from({ length: count }, () => new Map<number, number>());
  const link = (from: number, to: number, weight: number): void => {
    if (from === to) return;
    add(edges[from] as Map<number, number>, to, weight);
    add(edges[to] as Map<number, number>, from, weight * BACKWARDS);
  };
  const resolve = createResolver(index.files.map(({ path }) => path));
  for (const [from, { path, imports }] of index.files.entries()) {
    for (const specifier of imports) {
      const to = resolve(path, specifier);
      if (to >= 0) link(from, to, IMPORT);
    }
  }
  for (let t = 0; t < index.terms.length; t++) linkMentions(index, t, link);
  return flat(edges);
}

function add(edges: Map<number, number>, to: number, weight: number): void {
  edges.set(to, (edges.get(to) ?? 0) + weight);
}

function linkMentions(index: RepoIndex, term: number, link: (from: number, to: number, weight: number) => void): void {
  if (index.names.starts[term] === index.names.starts[term + 1]) return;
  if ((index.terms[term] as string).length < MIN_NAME) return;
  const definers = filesWith(index, 'names', term, MAX_DEFINERS);
  const mentions = filesWith(index, 'text', term, MAX_MENTIONS);
  if (definers === undefined || mentions === undefined) return;
  for (const from of mentions) {
    if (definers.includes(from)) continue;
    for (const to of definers) link(from, to, MENTION / definers.length);
  }
}

/** The files with a term, ascending; undefined when they are more than `most`. */
function filesWith(index: RepoIndex, field: 'names' | 'text', term: number, most: number): number[] | undefined {
  const { starts, docs } = index[field];
  const files: number[] = [];
  for (let i = starts[term] as number; i < (starts[term + 1] as number); i++) {
    const file = index.fileOf[docs[i] as number] as number;
    if (files.at(-1) === file) continue;
    if (files.length === most) return undefined;
    files.push(file);
  }
  return files;
}

function flat(edges: readonly ReadonlyMap<number, number>[]): Graph {
  const starts = new Uint32Array(edges.length + 1);
  for (const [from, out] of edges.entries()) starts[from + 1] = (starts[from] as number) + out.size;
  const targets = new Uint32Array(starts[edges.length] as number);
  const weights = new Float32Array(targets.length);
  for (const [from, out] of edges.entries()) {
    let at = starts[from] as number;
    const sum = [...out.values()].reduce((a, b) => a + b, 0);
    for (const [to, weight] of [...out].sort((a, b) => a[0] - b[0])) {
      targets[at] = to;
      weights[at++] = weight / sum;
    }
  }
  return { starts, targets, weights };
}
