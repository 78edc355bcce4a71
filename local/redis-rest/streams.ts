// Subscriptions as server-sent events, in Upstash's form: `data: subscribe,CHANNEL,1`, then `data: message,CHANNEL,TEXT`. A stream ends
// when messages may have been missed, when its reader is too slow, and when the front stops; its client comes again.
import type { Backend } from './backend.ts';

/** Messages that a reader may be behind. */
const mostBehind = 1_000;

/** A line without meaning now and then shows that the reader is gone, ms. */
const pulseMs = 15_000;

export interface Streams {
  /** A stream of a channel's messages. Throws `unavailable`. */
  open(channel: string): Promise<ReadableStream<Uint8Array>>;
  readonly size: number;
  endAll(): void;
}

/** The streams of one front. */
export function createStreams(backend: Backend): Streams {
  const encoder = new TextEncoder();
  const open = new Set<() => void>();
  return {
    get size() {
      return open.size;
    },
    async open(channel) {
      let ended = false;
      let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
      const held: (() => void)[] = [];
      const forget = (): void => {
        ended = true;
        for (const release of held.splice(0)) release();
      };
      const end = (): void => {
        if (ended) return;
        forget();
        controller?.close();
      };
      const write = (text: string): void => {
        if (ended) return;
        if ((controller?.desiredSize ?? 0) < 1 - mostBehind) end();
        else controller?.enqueue(encoder.encode(text));
      };
      const stream = new ReadableStream<Uint8Array>({
        start: (made) => void (controller = made),
        cancel: forget,
      });
      write(`data: subscribe,${channel},1\n\n`);
      // A text of several lines becomes several of data, as the standard has it; Upstash's client takes the first alone.
      const message = (text: string): void =>
        write(`data: message,${channel},${text.replace(/\r\n?|\n/g, '\ndata: ')}\n\n`);
      held.push(await backend.follow(channel, { message, lost: end }));
      open.add(end);
      const pulse = setInterval(() => write(': \n\n'), pulseMs).unref();
      held.push(
        () => open.delete(end),
        () => clearInterval(pulse),
      );
      if (ended) forget(); // lost at once
      return stream;
    },
    endAll() {
      for (const end of Array.from(open)) end();
    },
  };
}
