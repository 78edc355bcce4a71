// The index of one commit of a repository, in memory. It holds where things are and which terms they hold, never the text: whoever
// shows a chunk reads its lines from that commit.
import type { Chunk, ChunkedFile } from './chunk.ts';
import { factsOf, type FileFacts } from './facts.ts';
import type { Graph } from './graph.ts';
import type { Outliner } from './outline.ts';
import { emptyPostings, invert, mergePostings, type Postings } from './postings.ts';
import { type Counted, createTermTable } from './terms.ts';

export interface IndexedFile extends ChunkedFile {
  readonly path: string;
}

export interface RepoIndex {
  /** Ascending by UTF-16 code units, each in some postings. */
  readonly terms: readonly string[];
  /** Ascending by path. */
  readonly files: readonly IndexedFile[];
  /** Chunks of file f have the numbers firstChunk[f] to firstChunk[f + 1] - 1. */
  readonly firstChunk: Uint32Array;
  readonly fileOf: Uint32Array;
  /** Terms in each chunk. */
  readonly lengths: Uint32Array;
  /** Terms by chunk: in its text, in the names it defines, and those that are the whole of such a name. */
  readonly text: Postings;
  readonly definitions: Postings;
  readonly names: Postings;
  /** Terms by file: in its path. */
  readonly paths: Postings;
  /** How its files hang together, where somebody has found that out: a stored index has it. */
  readonly graph?: Graph;
}

/** A file as it is now; without bytes it is gone. */
export interface Change {
  readonly path: string;
  readonly bytes?: Uint8Array | undefined;
}

/** The index of nothing, from which every other one is made. */
export const emptyIndex: RepoIndex = {
  terms: [],
  files: [],
  firstChunk: new Uint32Array(1),
  fileOf: new Uint32Array(0),
  lengths: new Uint32Array(0),
  text: emptyPostings(0),
  definitions: emptyPostings(0),
  names: emptyPostings(0),
  paths: emptyPostings(0),
};

/** The index of the files. Of two changes with one path the last counts. */
export function indexFiles(files: Iterable<Change>, outliner: Outliner): RepoIndex {
  return updateIndex(emptyIndex, files, outliner);
}

/** The index after the changes: the same, byte for byte, as one made of all files anew. Work grows with the changes, plus one pass. */
export function updateIndex(old: RepoIndex, changes: Iterable<Change>, outliner: Outliner): RepoIndex {
  const table = createTermTable(old.terms);
  const changed = new Map<string, FileFacts | undefined>();
  for (const { path, bytes } of changes) {
    changed.set(path, bytes === undefined ? undefined : factsOf(path, bytes, outliner, table));
  }
  const layout = layOut(old, changed);
  const count = table.terms.length;
  const chunkDocs = (of: (facts: FileFacts) => readonly Counted[]): Postings =>
    invert(
      count,
      layout.fresh.flatMap(({ facts, firstChunk }) => of(facts).map((c, i) => [firstChunk + i, c] as const)),
    );
  const fresh = {
    text: chunkDocs((facts) => facts.text),
    definitions: chunkDocs((facts) => facts.definitions),
    names: chunkDocs((facts) => facts.names),
    paths: invert(
      count,
      layout.fresh.map(({ facts, file }) => [file, facts.words] as const),
    ),
  };
  const order = termOrder(old, table.terms, layout, fresh);
  const terms = Array.from(order, (id) => table.terms[id] as string);
  const { files, firstChunk, fileOf, lengths, chunkMap, fileMap } = layout;
  return {
    terms,
    files,
    firstChunk,
    fileOf,
    lengths,
    text: mergePostings(order, old.text, chunkMap, fresh.text),
    definitions: mergePostings(order, old.definitions, chunkMap, fresh.definitions),
    names: mergePostings(order, old.names, chunkMap, fresh.names),
    paths: mergePostings(order, old.paths, fileMap, fresh.paths),
  };
}

type Fields = Pick<RepoIndex, 'text' | 'definitions' | 'names' | 'paths'>;

