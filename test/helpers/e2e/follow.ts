// A client of the stream as docs/streams.md wants one: it takes a packet when the cursor behind it has come, and with that cursor goes on
// at any gateway.
import { WebSocket } from 'ws';

export interface Packet {
  readonly jobRequest?: { readonly jobId: string };
  readonly jobResult?: { readonly jobId: string; readonly status: string };
}

export interface Follower {
  /** What was taken, over all connections. */
  readonly packets: readonly Packet[];
  /** Connections so far. */
  readonly connections: number;
  readonly resets: number;
  /** The other gateways to go to when one is gone. */
  close(): void;
}

/** Follows from now on, at the first gateway that answers; resolves when it knows where it stands. */
export async function followStream(gateways: readonly string[]): Promise<Follower> {
  const packets: Packet[] = [];
  let connections = 0;
  let resets = 0;
  let cursor = '';
  let next = 0;
  let over = false;
  let current: WebSocket | undefined;
  let ready: () => void = () => undefined;
  const stands = new Promise<void>((resolve) => {
    ready = resolve;
  });
  const connect = (): void => {
    const url = gateways[next++ % gateways.length] ?? '';
    const ws = new WebSocket(`${url.replace(/^http/, 'ws')}/api/v1/stream?cursor=${cursor}`);
    current = ws;
    let held: Packet | undefined;
    ws.on('open', () => connections++);
    ws.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as Packet & { readonly cursor?: string; readonly reset?: boolean };
      if (frame.cursor === undefined) {
        held = frame;
        return;
      }
      if (frame.reset === true) resets++;
      ({ cursor } = frame);
      if (held !== undefined) packets.push(held);
      held = undefined;
      ready();
    });
    ws.on('error', () => undefined); // `close` follows
    ws.on('close', () => {
      if (!over) setTimeout(connect, 20);
    });
  };
  connect();
  await stands;
  return {
    packets,
    get connections() {
      return connections;
    },
    get resets() {
      return resets;
    },
    close() {
      over = true;
      current?.terminate();
    },
  };
}
