// The gateway's REST routes over fetch: one request, one answer, or one line that says why not. It knows nothing of commands.
import { z } from 'zod';
import { isLoopback } from '#core/process/address.ts';
import { Stop } from '../bootstrap/stop.mjs';
import { exit, exitOfStatus } from './exit.ts';
import type { GatewayAddress } from './find-gateway.ts';
import { oneLine } from './text.ts';

export interface Answer<T> {
  /** The body as it came. */
  readonly text: string;
  readonly value: T;
  readonly headers: Headers;
}

export interface Call<T> {
  readonly method?: 'GET' | 'POST';
  /** `/api/v1/jobs`, its parts already encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
  /** In place of `body`: as they are. */
  readonly bytes?: Uint8Array<ArrayBuffer>;
  /** What the body must look like. */
  readonly schema: z.ZodType<T>;
  /** How long the gateway may hold the answer back, s. */
  readonly waits?: number;
}

export interface Client {
  readonly gateway: GatewayAddress;
  /** Throws ClientError, and the signal's reason when that aborts. */
  call<T>(call: Call<T>): Promise<Answer<T>>;
  /** An answer that comes over time: its status is below 300, its body not yet read. Throws as `call` does; `signal` ends it. */
  open(path: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Response>;
  /** Where a WebSocket is opened, and with which headers. */
  socket(path: string): { readonly url: string; readonly headers: Readonly<Record<string, string>> };
  /** An answer that is no success, as the error that it stands for. */
  refusal(response: Response, text: string): ClientError;
}

export interface ClientOptions {
  readonly gateway: GatewayAddress;
  readonly key: string | undefined;
  /** For the key of an administrator: the tenant to act for. */
  readonly tenant: string | undefined;
  readonly signal: AbortSignal;
  readonly userAgent: string;
  /** How long one answer may take, beside what it is held back on purpose, ms. Default 30 s. */
  readonly patience?: number;
}

/** Why there is no answer. `passing`: the same request may do better in a moment. */
export class ClientError extends Stop {
  readonly passing: boolean;
  /** How long to wait first, ms; from Retry-After. */
  readonly retryAfter: number | undefined;
  /** The gateway's HTTP status; undefined: it was no answer of a gateway. */
  readonly status: number | undefined;

  constructor(message: string, exitCode: number, passing: boolean, retryAfter?: number, status?: number) {
    super(message, exitCode);
    this.passing = passing;
    this.retryAfter = retryAfter;
    this.status = status;
  }
}

export function createClient(options: ClientOptions): Client {
  const { gateway, key, tenant, signal, userAgent, patience = 30_000 } = options;
  const headersOf = (more: Readonly<Record<string, string | undefined>>): Record<string, string> => {
    const all = { 'user-agent': userAgent, 'x-api-key': key, 'x-cortex-tenant': tenant, ...more };
    const given = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined);
    return Object.fromEntries(given);
  };
  return {
    gateway,
    socket: (path) => ({ url: `${gateway.url.replace(/^http/, 'ws')}${path}`, headers: headersOf({}) }),
    refusal: (response, text) => refusal(gateway, response, text, key !== undefined),
    async open(path, headers, ends) {
      const timeout = new AbortController();
      const timer = setTimeout(() => timeout.abort(), patience);
      try {
        const response = await fetch(`${gateway.url}${path}`, {
          headers: headersOf({ accept: 'text/event-stream', ...headers }),
          signal: AbortSignal.any([signal, ends, timeout.signal]),
          redirect: 'manual',
        });
        if (response.ok) return response;
        throw refusal(gateway, response, await response.text(), key !== undefined);
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof Stop) throw error;
        throw unreachable(
          gateway,
          timeout.signal.aborted ? `no answer within ${patience / 1_000} s` : networkProblem(error),
        );
      } finally {
        clearTimeout(timer);
      }
    },
    async call<T>({ method = 'GET', path, query = {}, headers = {}, body, bytes, schema, waits = 0 }: Call<T>) {
      const url = new URL(`${gateway.url}${path}`);
      for (const [name, value] of Object.entries(query)) {
        if (value !== undefined) url.searchParams.set(name, String(value));
      }
      const type = contentType(body, bytes);
      const timeout = AbortSignal.timeout(patience + waits * 1_000);
      try {
        const response = await fetch(url, {
          method,
          headers: headersOf({ accept: 'application/json', 'content-type': type, ...headers }),
          signal: AbortSignal.any([signal, timeout]),
          // fetch would show the key to wherever it is sent.
          redirect: 'manual',
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
          ...(bytes === undefined ? {} : { body: bytes }),
        });
        const text = await response.text();
        if (!response.ok) throw refusal(gateway, response, text, key !== undefined);
        return { text, value: parse(gateway, text, schema), headers: response.headers };
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof Stop) throw error;
        const why = timeout.aborted
          ? `no answer within ${(patience + waits * 1_000) / 1_000} s`
          : networkProblem(error);
        throw unreachable(gateway, why);
      }
    },
  };
}

