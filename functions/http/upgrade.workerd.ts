// WebSockets in workerd: a pair of ends, one for the client in the answer, one for us.
import type { Socket, SocketEvents, Upgrade } from './upgrade.ts';

/** Bytes of one socket. */
const mostBytes = 16 * 1024 * 1024;

/** The upgrade of workerd. It tells nothing of what waits to be sent, and has no pings: bytes and the lifetime of a stream bound it. */
export const upgrade: Upgrade = (_, open) => {
  const { 0: client, 1: server } = new WebSocketPair();
  server.accept();
  serve(server, open);
  return new Response(null, { status: 101, webSocket: client });
};

function serve(server: WebSocket, open: (socket: Socket) => SocketEvents): void {
  let over = false;
  // What is said to a socket that is going throws; whether it has gone is told by its events.
  const attempt = (work: () => void): void => {
    if (over) return;
    try {
      work();
    } catch {
      finish();
    }
  };
  const finish = (): void => {
    if (over) return;
    over = true;
    events.closed();
  };
  const events = open({
    send: (text) => attempt(() => server.send(text)),
    close: (code, reason) => attempt(() => server.close(code, reason)),
    terminate: () =>
      attempt(() => {
        server.close(1011, 'cut');
        finish();
      }),
    buffered: () => 0,
    mostBytes,
    ping: undefined,
  });
  server.addEventListener('message', () => events.message());
  server.addEventListener('error', finish);
  server.addEventListener('close', ({ code, reason }) => {
    // Its answer; the runtime may have given it already.
    attempt(() => server.close(code === 1005 || code === 1006 ? 1000 : code, reason));
    finish();
  });
}