interface Layout extends Pick<RepoIndex, 'files' | 'firstChunk' | 'fileOf' | 'lengths'> {
  /** New numbers of old chunks and files; -1 for those that are gone. */
  readonly chunkMap: Int32Array;
  readonly fileMap: Int32Array;
  readonly fresh: readonly { readonly facts: FileFacts; readonly file: number; readonly firstChunk: number }[];
}

function layOut(old: RepoIndex, changed: ReadonlyMap<string, FileFacts | undefined>): Layout {
  const kept = old.files.flatMap((file, number) => (changed.has(file.path) ? [] : [{ file, number }]));
  const fresh = [...changed.values()].filter((facts) => facts !== undefined);
  const all = [
    ...kept.map(({ file, number }) => ({ path: file.path, file, number, facts: undefined })),
    ...fresh.map((facts) => ({ path: facts.path, file: indexed(facts), number: -1, facts })),
  ].sort((a, b) => (a.path < b.path ? -1 : 1));
  const chunks = all.reduce((sum, { file }) => sum + file.chunks.length, 0);
  const firstChunk = new Uint32Array(all.length + 1);
  const fileOf = new Uint32Array(chunks);
  const lengths = new Uint32Array(chunks);
  const chunkMap = new Int32Array(old.fileOf.length).fill(-1);
  const fileMap = new Int32Array(old.files.length).fill(-1);
  const placed: Layout['fresh'][number][] = [];
  let next = 0;
  for (const [number, { file, facts, number: before }] of all.entries()) {
    firstChunk[number] = next;
    if (facts === undefined) fileMap[before] = number;
    else placed.push({ facts, file: number, firstChunk: next });
    for (let i = 0; i < file.chunks.length; i++, next++) {
      fileOf[next] = number;
      const was = (old.firstChunk[before] ?? 0) + i;
      lengths[next] = facts === undefined ? (old.lengths[was] as number) : (facts.text[i] as Counted).length;
      if (facts === undefined) chunkMap[was] = next;
    }
  }
  firstChunk[all.length] = next;
  return { files: all.map(({ file }) => file), firstChunk, fileOf, lengths, chunkMap, fileMap, fresh: placed };
}

function indexed({ path, file }: FileFacts): IndexedFile {
  return { path, ...file };
}

/** Numbers of the terms that are still or newly in use, in the order of the terms. */
function termOrder(old: RepoIndex, terms: readonly string[], layout: Layout, fresh: Fields): Uint32Array {
  const fields = ['text', 'definitions', 'names', 'paths'] as const;
  const used = (id: number): boolean =>
    fields.some((field) => {
      if ((fresh[field].starts[id] as number) < (fresh[field].starts[id + 1] as number)) return true;
      if (id >= old.terms.length) return false;
      const { starts, docs } = old[field];
      const map = field === 'paths' ? layout.fileMap : layout.chunkMap;
      for (let i = starts[id] as number; i < (starts[id + 1] as number); i++) {
        if ((map[docs[i] as number] as number) >= 0) return true;
      }
      return false;
    });
  const added: number[] = [];
  for (let id = old.terms.length; id < terms.length; id++) if (used(id)) added.push(id);
  added.sort((a, b) => ((terms[a] as string) < (terms[b] as string) ? -1 : 1));
  const order = new Uint32Array(terms.length);
  let n = 0;
  let next = 0;
  for (let id = 0; id < old.terms.length; id++) {
    if (!used(id)) continue;
    for (; next < added.length && (terms[added[next] as number] as string) < (terms[id] as string); next++) {
      order[n++] = added[next] as number;
    }
    order[n++] = id;
  }
  for (; next < added.length; next++) order[n++] = added[next] as number;
  return order.slice(0, n);
}

/** The chunk of a number, with its file. */
export function chunkAt(index: RepoIndex, chunk: number): { readonly file: IndexedFile; readonly chunk: Chunk } {
  const number = index.fileOf[chunk] as number;
  const file = index.files[number] as IndexedFile;
  return { file, chunk: file.chunks[chunk - (index.firstChunk[number] as number)] as Chunk };
}
