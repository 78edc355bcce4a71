// Lists what is below a folder by walking it. Links are told and never followed; folders that the candidates refuse are not entered.
import { type Dirent, opendirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { Breather } from './breather.ts';
import type { Candidates, Kind } from './candidates.ts';
import type { Skipped } from './skipped.ts';

export interface WalkOptions {
  /** A real path. */
  readonly root: string;
  readonly candidates: Candidates;
  readonly skipped: Skipped;
  readonly breather: Breather;
}

/** Hands every name to the candidates. Throws what they throw, and when the root itself cannot be listed. */
export async function walk({ root, candidates, skipped, breather }: WalkOptions): Promise<void> {
  const waiting = [''];
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    const full = join(root, folder);
    let dir: ReturnType<typeof opendirSync>;
    try {
      dir = opendirSync(full, { encoding: 'buffer' as BufferEncoding, bufferSize: 512 });
    } catch (error) {
      if (folder === '' || !(error instanceof Error && 'code' in error)) throw error;
      skipped.add(`${folder}/`, 'unreadable');
      continue;
    }
    try {
      // It may have become a link since it was listed as a folder.
      if (realPath(full) !== full) {
        skipped.add(`${folder}/`, 'symlink');
        continue;
      }
      for (let entry = dir.readSync(); entry !== null; entry = dir.readSync()) {
        await breather.pause();
        const kind = kindOf(entry);
        const name = entry.name as unknown as Uint8Array; // what the encoding `buffer` gives; the types do not know it
        const inner = candidates.take(name, folder, () => kind);
        if (inner !== undefined) waiting.push(inner);
      }
    } finally {
      dir.closeSync();
    }
  }
}

function kindOf(entry: Dirent): Kind {
  if (entry.isFile()) return 'file';
  if (entry.isDirectory()) return 'folder';
  return entry.isSymbolicLink() ? 'symlink' : 'not_a_file';
}

/** Undefined when it is gone. */
function realPath(path: string): string | undefined {
  try {
    return realpathSync.native(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error) return undefined;
    throw error;
  }
}
