// The packets of a tenant over a WebSocket: one protojson BusPacket per frame, as the original's clients read them. With a cursor asked
// for, a frame behind each packet says where to go on. docs/streams.md is its contract.
import type { Socket, SocketEvents } from '../../http/upgrade.ts';
import type { GatewayDeps } from '../deps.ts';
import { formatCursor } from './cursor.ts';
import type { Feed } from './feed.ts';
import type { Frames } from './frames.ts';
import type { Lease, StreamEnd } from './leases.ts';
import { patiently, pause } from './patience.ts';

export interface PacketStreamDeps extends Pick<GatewayDeps, 'clock' | 'log'> {
  readonly frames: Frames;
}

export interface PacketStreamOptions {
  readonly tenant: string;
  readonly lease: Lease;
  readonly feed: Feed;
  readonly beatMs: number;
  /** The position to begin behind. */
  readonly after: string;
  /** Whether frames tell cursors. */
  readonly cursors: boolean;
  /** The cursor that the client came with means nothing here any more. */
  readonly reset: boolean;
}

/** Bytes that may wait for a client. Beyond it the stream waits, and not for long. */
const maxBuffered = 1_048_576;
const slowMs = 10_000;
const lookMs = 50;
/** Messages of a client that are taken (and not looked at) from one beat to the next. */
const maxMessages = 100;

/** Why a stream was closed, as the client sees it. 4000 and above are ours. */
export const closeCodes: Readonly<Record<Exclude<StreamEnd, 'client'>, readonly [code: number, reason: string]>> = {
  done: [1000, 'done'],
  stopping: [1001, 'this gateway stops: come again with your cursor'],
  rude: [1008, 'this stream takes no messages'],
  failed: [1011, 'a fault of the gateway: come again with your cursor'],
  lifetime: [4001, 'the time of this stream is up: come again with your cursor'],
  slow: [4002, 'too slow: come again with your cursor'],
};

/** Serves one client until the lease ends. */
export function servePackets(deps: PacketStreamDeps, options: PacketStreamOptions, socket: Socket): SocketEvents {
  const { clock, log, frames } = deps;
  const { tenant, lease, feed, beatMs, cursors } = options;
  const { signal } = lease;
  const { mostBytes = Number.POSITIVE_INFINITY } = socket;
  let messages = 0;
  let heard = true;
  let cancelBeat = (): void => undefined;

  let sent = 0;
  const send = (text: string): void => {
    sent += text.length;
    socket.send(text);
  };
  const cursor = (at: string, more: object = {}): void => {
    if (cursors) send(JSON.stringify({ ...more, cursor: formatCursor(at) }));
  };
  /** Resolves when the client has taken enough of what waits for it. */
  const room = async (): Promise<void> => {
    if (socket.buffered() <= maxBuffered) return;
    for (const since = clock.monotonic(); socket.buffered() > maxBuffered / 2; ) {
      if (clock.monotonic() - since > slowMs) lease.end('slow');
      await pause(clock, lookMs, signal);
      signal.throwIfAborted();
    }
  };
  const run = async (): Promise<void> => {
    let { after } = options;
    let told = after;
    cursor(after, options.reset ? { reset: true } : {});
    for (;;) {
      const from = after;
      const news = await patiently(deps, signal, () => feed.next(from, { ms: beatMs, signal }));
      after = news.cursor;
      if (news.reset) cursor(after, { reset: true });
      const texts = await patiently(deps, signal, () => frames(tenant, news.events));
      for (const [i, text] of texts.entries()) {
        if (text === undefined) continue;
        send(text);
        told = news.events[i]?.id ?? told;
        cursor(told);
        if (sent > mostBytes) lease.end('lifetime');
        await room();
        signal.throwIfAborted();
      }
      // Steps without a packet move the cursor on as well; said now and then, so that it does not grow old.
      if (news.events.length === 0 && told !== after) cursor((told = after));
    }
  };
  const beat = (): void => {
    // Who has not answered since the last ping is not there any more.
    if (!heard) return lease.end('client');
    messages = 0;
    if (socket.ping !== undefined) {
      heard = false;
      socket.ping();
    }
    cancelBeat = clock.after(beatMs, beat);
  };

  lease.onRelease(() => {
    cancelBeat();
    socket.terminate();
  });
  signal.addEventListener('abort', () => {
    const { ended } = lease;
    if (ended !== undefined && ended !== 'client') socket.close(...closeCodes[ended]);
  });
  cancelBeat = clock.after(beatMs, beat);
  run().catch((error: unknown) => {
    if (signal.aborted) return;
    log.error('a stream of packets failed', { tenant, error });
    lease.end('failed');
  });
  return {
    message() {
      if (++messages > maxMessages) lease.end('rude');
    },
    pong() {
      heard = true;
    },
    closed() {
      lease.end('client');
      lease.release();
    },
  };
}
