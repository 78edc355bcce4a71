// What an index takes from one file: its chunks, and for each the terms of its text and of the names it defines.
import { type ChunkedFile, chunkFile, textOf } from './chunk.ts';
import type { Outliner } from './outline.ts';
import type { Counted, TermTable } from './terms.ts';

export interface FileFacts {
  readonly path: string;
  readonly file: ChunkedFile;
  /** Terms of the path. */
  readonly words: Counted;
  /** For each chunk. */
  readonly text: readonly Counted[];
  readonly definitions: readonly Counted[];
  /** Whole names that a chunk defines, each once. */
  readonly names: readonly Counted[];
}

/** Reads one file. The same path and bytes give the same facts, but for the numbers of the terms, which are the table's. */
export function factsOf(path: string, bytes: Uint8Array, outliner: Outliner, table: TermTable): FileFacts {
  const file = chunkFile(path, bytes, outliner);
  const names = file.chunks.map(({ definitions }) => definitions.map(({ name }) => name));
  return {
    path,
    file,
    words: table.count(path),
    text: file.chunks.map(({ start, end }) => table.count(textOf(bytes, start, end))),
    definitions: names.map((list) => table.count(list.join(' '))),
    names: names.map((list) => wholes(list, table)),
  };
}

function wholes(names: readonly string[], table: TermTable): Counted {
  const found = new Set<number>();
  for (const name of names) {
    // A heading is a sentence and not a name that others refer to.
    const id = /\s/.test(name) ? undefined : table.whole(name);
    if (id !== undefined) found.add(id);
  }
  return { ids: Uint32Array.from(found), counts: new Uint8Array(found.size).fill(1), length: found.size };
}
