// Both ends of our RPC in every runtime: the server mount on Hono (Connect and gRPC-Web, JSON and binary) and the one client.
// gRPC itself needs trailers, so it lives in grpc.node.ts.
import type { DescService } from '@bufbuild/protobuf';
import {
  type Client,
  Code,
  ConnectError,
  type ConnectRouter,
  type ContextValues,
  createClient,
  createConnectRouter,
  type HandlerContext,
  type Interceptor,
} from '@connectrpc/connect';
import {
  universalServerRequestFromFetch,
  type UniversalServerResponse,
  universalServerResponseToFetch,
} from '@connectrpc/connect/protocol';
import { createConnectTransport } from '@connectrpc/connect-web';
import type { Context, Env, Hono } from 'hono';
import { CortexError } from '#core/errors.ts';
import { withShorterTimeouts } from './call-timeout.ts';
import { fromConnectError, HttpError, toConnectError } from './errors.ts';
import { watchEnd } from './rpc-end.ts';

export type Routes = (router: ConnectRouter) => unknown;

export interface RpcServerOptions {
  /**
   * Looks at a call by its headers, before a byte of its message is read; what it throws ends the call. Whoever may not come in
   * must not cost the time of parsing.
   */
  readonly admit?: (context: HandlerContext) => void;
  /** What a handler or `admit` threw, before it is made presentable. */
  readonly onError?: (error: unknown, method: string) => void;
  /**
   * At the begin of each call of a known method, `method` as in its path. What it answers is called at the end: with what the call
   * failed with, or undefined.
   */
  readonly onCall?: (method: string) => (error: CortexError | undefined) => void;
  readonly interceptors?: readonly Interceptor[];
  /** Bytes of one message. Default 4 MiB. */
  readonly readMaxBytes?: number;
  /** The longest deadline, ms; a caller who asks for a longer one gets this. Default 60,000. */
  readonly maxTimeoutMs?: number;
}

/** What both server mounts hand to Connect, so that a method behaves the same through every protocol. */
export function routerOptions(options: RpcServerOptions) {
  const { admit, onError, onCall } = options;
  return {
    requestGate(context: HandlerContext): void {
      const method = methodName(context);
      const ended = onCall?.(method);
      // Watched in any case: it also says whose fault a message is that cannot be read.
      watchEnd(context, (error) => ended?.(error));
      try {
        admit?.(context);
      } catch (error) {
        onError?.(error, method);
        throw toConnectError(error);
      }
      // Nobody waits any more: a deadline that had passed on arrival.
      if (context.signal.aborted) throw ConnectError.from(context.signal.reason);
    },
    // A misspelt field must not become an empty message. In binary there is no telling it from a field of a newer caller.
    jsonOptions: { ignoreUnknownFields: false },
    readMaxBytes: options.readMaxBytes ?? 4 * 1024 * 1024,
    maxTimeoutMs: options.maxTimeoutMs ?? 60_000,
    interceptors: [presentErrors(onError), ...(options.interceptors ?? [])],
  };
}

/** `cortex.v1.CortexApi/SubmitJob`. */
function methodName({ service, method }: Pick<HandlerContext, 'service' | 'method'>): string {
  return `${service.typeName}/${method.name}`;
}

export interface MountOptions<E extends Env> extends RpcServerOptions {
  /** What the handlers learn from the middleware before them: the tenant, the principal. */
  readonly contextValues?: (c: Context<E>) => ContextValues;
}

/**
 * Mounts every method at its path. Unknown paths are left to the app, and so is what is no call at all: HttpError 405 and 415 are
 * thrown for its `onError`.
 */
export function mountConnect<E extends Env>(app: Hono<E>, routes: Routes, options: MountOptions<E> = {}): void {
  const served = routerOptions(options);
  const { readMaxBytes, maxTimeoutMs } = served;
  const router = createConnectRouter({
    ...{ grpc: false, grpcWeb: true, connect: true },
    ...served,
    requestGate(context) {
      served.requestGate(context);
      refuseCompressed(context.requestHeader);
    },
  });
  routes(router);
  for (const handler of router.handlers) {
    app.all(handler.requestPath, async (c) => {
      const { method, url, headers: header, signal } = c.req.raw;
      refuseNoCall(handler, method, header.get('content-type') ?? '');
      const request = {
        ...{ httpVersion: '', method, url, signal },
        header: withShorterTimeouts(header, maxTimeoutMs),
        body: bodyOf(c.req.raw, readMaxBytes),
      };
      const values = options.contextValues?.(c);
      const answer = await handler(values === undefined ? request : { ...request, contextValues: values });
      return handler.method.methodKind === 'unary' ? wholeAnswer(answer) : universalServerResponseToFetch(answer);
    });
  }
}

