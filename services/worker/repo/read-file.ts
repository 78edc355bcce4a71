// Reads one file of a repository, and only that: never through a link, never a pipe or a device, never more than the limit. The tree may
// change while it is read, so what counts is where the opened file really is, not what a look before said.
import { closeSync, constants, fstatSync, lstatSync, openSync, readlinkSync, readSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { SkipReason } from './skipped.ts';

export type FileRead =
  | { readonly bytes: Uint8Array; readonly executable: boolean }
  | {
      readonly skip: Exclude<SkipReason, 'excluded' | 'excluded_folder' | 'not_included' | 'ignored' | 'invalid_name'>;
    };

export interface ReadFileOptions {
  /** The real path of the repository. */
  readonly root: string;
  readonly maxBytes: number;
}

const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;

/** How much of a file is searched for a NUL, as git does it. */
const binaryWindow = 8000;

/** Whether a file is no text, by git's rule: a NUL near its beginning. */
export function isBinary(bytes: Uint8Array): boolean {
  return bytes.subarray(0, binaryWindow).includes(0);
}

/** The file's bytes, or why it is left out. `path` is relative and holds no `..`. */
export function readInside(path: string, { root, maxBytes }: ReadFileOptions): FileRead {
  const full = join(root, path);
  let fd: number | undefined;
  try {
    const before = lstatSync(full);
    if (before.isSymbolicLink()) return { skip: 'symlink' };
    if (before.isDirectory()) return { skip: 'submodule' };
    if (!before.isFile()) return { skip: 'not_a_file' };
    if (before.size > maxBytes) return { skip: 'too_large' };
    fd = openSync(full, flags);
    const stat = fstatSync(fd);
    if (!stat.isFile()) return { skip: 'not_a_file' };
    if (placeOf(fd, full) !== full) return { skip: 'symlink' };
    const bytes = readUpTo(fd, stat.size, maxBytes);
    if (bytes === undefined) return { skip: 'too_large' };
    if (isBinary(bytes)) return { skip: 'binary' };
    return { bytes, executable: (stat.mode & constants.S_IXUSR) !== 0 };
  } catch (error) {
    return { skip: reasonOf(error) };
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Where an open file is. Linux knows it of the descriptor itself; elsewhere the path is resolved once more. */
function placeOf(fd: number, full: string): string {
  return process.platform === 'linux' ? readlinkSync(`/proc/self/fd/${fd}`) : realpathSync.native(full);
}

/** All bytes; undefined when there are more than `max`, whatever the size said. */
function readUpTo(fd: number, size: number, max: number): Uint8Array | undefined {
  let buffer = new Uint8Array(Math.min(size, max) + 1);
  let length = 0;
  for (;;) {
    const n = readSync(fd, buffer, length, buffer.length - length, null);
    if (n === 0) return buffer.subarray(0, length);
    length += n;
    if (length > max) return undefined;
    if (length === buffer.length) {
      const larger = new Uint8Array(Math.min(2 * length, max + 1));
      larger.set(buffer);
      buffer = larger;
    }
  }
}

function reasonOf(error: unknown): 'symlink' | 'missing' | 'unreadable' {
  if (!(error instanceof Error) || !('code' in error)) throw error;
  if (error.code === 'ELOOP') return 'symlink';
  return error.code === 'ENOENT' || error.code === 'ENOTDIR' ? 'missing' : 'unreadable';
}
