// Gathers the text that a handler gives out: one send under way at a time, everything that waited goes along, and the first word of a
// pause goes at once. A character is never cut: the first half of one waits for the second.
import type { Clock } from '#core/system.ts';

export interface OutputText {
  /** Bytes of UTF-8 before it. */
  readonly at: number;
  readonly text: string;
}

export interface OutputTexts {
  give(text: string): void;
  /** Sends what waits, and resolves when nothing is under way any more. */
  flush(): Promise<void>;
  /** Drops what waits. */
  close(): void;
}

export interface OutputOptions {
  readonly clock: Clock;
  /** Answers whether to go on: false ends the output. Must not reject. */
  readonly send: (text: OutputText) => Promise<boolean>;
  /** Of all text together; what is beyond is dropped. */
  readonly maxBytes: number;
  /** Called once, when the first text is dropped. */
  readonly onFull: () => void;
  /** Milliseconds between two sends. Default 40. */
  readonly gapMs?: number;
}

/** Characters of one send: a call to Redis takes in no more of one job at a time. */
const sendLength = 2 ** 16;

/** The text of one attempt. */
export function createOutput({ clock, send, maxBytes, onFull, gapMs = 40 }: OutputOptions): OutputTexts {
  let waiting = '';
  /** The first half of a character. */
  let half = '';
  let given = 0;
  let sent = 0;
  let underWay: Promise<void> | undefined;
  let cancelTimer: (() => void) | undefined;
  let lastAt = Number.NEGATIVE_INFINITY;
  let closed = false;
  let over = false;

  const go = (): void => {
    cancelTimer?.();
    cancelTimer = undefined;
    if (waiting === '') return;
    const end = endsInHalf(waiting.slice(0, sendLength)) ? sendLength - 1 : sendLength;
    const text = waiting.slice(0, end);
    waiting = waiting.slice(end);
    lastAt = clock.monotonic();
    underWay = send({ at: sent, text }).then((more) => {
      underWay = undefined;
      sent += utf8Length(text);
      if (!more) stop();
      if (!closed) plan();
    });
  };
  const plan = (): void => {
    if (waiting === '' || underWay !== undefined || cancelTimer !== undefined) return;
    const wait = lastAt + gapMs - clock.monotonic();
    if (wait <= 0) go();
    else cancelTimer = clock.after(wait, go);
  };
  const drain = async (): Promise<void> => {
    await underWay;
    if (waiting === '') return;
    go();
    await drain();
  };
  const stop = (): void => {
    over = true;
    waiting = half = '';
  };
  const add = (text: string): void => {
    const room = maxBytes - given;
    const kept = text.length * 3 <= room ? text : fitting(text, room);
    given += utf8Length(kept);
    waiting += kept;
    if (kept.length === text.length) return;
    over = true;
    onFull();
  };
  return {
    give(text) {
      if (closed || over || text === '') return;
      let whole = half + text;
      half = endsInHalf(whole) ? whole.slice(-1) : '';
      if (half !== '') whole = whole.slice(0, -1);
      add(whole.toWellFormed());
      plan();
    },
    async flush() {
      closed = true;
      if (half !== '' && !over) add(half.toWellFormed());
      half = '';
      await drain();
    },
    close() {
      closed = true;
      stop();
      cancelTimer?.();
      cancelTimer = undefined;
    },
  };
}

function endsInHalf(text: string): boolean {
  const last = text.charCodeAt(text.length - 1);
  return last >= 0xd800 && last < 0xdc00;
}

/** The most of a text that `room` bytes hold, whole characters. */
function fitting(text: string, room: number): string {
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(Math.max(0, room)));
  return text.slice(0, read);
}

/** Bytes of a text without halves of characters. */
function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x800 && (unit < 0xd800 || unit > 0xdfff)) bytes += 2;
    else if (unit >= 0x80) bytes += 1; // of each half of a character as well: two units, four bytes
  }
  return bytes;
}