/** Connect would answer both without a word. */
function refuseNoCall(
  { allowedMethods, supportedContentType }: ConnectRouter['handlers'][number],
  method: string,
  contentType: string,
): void {
  if (!allowedMethods.includes(method)) {
    throw new HttpError(405, 'unimplemented', 'Method Not Allowed', { headers: { allow: allowedMethods.join(', ') } });
  }
  // gRPC-Web as text is for browsers without fetch. Connect knows the type, and answers it with nothing.
  const text = /^application\/grpc-web-text/i.test(contentType);
  if (method !== 'POST' || (supportedContentType(contentType) && !text)) return;
  throw new HttpError(415, 'invalid_argument', 'Content-Type: must be application/json or application/proto', {
    field: 'Content-Type',
    headers: { 'accept-post': 'application/json, application/proto' },
  });
}

/** The headers of Connect for one message and for streams, and of gRPC-Web. */
const encodingHeaders = ['Content-Encoding', 'Connect-Content-Encoding', 'Grpc-Encoding'];

/** workerd and Node share no way to unfold a message under a limit. Connect would name the encodings it takes: none. */
function refuseCompressed(headers: Headers): void {
  for (const name of encodingHeaders) {
    if ((headers.get(name) ?? 'identity') === 'identity') continue;
    const detail = { field: name };
    throw toConnectError(new CortexError('unimplemented', `${name}: compressed messages are not accepted`, detail));
  }
}

/**
 * The body, not touched before it is asked for: a stream that is open and never read would keep the Node server from reading past
 * what was refused, and it closes the connection of a client that is about to ask again.
 */
async function* bodyOf(request: Request, maxBytes: number): AsyncGenerator<Uint8Array, void, undefined> {
  // Known to be small it is read at once: a web stream costs more than the rest of a call.
  if (Number(request.headers.get('content-length') ?? 'none') <= maxBytes) {
    yield new Uint8Array(await request.arrayBuffer());
    return;
  }
  const { body } = universalServerRequestFromFetch(request, {});
  yield* body as AsyncIterable<Uint8Array>;
}

/** An answer of one message, without a web stream around it. */
async function wholeAnswer({ status, header, body }: UniversalServerResponse): Promise<Response> {
  if (body === undefined) return new Response(null, { status, headers: header ?? {} });
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  for await (const chunk of body) chunks.push(chunk as Uint8Array<ArrayBuffer>);
  const [only] = chunks;
  return new Response(chunks.length === 1 && only !== undefined ? only : new Blob(chunks), {
    status,
    headers: header ?? {},
  });
}

/** The outermost interceptor: whatever a handler or a later interceptor throws becomes an error that may be sent. */
function presentErrors(onError: RpcServerOptions['onError']): Interceptor {
  return (next) => async (request) => {
    const present = (error: unknown): ConnectError => {
      onError?.(error, methodName(request));
      return toConnectError(error);
    };
    try {
      const response = await next(request);
      return response.stream ? { ...response, message: mapErrors(response.message, present) } : response;
    } catch (error) {
      throw present(error);
    }
  };
}

async function* mapErrors<T>(
  items: AsyncIterable<T>,
  map: (error: unknown) => Error,
): AsyncGenerator<T, void, undefined> {
  try {
    yield* items;
  } catch (error) {
    throw map(error);
  }
}

export interface RpcClientOptions {
  /** `http://127.0.0.1:50051`; method paths are appended. */
  readonly baseUrl: string;
  /** Another way to reach the server: a service binding, a test's app. */
  readonly fetch?: (input: string | URL | Request, init?: RequestInit) => Response | Promise<Response>;
  /** Sent as a bearer token. */
  readonly token?: string;
  /** Deadline of every call that names none, ms. */
  readonly timeoutMs?: number;
  /** Protobuf rather than JSON on the wire. Default true. */
  readonly binary?: boolean;
}

