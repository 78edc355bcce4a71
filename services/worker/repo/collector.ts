// What a scan keeps: each file once, into the list and into the archive, within the sum of bytes. Where the files come from is the sources'.
import { CortexError } from '#core/errors.ts';
import type { RepoFile } from '#core/protocol/repo-payloads.ts';
import type { Archive, ArchiveFile } from './archive.ts';
import { languageOf } from './languages.ts';

export interface Collector {
  /** Throws CortexError `out_of_range`. */
  add(file: ArchiveFile): Promise<void>;
  readonly files: readonly RepoFile[];
}

/** `field` is what an error is about. */
export function createCollector(archive: Archive, maxBytes: number, field: string): Collector {
  const files: RepoFile[] = [];
  let total = 0;
  return {
    files,
    async add(file) {
      const { path, bytes } = file;
      total += bytes.length;
      if (total > maxBytes) {
        const problem = `${field}: the files have more than ${maxBytes} bytes together; include fewer`;
        throw new CortexError('out_of_range', problem, { field });
      }
      await archive.add(file);
      // As the original counts: an empty file has one line.
      files.push({
        path,
        language: languageOf(path),
        bytes: bytes.length,
        loc: newlines(bytes) + 1,
        recent_commits: 0,
      });
    },
  };
}

function newlines(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) count++;
  return count;
}
