// HTTP servers of our Node processes: time-outs, header limits, errors in one line, and a close that lets requests finish.
// `serveHttp` speaks HTTP/1.1; `serveDual` speaks HTTP/1.1 and HTTP/2 on one port, with or without TLS, and gRPC on the latter.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createServer2, type Http2Server, type ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { getRequestListener, type Http2Bindings, type HttpBindings, RequestError } from '@hono/node-server';
import { CortexError } from '#core/errors.ts';
import { problemResponse } from '#core/http/errors.ts';
import type { GrpcListener } from '#core/http/grpc.node.ts';
import type { Log } from '#core/log.ts';
import { type Address, addressUrl } from './address.ts';
import { createDrain, type Drain } from './drain.node.ts';
import { listenFault } from './listen-fault.ts';
import { answerRefusals } from './refuse.node.ts';
import { type HttpVersion, sniff } from './sniff.node.ts';
import { createTlsDoor, type Tls } from './tls.node.ts';

export interface HttpLimits {
  /** From the first byte to the end of the headers, ms. Also how long a connection may say nothing at first. */
  readonly headersMs: number;
  /** From the first byte to the end of the body, ms. On HTTP/2 it bounds the client's side of a stream as well. */
  readonly requestMs: number;
  /** Between two requests of one connection, ms; longer than the minute that load balancers keep theirs. */
  readonly idleMs: number;
  readonly maxHeaderBytes: number;
  /** Requests at once on one HTTP/2 connection. */
  readonly maxStreams: number;
}

export const defaultLimits: HttpLimits = Object.freeze({
  headersMs: 10_000,
  requestMs: 30_000,
  idleMs: 65_000,
  maxHeaderBytes: 16 * 1024,
  maxStreams: 256,
});

export type FetchHandler = (request: Request, env: HttpBindings | Http2Bindings) => Response | Promise<Response>;

export interface ServeOptions {
  readonly fetch: FetchHandler;
  readonly addr: Address;
  readonly log: Log;
  /** The variable that sets the address, for the error when the port is taken. */
  readonly variable?: string;
  readonly limits?: Partial<HttpLimits>;
  /** Takes over the connection of an HTTP/1.1 request that asks for a WebSocket; without it such a request is one like any other. */
  readonly upgrade?: UpgradeListener;
}

export type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

export interface HttpServer {
  /** What was bound: the port is never 0. */
  readonly address: Address;
  readonly url: string;
  /**
   * Takes no more, lets requests under way finish within `deadlineMs`, then cuts what is left. Answers how many connections
   * were cut. Idempotent; a later call with a shorter deadline counts.
   */
  close(deadlineMs: number): Promise<number>;
}

/** Serves HTTP/1.1. Throws CortexError `failed_precondition` or `invalid_argument` when it cannot listen there. */
export async function serveHttp(options: ServeOptions): Promise<HttpServer> {
  const limits = { ...defaultLimits, ...options.limits };
  const server = createHttp1(limits, listenerFor(options), options.upgrade);
  return listen(server, options, createDrain(server));
}

export interface ServeDualOptions extends ServeOptions {
  readonly grpc: GrpcListener;
  /** Undefined: without TLS, told apart by their first bytes. */
  readonly tls?: Tls | undefined;
}

