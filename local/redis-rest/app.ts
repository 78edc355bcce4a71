// Redis by REST, in the dialect of Upstash, over a plain Redis: what functions without TCP speak to, on this machine and self-hosted.
// Commands come as JSON lists of texts: POST / one, /pipeline many, /multi-exec many in one step; /subscribe/CHANNEL is a stream.
// Texts only: a reply that is no UTF-8 is whole only with `Upstash-Encoding: base64`.
import { type Context, Hono } from 'hono';
import { CortexError, toCortexError } from '#core/errors.ts';
import { readBody } from '#core/http/body.ts';
import { HttpError } from '#core/http/errors.ts';
import type { Log } from '#core/log.ts';
import type { Backend } from './backend.ts';
import { parseCommand, type RestCommand, refusalOf } from './commands.ts';
import { createDoor } from './door.ts';
import { createStreams } from './streams.ts';

export interface RedisRestDeps {
  readonly backend: Backend;
  /** Undefined: this machine alone is served. */
  readonly token: string | undefined;
  /** The address at the other end of a request's connection. */
  readonly peer: (env: unknown) => string | undefined;
  readonly log: Log;
  /** What one request may have, bytes. Default 1 MiB, as the smallest plan of Upstash has it. */
  readonly maxRequestBytes?: number;
  /** Subscriptions at once. Default 1,000. */
  readonly maxStreams?: number;
}

export interface RedisRest {
  readonly app: Hono;
  /** Ends every subscription, so that the server can close. */
  endStreams(): void;
}

/** The front. Refusals of Redis are 400 `{error}` in its words (200 in a pipeline), an absent Redis is 503. GET /health needs no token. */
export function createRedisRest(deps: RedisRestDeps): RedisRest {
  const { backend, peer, log, maxRequestBytes = 1_048_576, maxStreams = 1_000 } = deps;
  const app = new Hono();
  const streams = createStreams(backend);
  const door = createDoor(deps.token);

  app.get('/health', async (c) => {
    await backend.run([['PING']]);
    return c.json({ status: 'ok' });
  });

  app.use(async (c, next) => {
    const refused = door({ header: (name) => c.req.header(name), peer: peer(c.env) });
    if (refused === undefined) return next();
    return c.json({ error: refused.error }, refused.status);
  });

  const read = async <T>(c: Context, what: string, parse: (body: unknown) => T | undefined): Promise<T> => {
    const bytes = await readBody(c.req.raw, { maxBytes: maxRequestBytes });
    const parsed = parse(parseJson(bytes));
    if (parsed === undefined) throw new HttpError(400, 'invalid_argument', `Failed to parse ${what}`);
    return parsed;
  };

  app.post('/', async (c) => {
    const command = await read(c, 'command', parseCommand);
    const refusal = refusalOf(command);
    const [reply] = refusal === undefined ? await backend.run([command]) : [new Error(refusal)];
    return c.json(item(reply, isBase64(c)), reply instanceof Error ? 400 : 200);
  });

  app.post('/pipeline', async (c) => {
    const commands = await read(c, 'pipeline request', parseCommands);
    const refusals = commands.map(refusalOf);
    const replies = (await backend.run(commands.filter((_, i) => refusals[i] === undefined))).values();
    const base64 = isBase64(c);
    return c.json(
      refusals.map((refusal) => item(refusal === undefined ? replies.next().value : new Error(refusal), base64)),
    );
  });

  app.post('/multi-exec', async (c) => {
    const commands = await read(c, 'multi-exec request', parseCommands);
    const refusal = commands.map(refusalOf).find((found) => found !== undefined);
    if (refusal !== undefined) return c.json({ error: refusal }, 400);
    const reply = (await backend.run([['MULTI'], ...commands, ['EXEC']])).at(-1);
    if (!Array.isArray(reply)) return c.json(item(reply, false), 400);
    const base64 = isBase64(c);
    return c.json(reply.map((one: unknown) => item(one, base64)));
  });

  app.post('/subscribe/:channel{.+}', async (c) => {
    if (streams.size >= maxStreams)
      return c.json({ error: `ERR max subscriptions exceeded. Limit: ${maxStreams}` }, 429);
    const stream = await streams.open(c.req.param('channel'));
    return c.body(stream, 200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  });

  app.notFound((c) => c.json({ error: 'ERR there is nothing at this path' }, 404));
  app.onError((error, c) => {
    if (error instanceof HttpError && error.status === 413) {
      return c.json({ error: `ERR max request size exceeded. Limit: ${maxRequestBytes} bytes` }, 413);
    }
    if (error instanceof HttpError) return c.json({ error: `ERR ${error.message}` }, error.status === 415 ? 415 : 400);
    const known = toCortexError(error);
    if (known.code === 'unavailable') {
      log.debug('no answer from Redis', { error });
      return c.json({ error: known.message }, 503); // no word in capitals: it is not Redis that speaks
    }
    if (known.code === 'canceled') return c.json({ error: 'ERR the request broke off' }, 400);
    log.error('a request failed', { error });
    return c.json({ error: 'something went wrong inside' }, 500);
  });
  return { app, endStreams: streams.endAll };
}

function isBase64(c: Context): boolean {
  return c.req.header('upstash-encoding') === 'base64';
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown;
  } catch (error) {
    throw new HttpError(400, 'invalid_argument', 'Failed to parse the body: it is no JSON', { cause: error });
  }
}

function parseCommands(body: unknown): readonly RestCommand[] | undefined {
  if (!Array.isArray(body)) return undefined;
  const commands = body.map(parseCommand);
  return commands.length > 0 && commands.every((command) => command !== undefined) ? commands : undefined;
}

/** What stands for one command in an answer. */
function item(reply: unknown, base64: boolean): { error: string } | { result: unknown } {
  return reply instanceof Error ? { error: reply.message } : { result: encoded(reply, base64) };
}

function encoded(reply: unknown, base64: boolean): unknown {
  if (reply instanceof Uint8Array)
    return Buffer.from(reply.buffer, reply.byteOffset, reply.length).toString(base64 ? 'base64' : 'utf8');
  if (Array.isArray(reply))
    return reply.map((one) => (one instanceof Error ? { error: one.message } : encoded(one, base64)));
  if (typeof reply === 'string') return base64 ? Buffer.from(reply).toString('base64') : reply;
  if (typeof reply === 'number' || reply === null) return reply;
  throw new CortexError('internal', `Redis answered a ${typeof reply}`);
}
