// Reads a stream of chunks by counts and lines, holding no more than was asked for and one chunk.

export interface ByteReader {
  /** Exactly `count` bytes; undefined when the stream ends before. They are valid until the next call. */
  read(count: number): Promise<Uint8Array | undefined>;
  /** Passes over `count` bytes; false when the stream ends before. */
  skip(count: number): Promise<boolean>;
  /** The bytes before the next `end`, which is passed over; undefined when there are more than `max`, or the stream ends before. */
  until(end: number, max: number): Promise<Uint8Array | undefined>;
}

export function createByteReader(stream: AsyncIterable<Uint8Array>): ByteReader {
  const chunks = stream[Symbol.asyncIterator]();
  let rest: Uint8Array = new Uint8Array(0);

  /** False at the end. */
  const more = async (): Promise<boolean> => {
    const next = await chunks.next();
    if (next.done === true) return false;
    rest = next.value;
    return true;
  };
  const take = (count: number): Uint8Array => {
    const taken = rest.subarray(0, count);
    rest = rest.subarray(count);
    return taken;
  };

  return {
    async read(count) {
      if (rest.length >= count) return take(count);
      const whole = new Uint8Array(count);
      for (let at = 0; at < count; ) {
        if (rest.length === 0 && !(await more())) return undefined;
        const part = take(count - at);
        whole.set(part, at);
        at += part.length;
      }
      return whole;
    },
    async skip(count) {
      for (let left = count; left > 0; ) {
        if (rest.length === 0 && !(await more())) return false;
        left -= take(left).length;
      }
      return true;
    },
    async until(end, max) {
      const parts: Uint8Array[] = [];
      let size = 0;
      for (;;) {
        const at = rest.indexOf(end);
        const part = at < 0 ? take(rest.length) : take(at);
        parts.push(part);
        size += part.length;
        if (size > max) return undefined;
        if (at >= 0) {
          take(1);
          return parts.length === 1 ? part : Buffer.concat(parts);
        }
        if (!(await more())) return undefined;
      }
    },
  };
}
