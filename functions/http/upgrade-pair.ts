// WebSockets where the runtime hands out pairs of them (workerd): one end goes into the answer, the other is served.
import type { Upgrade } from './upgrade.ts';

interface PairEnd {
  accept(): void;
  send(text: string): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: 'message' | 'close' | 'error', listener: () => void): void;
  readonly readyState: number;
}

const open = 1;

/** For the entry of a Worker. */
export const upgradeByPair: Upgrade = (_c, serve) => {
  const { WebSocketPair } = globalThis as unknown as {
    readonly WebSocketPair: new () => Readonly<Record<0 | 1, PairEnd>>;
  };
  const pair = new WebSocketPair();
  const [client, server] = [pair[0], pair[1]];
  server.accept();
  const shut = (code: number, reason: string): void => {
    if (server.readyState === open) server.close(code, reason);
  };
  const events = serve({
    send(text) {
      if (server.readyState === open) server.send(text);
    },
    close: shut,
    terminate: () => shut(1001, ''),
    buffered: () => 0,
    ping: undefined,
  });
  let closed = false;
  const end = (): void => {
    if (closed) return;
    closed = true;
    events.closed();
  };
  server.addEventListener('message', () => events.message());
  server.addEventListener('close', () => {
    shut(1000, '');
    end();
  });
  server.addEventListener('error', end);
  return new Response(null, { status: 101, webSocket: client } as ResponseInit);
};