/**
 * The one client of all our services. Its methods throw CortexError alone: `unavailable` when the server cannot be reached,
 * `failed_precondition` when its certificate is not trusted, `deadline_exceeded`, `canceled`, and whatever code the server answered.
 */
export function createRpcClient<S extends DescService>(service: S, options: RpcClientOptions): Client<S> {
  const { token, timeoutMs } = options;
  const authorize: Interceptor = (next) => (request) => {
    request.header.set('Authorization', `Bearer ${token}`);
    return next(request);
  };
  const transport = createConnectTransport({
    baseUrl: options.baseUrl,
    useBinaryFormat: options.binary ?? true,
    fetch: plainFetch(options.fetch ?? ((input, init) => fetch(input, init))),
    interceptors: token === undefined ? [] : [authorize],
    ...(timeoutMs === undefined ? {} : { defaultTimeoutMs: timeoutMs }),
  });
  return translated(service, createClient(service, transport));
}

/** workerd refuses `redirect: 'error'`, `credentials`, `mode` and `cache`, which connect-web sets for browsers. */
function plainFetch(inner: NonNullable<RpcClientOptions['fetch']>): typeof fetch {
  return async (input, init = {}) => {
    const plain: RequestInit = { redirect: 'manual' };
    if (init.method !== undefined) plain.method = init.method;
    if (init.headers !== undefined) plain.headers = init.headers;
    if (init.body !== undefined) plain.body = init.body;
    if (init.signal !== undefined) plain.signal = init.signal;
    try {
      return await orAborted(inner(input, plain), init.signal ?? undefined);
    } catch (error) {
      if (init.signal?.aborted === true) throw error;
      throw unreached(error);
    }
  };
}

/** Connect would call this `internal`; a server that cannot be reached is one to try again later, a stranger is for a person. */
function unreached(error: unknown): ConnectError {
  const code = innermostCode(error);
  // As Node names them: DEPTH_ZERO_SELF_SIGNED_CERT, CERT_HAS_EXPIRED, ERR_TLS_CERT_ALTNAME_INVALID, UNABLE_TO_VERIFY_LEAF_SIGNATURE.
  if (/CERT|LEAF_SIGNATURE|INVALID_CA/.test(code)) {
    const message = `the server's certificate is not trusted (${code})`;
    return new ConnectError(message, Code.FailedPrecondition, undefined, undefined, error);
  }
  const why = /^(EPROTO$|ERR_SSL_)/.test(code) ? `: no TLS connection could be made (${code})` : '';
  return new ConnectError(`the server could not be reached${why}`, Code.Unavailable, undefined, undefined, error);
}

function innermostCode(error: unknown): string {
  if (!(error instanceof Error)) return '';
  const inner = innermostCode(error.cause);
  return inner === '' && 'code' in error ? String(error.code) : inner;
}

/** An app called in the same process heeds no signal, so the caller's patience is kept here. */
async function orAborted<T>(answer: T | Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined || !(answer instanceof Promise)) return answer;
  let stop: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop);
  });
  try {
    return await Promise.race([answer, aborted]);
  } finally {
    if (stop !== undefined) signal.removeEventListener('abort', stop);
  }
}

/** Client interceptors cannot do this: the transport turns whatever they throw back into a ConnectError. */
function translated<S extends DescService>(service: S, client: Client<S>): Client<S> {
  const methods: Record<string, unknown> = { ...client };
  for (const method of service.methods) {
    const call = methods[method.localName] as (...args: unknown[]) => unknown;
    methods[method.localName] = (...args: unknown[]): unknown => {
      const answer = call(...args);
      if (method.methodKind === 'unary') return (answer as Promise<unknown>).catch(rethrow);
      if (method.methodKind === 'server_streaming')
        return mapErrors(answer as AsyncIterable<unknown>, fromConnectError);
      return answer; // fetch cannot stream a request; Connect says so itself
    };
  }
  return methods as Client<S>;
}

function rethrow(error: unknown): never {
  throw fromConnectError(error);
}
