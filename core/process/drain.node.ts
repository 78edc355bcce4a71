// Knows every connection of an HTTP server and how to end them politely: idle ones at once, those with a request when it is answered.
import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';

export interface Drain {
  /** To be told of each HTTP/2 session. */
  readonly session: (session: ServerHttp2Session) => void;
  /** Takes no more, waits at most that long for what is under way, cuts the rest; answers how many connections that were. */
  readonly close: (deadlineMs: number) => Promise<number>;
}

/** Watches a server from before it listens. */
export function createDrain(server: Server): Drain {
  const sockets = new Set<Socket>();
  const responses = new Set<ServerResponse>();
  const sessions = new Set<ServerHttp2Session>();
  let closing: Promise<unknown> | undefined;
  let cut = 0;

  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('request', (_request: IncomingMessage, response: ServerResponse) => {
    responses.add(response);
    if (closing !== undefined) askToLeave(response);
    response.once('close', () => {
      responses.delete(response);
      if (closing !== undefined) setImmediate(() => server.closeIdleConnections());
    });
  });
  const begin = async (): Promise<unknown> => {
    const closed = once(server, 'close');
    server.close();
    for (const response of responses) askToLeave(response);
    for (const session of sessions) session.close();
    // Who has not said a word yet has nothing under way; Node counts such a connection as busy.
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
    return closed;
  };
  return {
    session(session) {
      sessions.add(session);
      session.once('close', () => sessions.delete(session));
      if (closing !== undefined) session.close();
    },
    async close(deadlineMs) {
      closing ??= begin();
      const timer = setTimeout(() => {
        cut += sockets.size;
        for (const socket of sockets) socket.destroy();
      }, deadlineMs);
      try {
        await closing;
      } finally {
        clearTimeout(timer);
      }
      return cut;
    },
  };
}

function askToLeave(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader('connection', 'close');
}
