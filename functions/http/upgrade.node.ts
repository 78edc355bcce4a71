// WebSockets on Node: the app answers the request of an upgrade like any other, and where it says yes the connection becomes a socket.
// What it refuses is written out in full, problem and all, which the adapter of @hono/node-server does not do.
import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { HttpBindings } from '@hono/node-server';
import { type WebSocket, WebSocketServer } from 'ws';
import { CortexError } from '#core/errors.ts';
import { HttpError, problemResponse } from '#core/http/errors.ts';
import type { Log } from '#core/log.ts';
import type { FetchHandler, UpgradeListener } from '#core/process/http.node.ts';
import { markUpgrade, type Socket, type SocketEvents, type Upgrade } from './upgrade.ts';

export interface NodeUpgrades {
  /** For the app. */
  readonly upgrade: Upgrade;
  /** For the server. */
  listener(fetch: FetchHandler, log: Log): UpgradeListener;
}

/** Bytes of one message of a client; none is looked at. */
const maxMessageBytes = 4_096;
/** How long a client may take to close its side, ms. */
const closeMs = 2_000;

type Open = (socket: Socket) => SocketEvents;

export function createNodeUpgrades(): NodeUpgrades {
  const server = new WebSocketServer({
    ...{ noServer: true, clientTracking: false, perMessageDeflate: false },
    ...{ maxPayload: maxMessageBytes, closeTimeout: closeMs },
  });
  /** Requests of an upgrade, and what the app wants to do with their sockets. */
  const asked = new WeakMap<IncomingMessage, { open: Open | undefined }>();

  const take = (request: IncomingMessage, socket: Duplex, head: Buffer, answer: Response, open: Open): void => {
    const more = (lines: string[]): void => {
      for (const [name, value] of answer.headers) if (name.startsWith('x-')) lines.push(`${name}: ${value}`);
    };
    server.once('headers', more);
    try {
      server.handleUpgrade(request, socket, head, (ws) => serve(ws, open));
    } finally {
      server.off('headers', more);
    }
  };

  return {
    upgrade(c, open) {
      const { incoming } = c.env as Partial<HttpBindings>;
      const entry = incoming === undefined ? undefined : asked.get(incoming);
      if (entry === undefined) {
        const message = 'this is a WebSocket over HTTP/1.1: ask for an upgrade of the connection';
        throw new HttpError(426, 'failed_precondition', message, { headers: { upgrade: 'websocket' } });
      }
      entry.open = open;
      return markUpgrade(new Response(null, { status: 204 }));
    },
    listener: (fetch, log) => (request, socket, head) => {
      const gone = new AbortController();
      socket.on('error', () => socket.destroy());
      socket.once('close', () => gone.abort(new CortexError('canceled', 'the client is gone')));
      const entry: { open: Open | undefined } = { open: undefined };
      asked.set(request, entry);
      const answer = async (): Promise<void> => {
        let response: Response;
        try {
          const bindings = { incoming: request } as HttpBindings;
          response = await fetch(requestOf(request, gone.signal), bindings);
        } catch (error) {
          if (!(error instanceof CortexError)) log.error('an upgrade failed outside the application', { error });
          response = problemResponse(error);
        }
        if (socket.destroyed) return;
        if (entry.open !== undefined) take(request, socket, head, response, entry.open);
        else await write(socket, response);
      };
      answer().catch((error: unknown) => {
        log.error('an upgrade failed', { error });
        socket.destroy();
      });
    },
  };
}

function requestOf(request: IncomingMessage, signal: AbortSignal): Request {
  const scheme = request.socket instanceof TLSSocket ? 'https' : 'http';
  const host = request.headers.host ?? 'localhost';
  const url = `${scheme}://${host}${request.url ?? '/'}`;
  // Else it would be read as a part of the path, or as credentials.
  if (/[/?#@\\]/.test(host) || !URL.canParse(url))
    throw new CortexError('invalid_argument', 'Host: is not the name of a host', { field: 'Host' });
  const headers = new Headers();
  const { rawHeaders } = request;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) headers.append(rawHeaders[i] ?? '', rawHeaders[i + 1] ?? '');
  return new Request(url, { headers, signal });
}

async function write(socket: Duplex, response: Response): Promise<void> {
  const body = Buffer.from(await response.arrayBuffer());
  const lines = [`HTTP/1.1 ${response.status} ${STATUS_CODES[response.status] ?? ''}`];
  for (const [name, value] of response.headers) lines.push(`${name}: ${value}`);
  lines.push(`content-length: ${body.length}`, 'connection: close', '', '');
  socket.end(Buffer.concat([Buffer.from(lines.join('\r\n'), 'latin1'), body]));
  // The server has let go of this connection: nobody else ends it with a client that leaves its side open.
  const force = setTimeout(() => socket.destroy(), closeMs);
  socket.once('close', () => clearTimeout(force));
}

function serve(ws: WebSocket, open: Open): void {
  const isOpen = (): boolean => ws.readyState === ws.OPEN;
  const events = open({
    send(text) {
      if (isOpen()) ws.send(text, ignore);
    },
    close: (code, reason) => ws.close(code, reason),
    terminate: () => ws.terminate(),
    buffered: () => ws.bufferedAmount,
    ping() {
      if (isOpen()) ws.ping(ignore);
    },
  });
  ws.on('message', () => events.message());
  ws.on('pong', () => events.pong());
  ws.on('error', ignore); // `close` follows
  ws.on('close', () => events.closed());
}

function ignore(): void {}
