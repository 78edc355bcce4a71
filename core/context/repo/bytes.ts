// Numbers and texts as bytes and back. Reading never trusts a length: what is said to follow must be there before room is made for it.
import { CortexError } from '#core/errors.ts';

/** The blob is not what an encoder wrote. */
export function corrupt(problem: string): CortexError {
  return new CortexError('data_loss', `repository index: ${problem}`);
}

export interface ByteWriter {
  /** Up to 2^32 - 1, in 7 bits a byte, the lowest first. */
  number(value: number): void;
  text(value: string): void;
  /** What was written so far, without a copy. */
  bytes(): Uint8Array;
}

const encoder = new TextEncoder();

export function createByteWriter(): ByteWriter {
  let buffer = new Uint8Array(64 * 1024);
  let at = 0;
  const room = (bytes: number): void => {
    if (at + bytes <= buffer.length) return;
    const larger = new Uint8Array(Math.max(buffer.length * 2, at + bytes));
    larger.set(buffer);
    buffer = larger;
  };
  const number = (value: number): void => {
    if (at + 5 > buffer.length) room(5);
    let rest = value;
    while (rest > 127) {
      buffer[at++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    buffer[at++] = rest;
  };
  return {
    number,
    text(value) {
      const bytes = encoder.encode(value);
      number(bytes.length);
      room(bytes.length);
      buffer.set(bytes, at);
      at += bytes.length;
    },
    bytes: () => buffer.subarray(0, at),
  };
}

export interface ByteReader {
  number(): number;
  /** A number that so many things follow of at least one byte each: refused when so many bytes are not there. */
  count(): number;
  text(): string;
  /** Throws unless everything was read. */
  end(): void;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Throws `data_loss` for whatever an encoder would not have written. */
export function createByteReader(bytes: Uint8Array): ByteReader {
  let at = 0;
  const number = (): number => {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined) throw corrupt('it ends too early');
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) {
        if (value > 0xffffffff) break;
        return value;
      }
    }
    throw corrupt('a number is too large');
  };
  const count = (): number => {
    const value = number();
    if (value > bytes.length - at) throw corrupt('it names more than it holds');
    return value;
  };
  return {
    number,
    count,
    text() {
      const length = count();
      at += length;
      try {
        return decoder.decode(bytes.subarray(at - length, at));
      } catch (error) {
        throw new CortexError('data_loss', 'repository index: a text is not UTF-8', { cause: error });
      }
    },
    end() {
      if (at !== bytes.length) throw corrupt('something follows its end');
    },
  };
}

const table = Uint32Array.from({ length: 256 }, (_, i) => {
  let c = i;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  return c;
});

/** CRC-32 as in zip and PNG. */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) {
    crc = (crc >>> 8) ^ (table[(crc ^ (bytes[i] as number)) & 255] as number);
  }
  return (crc ^ 0xffffffff) >>> 0;
}
