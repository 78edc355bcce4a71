// From the archive of a scan to an index and the files that it names. It computes, so it runs in a thread (ingest.thread.ts).
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { decodeIndex, encodeIndex } from '#core/context/repo/blob.ts';
import { fingerprint } from '#core/context/repo/lines.ts';
import type { Outliner } from '#core/context/repo/outline.ts';
import { type Change, emptyIndex, type RepoIndex, updateIndex } from '#core/context/repo/repo-index.ts';
import { scanLimits } from '../worker/repo/scanner.ts';
import { untar } from '../worker/repo/untar.ts';

export interface Indexed {
  readonly blob: Uint8Array;
  /** Of the files and their paths: the same files, the same digest. */
  readonly digest: string;
  readonly files: number;
  readonly chunks: number;
  readonly changed: number;
  /** By fingerprint: files that have chunks. */
  readonly contents: ReadonlyMap<string, Uint8Array>;
}

const limits = {
  entries: 4 * scanLimits.maxFiles,
  nameBytes: 32 * 2 ** 20,
  inflatedBytes: scanLimits.maxTotalBytes + 4 * 1024 * scanLimits.maxFiles,
  ratio: 200,
  ratioFrom: 8 * 2 ** 20,
};

/** `old`: the index of an earlier commit, if there is one that can be read. Throws CortexError that names `archive_ptr`. */
export async function indexArchive(
  archive: Uint8Array,
  old: Uint8Array | undefined,
  outliner: Outliner,
): Promise<Indexed> {
  const before = oldIndex(old);
  const known = new Map(before.files.map(({ path, fingerprint: print }) => [path, print]));
  const changes: Change[] = [];
  const contents = new Map<string, Uint8Array>();
  const prints: string[] = [];
  await untar(archive, limits, async ({ path }, read) => {
    const bytes = (await read()).slice();
    const print = fingerprint(bytes);
    prints.push(`${path}\0${print}\n`);
    if (known.get(path) !== print) changes.push({ path, bytes });
    known.delete(path);
    contents.set(print, bytes);
  });
  for (const path of known.keys()) changes.push({ path });
  const index = updateIndex(before, changes, outliner);
  const named = new Set(index.files.flatMap(({ chunks, fingerprint: print }) => (chunks.length > 0 ? [print] : [])));
  for (const print of contents.keys()) if (!named.has(print)) contents.delete(print);
  return {
    blob: encodeIndex(index),
    digest: bytesToHex(sha256(utf8ToBytes(prints.toSorted().join(''))).subarray(0, 20)),
    files: index.files.length,
    chunks: index.fileOf.length,
    changed: changes.length,
    contents,
  };
}

/** One of another version, or a damaged one, is as good as none. */
function oldIndex(blob: Uint8Array | undefined): RepoIndex {
  if (blob === undefined) return emptyIndex;
  const decoded = decodeIndex(blob);
  return decoded.ok ? decoded.value : emptyIndex;
}
