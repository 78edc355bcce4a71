// How large a command is as the JSON text that Redis over REST takes, and how a text is cut so that a part fits into a request.
import type { Arg } from './redis.ts';

const encoder = new TextEncoder();

/** Bytes of a command, or of arguments of one, as a JSON list of strings in UTF-8, give or take a comma. */
export function requestBytes(parts: readonly Arg[]): number {
  let bytes = 2;
  for (const part of parts) bytes += 1 + encoder.encode(JSON.stringify(String(part))).length;
  return bytes;
}

/** Where a part of `text` from `start` on has to end so that it takes at most `room` bytes of JSON; characters stay whole. */
export function cutAt(text: string, start: number, room: number): number {
  let left = room;
  for (let at = start; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit < 0x80) left -= unit >= 0x20 ? (unit === 0x22 || unit === 0x5c ? 2 : 1) : 6;
    else if (unit < 0x800) left -= 2;
    else if (unit < 0xd800 || unit > 0xdfff) left -= 3;
    else if (isPair(unit, text.charCodeAt(at + 1))) {
      left -= 4;
      if (left < 0) return at;
      at++;
    } else left -= 6; // half a pair is escaped
    if (left < 0) return at;
  }
  return text.length;
}

function isPair(high: number, low: number): boolean {
  return high < 0xdc00 && low >= 0xdc00 && low <= 0xdfff;
}
