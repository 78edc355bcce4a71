// Clock, timers and ids as ports, so that decisions take them as arguments and tests step them.

export interface Clock {
  /** Wall clock, ms since the epoch. */
  now(): number;
  /** A clock that never goes back, in ms; only differences mean anything. */
  monotonic(): number;
  /** Calls `run` once after `ms`; the answer cancels it. Never keeps a process alive by itself. */
  after(ms: number, run: () => void): () => void;
}

export interface Ids {
  /** A UUIDv7 whose last two hex digits name the partition (0 to 255). Later ones are greater, so that lists keep the order. */
  job(partition?: number): string;
  /** A random v4 UUID: traces, instances, attempts. */
  random(): string;
}

/** The real clock. Timers are unreferenced where the runtime knows that word. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    (timer as { unref?: () => unknown }).unref?.();
    return () => clearTimeout(timer);
  },
};

/** RFC 9562 version 7: 48 bits of ms, 12 bits of `sequence`, then random; the last byte is given over to the partition. */
export function uuidv7(now: number, sequence: number, random: Uint8Array, partition: number): string {
  const b = new Uint8Array(16);
  b.set(random.subarray(0, 16));
  let ms = now;
  for (let i = 5; i >= 0; i--) {
    b[i] = ms % 256;
    ms = Math.floor(ms / 256);
  }
  b[6] = 0x70 | (sequence >> 8);
  b[7] = sequence & 0xff;
  b[8] = 0x80 | ((b[8] ?? 0) & 0x3f);
  b[15] = partition;
  let hex = '';
  for (const byte of b) hex += (byte + 256).toString(16).slice(1);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** Ids from the runtime's own random source. */
export function systemIds(clock: Clock = systemClock): Ids {
  // Random bytes are asked for by the page: a call costs as much as the id itself.
  const pool = new Uint8Array(4096);
  let used = pool.length;
  const random = (): Uint8Array => {
    if (used === pool.length) {
      crypto.getRandomValues(pool);
      used = 0;
    }
    used += 16;
    return pool.subarray(used - 16, used);
  };
  // RFC 9562, 6.2, method 1: within a ms (or while the clock is behind) a counter goes on from a random start, and runs over into the ms.
  let ms = 0;
  let sequence = 0;
  return {
    job(partition = 0) {
      const bytes = random();
      const now = clock.now();
      if (now > ms) {
        ms = now;
        sequence = ((bytes[6] ?? 0) & 0x07) * 256 + (bytes[7] ?? 0);
      } else if (++sequence === 0x1000) {
        ms++;
        sequence = 0;
      }
      return uuidv7(ms, sequence, bytes, partition);
    },
    random: () => crypto.randomUUID(),
  };
}
