// Lines of a file, by bytes: a line ends with its line feed, the last one with the file. A chunk is whole lines, so its bytes are
// a slice of the file's, whatever the encoding and the ends of lines.
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';

/** Why a file has no chunks. */
export type Skipped = 'binary' | 'too_large' | 'long_line';

/** Bytes of the largest file that is indexed. */
export const MAX_FILE_BYTES = 1024 * 1024;

/** Bytes of the longest line of a file that is indexed: beyond that it is data or minified, and no line range points at anything. */
export const MAX_LINE_BYTES = 16 * 1024;

/** Where each line begins, and one more: the end of the file. An empty file has no line. */
export function lineStarts(bytes: Uint8Array): Uint32Array {
  let count = 0;
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) count++;
  const open = bytes.length > 0 && bytes[bytes.length - 1] !== 10 ? 1 : 0;
  const starts = new Uint32Array(count + open + 1);
  let line = 1;
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) starts[line++] = at + 1;
  starts[count + open] = bytes.length;
  return starts;
}

/** Whether the file is left out, and why. A NUL byte makes it binary: no text that anybody searches holds one. */
export function skipReason(bytes: Uint8Array, starts: Uint32Array): Skipped | undefined {
  if (bytes.length > MAX_FILE_BYTES) return 'too_large';
  if (bytes.includes(0)) return 'binary';
  for (let i = 1; i < starts.length; i++) {
    if ((starts[i] as number) - (starts[i - 1] as number) > MAX_LINE_BYTES) return 'long_line';
  }
  return undefined;
}

/** The first 128 bits of the bytes' SHA-256, in hex: what a file is kept by, and how bytes at hand are known to be those that were indexed. */
export function fingerprint(bytes: Uint8Array): string {
  return bytesToHex(sha256(bytes).subarray(0, 16));
}