/** As `serveHttp`, with HTTP/2 on the same port. Requests that `grpc` takes go there, all others to `fetch`. */
export async function serveDual(options: ServeDualOptions): Promise<HttpServer> {
  const { log, tls } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const listener = listenerFor(options);
  const server = createHttp1(limits, listener, options.upgrade);
  const drain = createDrain(server);
  const http2 = createHttp2(limits, log);
  http2.on('session', drain.session);
  http2.on('request', (request, response) => {
    if (options.grpc.takes(request)) options.grpc(request, response);
    // The listener answers its own failures; it rejects for nothing.
    else void listener(request, response);
  });

  // The HTTP/1.1 server listens, because it keeps its time-outs only when it does; we stand before its door.
  const [http1Door] = server.listeners('connection') as ((this: Server, socket: Socket) => void)[];
  if (http1Door === undefined) throw new CortexError('internal', 'an http server without a connection listener');
  server.removeListener('connection', http1Door);
  const enter = (version: HttpVersion, socket: Socket): unknown => {
    if (version === 'http1') return http1Door.call(server, socket);
    socket.allowHalfOpen = false; // the http server's sockets are; a session would outlive its client
    return http2.emit('connection', socket);
  };
  const timeoutMs = limits.headersMs;
  if (tls !== undefined) server.on('connection', createTlsDoor(tls, { timeoutMs, log }, enter));
  else server.on('connection', (socket) => sniff(socket, timeoutMs, (version) => enter(version, socket)));
  return listen(server, options, drain, tls === undefined ? 'http' : 'https');
}

type Listener = ReturnType<typeof getRequestListener>;

function listenerFor({ fetch, log }: ServeOptions): Listener {
  return getRequestListener(fetch, {
    errorHandler(error) {
      if (error instanceof RequestError) {
        const field = /host header/i.test(error.message) ? { field: 'Host' } : {};
        return problemResponse(new CortexError('invalid_argument', error.message, field));
      }
      log.error('a request failed outside the application', { error });
      return problemResponse(error);
    },
  });
}

function createHttp1(limits: HttpLimits, listener: Listener, upgrade: UpgradeListener | undefined): Server {
  const server = createServer(
    {
      headersTimeout: Math.min(limits.headersMs, limits.requestMs),
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.idleMs,
      maxHeaderSize: limits.maxHeaderBytes,
      connectionsCheckingInterval: Math.min(5_000, Math.ceil(limits.headersMs / 2)),
      // A client that would also speak h2c is served as it came, and so is what is no GET: a WebSocket begins with one.
      shouldUpgradeCallback: ({ headers, method }) =>
        upgrade !== undefined && method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket',
    },
    listener as RequestListener,
  );
  if (upgrade !== undefined) server.on('upgrade', upgrade);
  answerRefusals(server);
  return server;
}

function createHttp2(limits: HttpLimits, log: Log): Http2Server {
  const server = createServer2({
    settings: { maxConcurrentStreams: limits.maxStreams, maxHeaderListSize: limits.maxHeaderBytes },
  });
  // A quiet connection is asked to go (GOAWAY), and a stream under way may still end; gRPC clients connect again by themselves.
  server.setTimeout(limits.idleMs, (session?: ServerHttp2Session) => session?.close());
  server.on('sessionError', (error: Error) => log.debug('an HTTP/2 connection failed', { error }));
  server.on('stream', (stream) => {
    if (stream.endAfterHeaders) return;
    const timer = setTimeout(() => {
      // A handler may answer without reading to the end, so the stream's own word counts and not an `end` event.
      if (!stream.destroyed && stream.state.remoteClose !== 1) stream.close();
    }, limits.requestMs);
    timer.unref();
    stream.once('close', () => clearTimeout(timer));
  });
  return server;
}

async function listen(server: Server, options: ServeOptions, drain: Drain, scheme = 'http'): Promise<HttpServer> {
  const { addr, variable, log } = options;
  try {
    const listening = once(server, 'listening');
    server.listen({ port: addr.port, ...(addr.host === '' ? {} : { host: addr.host }) });
    await listening;
  } catch (error) {
    throw cannotListen(error, addr, variable);
  }
  server.on('error', (error) => log.error('the HTTP server failed to take a connection', { error }));
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new CortexError('internal', 'the server has no port');
  const address: Address = Object.freeze({ host: addr.host, port: bound.port });
  return { address, url: addressUrl(address, scheme), close: drain.close };
}

function cannotListen(error: unknown, addr: Address, variable: string | undefined): CortexError {
  const { code, message } = listenFault(error, addr);
  return new CortexError(code, variable === undefined ? message : `${variable}: ${message}`, { cause: error });
}