function contentType(body: unknown, bytes: Uint8Array | undefined): string | undefined {
  if (bytes !== undefined) return 'application/octet-stream';
  return body === undefined ? undefined : 'application/json';
}

/** Whether the key would go over the network for everybody to read. */
export function sendsKeyInTheOpen(gateway: GatewayAddress, key: string | undefined): boolean {
  const { protocol, hostname } = new URL(gateway.url);
  return key !== undefined && protocol === 'http:' && !isLoopback({ host: hostname.replace(/^\[|\]$/g, ''), port: 0 });
}

function unreachable({ url, from }: GatewayAddress, why: string): ClientError {
  const help = from === 'the default' ? '; npm start brings one up, --gateway or CORTEX_URL name another' : '';
  return new ClientError(`cannot reach the gateway at ${url} (${from}): ${why}${help}`, exit.unreachable, true);
}

const socketWords: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the connection broke',
  UND_ERR_SOCKET: 'the connection broke',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the name of the host cannot be looked up now',
  ETIMEDOUT: 'no answer',
  UND_ERR_CONNECT_TIMEOUT: 'no answer',
  EHOSTUNREACH: 'no way to that host',
  ENETUNREACH: 'no way to that network',
};

/** fetch says "fetch failed" and puts the reason behind it. Passes on what is no error of the network. */
function networkProblem(error: unknown): string {
  if (!(error instanceof TypeError)) throw error;
  const cause = error.cause instanceof AggregateError ? (error.cause.errors[0] as unknown) : error.cause;
  if (!(cause instanceof Error)) throw error;
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
  return socketWords[code] ?? oneLine(cause.message);
}

const problemBody = z.looseObject({
  detail: z.string().optional(),
  title: z.string().optional(),
  field: z.string().optional(),
});

function refusal(gateway: GatewayAddress, response: Response, text: string, hasKey: boolean): ClientError {
  const { status } = response;
  if (status >= 300 && status < 400) {
    const to = response.headers.get('location');
    const where = to === null ? 'elsewhere' : `to ${oneLine(to)}`;
    const line = `${gateway.url} (${gateway.from}) redirects ${where}, and a key is not taken there: name that gateway`;
    return new ClientError(line, exit.unreachable, false);
  }
  if (text.trimStart().startsWith('<')) return stranger(gateway); // a page for browsers
  // Each answer of a gateway is JSON; a 404 without it comes from a server that knows nothing of jobs.
  if (status === 404 && jsonOf(text) === undefined) return stranger(gateway);
  const problem = problemBody.safeParse(jsonOf(text));
  const { detail, title, field } = problem.success ? problem.data : {};
  const plain = text.length <= 200 ? text.trim() : '';
  let line = oneLine(detail ?? title ?? (plain === '' ? response.statusText : plain)).slice(0, 1_000);
  // An error of input names its field already; others may have it beside the sentence only.
  if (field !== undefined && !line.includes(field)) line = `${oneLine(field)}: ${line}`;
  if (status === 401 && !hasKey) line += ': put one into CORTEX_API_KEY, or into a file for --key-file';
  if (line === '') line = `the gateway answered ${status}`;
  if (status >= 500) line = `the gateway cannot answer now (${status}): ${line}`;
  const passing = status === 429 || status === 502 || status === 503 || status === 504;
  return new ClientError(line, exitOfStatus(status), passing, retryAfter(response.headers.get('retry-after')), status);
}

function retryAfter(text: string | null): number | undefined {
  return text !== null && /^\d{1,4}$/.test(text) ? Number(text) * 1_000 : undefined;
}

function parse<T>(gateway: GatewayAddress, text: string, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(jsonOf(text));
  if (parsed.success) return parsed.data;
  throw stranger(gateway);
}

function stranger({ url, from }: GatewayAddress): ClientError {
  return new ClientError(`${url} (${from}) does not answer as a gateway of CortexOS does`, exit.unreachable, false);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
