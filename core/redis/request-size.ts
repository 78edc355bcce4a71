// How large a command is as the JSON text that Redis over REST takes, and how a text is cut so that a part fits into a request.
import type { Arg } from './redis.ts';

/** Bytes of a command, or of arguments of one, as a JSON list of strings in UTF-8. */
export function requestBytes(parts: readonly Arg[]): number {
  let bytes = 2;
  for (const part of parts) bytes += (typeof part === 'number' ? String(part).length : jsonBytes(part)) + 3;
  return bytes;
}

/** Where a part of `text` from `start` on has to end so that it takes at most `room` bytes of JSON; characters stay whole. */
export function cutAt(text: string, start: number, room: number): number {
  let bytes = 0;
  let at = start;
  while (at < text.length) {
    bytes += bytesOf(text, at);
    if (bytes > room) break;
    at += isPair(text, at) ? 2 : 1;
  }
  return at;
}

/** Bytes of a text inside quotes. */
function jsonBytes(text: string): number {
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    bytes += bytesOf(text, i);
    if (isPair(text, i)) i++;
  }
  return bytes;
}

function bytesOf(text: string, i: number): number {
  const unit = text.charCodeAt(i);
  if (unit < 0x20) return unit === 0x0a || unit === 0x0d || unit === 0x09 || unit === 0x08 || unit === 0x0c ? 2 : 6;
  if (unit < 0x80) return unit === 0x22 || unit === 0x5c ? 2 : 1;
  if (unit < 0x800) return 2;
  if (unit < 0xd800 || unit > 0xdfff) return 3;
  return isPair(text, i) ? 4 : 6; // half a pair is escaped
}

function isPair(text: string, i: number): boolean {
  const [high, low] = [text.charCodeAt(i), text.charCodeAt(i + 1)];
  return high >= 0xd800 && high < 0xdc00 && low >= 0xdc00 && low < 0xe000;
}
