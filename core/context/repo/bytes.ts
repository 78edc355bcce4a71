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
  /** Pairs of hex digits, as bytes. */
  hex(value: string): void;
  /** Four bytes each. */
  floats(values: Float32Array): void;
  /** Bytes as they are. */
  append(bytes: Uint8Array): void;
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
    hex(value) {
      room(value.length / 2);
      for (let i = 0; i < value.length; i += 2) buffer[at++] = Number.parseInt(value.slice(i, i + 2), 16);
    },
    floats(values) {
      room(values.length * 4);
      const view = new DataView(buffer.buffer);
      for (const value of values) {
        view.setFloat32(at, value, true);
        at += 4;
      }
    },
    append(bytes) {
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
  /** So many bytes as hex digits. */
  hex(bytes: number): string;
  floats(count: number): Float32Array;
  /**
   * Numbers that grow, each as its gap to the one before, doubled, plus 1 if a count follows; below `bound`. They and their counts are put at
   * `first` and behind it. In one loop, because an index has a million of them.
   */
  gaps(into: Uint32Array, counts: Uint8Array, first: number, end: number, bound: number): void;
  /** Everything that was not read yet, without a copy. */
  rest(): Uint8Array;
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
    hex(length) {
      if (length > bytes.length - at) throw corrupt('it ends too early');
      let text = '';
      for (let i = 0; i < length; i++) text += hexOf[bytes[at++] as number] as string;
      return text;
    },
    floats(length) {
      if (length * 4 > bytes.length - at) throw corrupt('it ends too early');
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      const values = new Float32Array(length);
      for (let i = 0; i < length; i++, at += 4) values[i] = view.getFloat32(at, true);
      return values;
    },
    gaps(into, counts, first, end, bound) {
      let before = -1;
      for (let n = first; n < end; n++) {
        let posting = bytes[at] ?? 128;
        if (posting < 128) at++;
        else posting = number();
        before += (posting >>> 1) + 1;
        if (before >= bound) throw corrupt('something is where nothing is');
        into[n] = before;
        const count = (posting & 1) === 1 ? number() : 1;
        if (count < 1 || count > 255) throw corrupt('a count is out of range');
        counts[n] = count;
      }
    },
    rest() {
      const left = bytes.subarray(at);
      at = bytes.length;
      return left;
    },
    end() {
      if (at !== bytes.length) throw corrupt('something follows its end');
    },
  };
}

const hexOf = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** Of each byte, and of each with one, two and three zero bytes behind it. */
const tables = [0, 1, 2, 3].map(() => new Uint32Array(256));
for (let i = 0; i < 256; i++) {
  let c = i;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  (tables[0] as Uint32Array)[i] = c;
}
for (const [n, table] of tables.entries()) {
  const before = tables[n - 1];
  const first = tables[0] as Uint32Array;
  if (before === undefined) continue;
  for (let i = 0; i < 256; i++) {
    const c = before[i] as number;
    table[i] = (c >>> 8) ^ (first[c & 255] as number);
  }
}

/** CRC-32 as in zip and PNG, four bytes at a time (Kounavis and Berry 2005, "slicing"). */
export function crc32(bytes: Uint8Array): number {
  const [t0, t1, t2, t3] = tables as [Uint32Array, Uint32Array, Uint32Array, Uint32Array];
  let crc = 0xffffffff;
  let i = 0;
  for (const end = bytes.length - 3; i < end; i += 4) {
    crc ^=
      (bytes[i] as number) |
      ((bytes[i + 1] as number) << 8) |
      ((bytes[i + 2] as number) << 16) |
      ((bytes[i + 3] as number) << 24);
    crc =
      (t3[crc & 255] as number) ^
      (t2[(crc >>> 8) & 255] as number) ^
      (t1[(crc >>> 16) & 255] as number) ^
      (t0[crc >>> 24] as number);
  }
  for (; i < bytes.length; i++) crc = (crc >>> 8) ^ (t0[(crc ^ (bytes[i] as number)) & 255] as number);
  return (crc ^ 0xffffffff) >>> 0;
}
