// Redis over TCP. A command is sent once at most: what was under way when the connection broke is refused as `unavailable`, and
// may or may not have run; only NOSCRIPT, where nothing ran, is sent again. Whoever repeats a call knows that its script bears
// it. While the connection is away calls wait for it, but never longer than one call may take; nothing is queued.
import { Command, Redis as Client } from 'ioredis';
import { abortable } from '#core/deadline.ts';
import { CortexError } from '#core/errors.ts';
import { createExpiry } from '#core/expiry.ts';
import { createLink } from '#core/link.ts';
import { type Durability, readDurability } from './durability.ts';
import type { Arg, RedisConnection, Reply, Script } from './redis.ts';
import { parseRedisUrl } from './redis-url.ts';
import { isNoScript, replyError } from './reply-error.ts';
import { scriptDigest } from './script-digest.ts';

export interface ConnectRedisOptions {
  /** `redis://[user:password@]host[:port][/db]`, or `rediss://`. */
  readonly url: string;
  /** How the connection is shown in CLIENT LIST. */
  readonly name: string;
  /** What has no caller to go to: a state listener that threw, a connection that ended by itself. */
  readonly onError: (error: CortexError) => void;
  /** How long a call may wait for the connection, and then for its answer, ms, give or take a fifth. Default 2,000. */
  readonly commandTimeoutMs?: number;
  /** How long to wait at the start for a server that is not there yet, ms. Default 10,000. */
  readonly connectMs?: number;
}

type Part = Arg | Buffer;

/**
 * A connection to Redis that is up and comes back for ever. Throws CortexError: `invalid_argument` for the URL,
 * `unauthenticated` when the server refuses the credentials, `failed_precondition` when it refuses the database, `unavailable` naming
 * the URL when no server answered in time.
 */
export async function connectRedis(options: ConnectRedisOptions): Promise<RedisConnection> {
  const { name, onError, commandTimeoutMs = 2_000, connectMs = 10_000 } = options;
  const { shown, tls, username, password, host, port, db } = parseRedisUrl(options.url);
  const client = new Client({
    host,
    port,
    db,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls && { tls: {} }),
    connectionName: name,
    protocol: 2, // scripts answer the same in both; this one spares a HELLO on every connect
    disableClientInfo: true,
    lazyConnect: true,
    connectTimeout: commandTimeoutMs,
    // A server that takes calls and answers none is hung up on, so that its state is told and another address is tried.
    // (Its own commandTimeout makes a timer for each call.)
    socketTimeout: commandTimeoutMs + 1_000,
    maxLoadingRetryTime: 250,
    retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times - 1, 10), 1_000) + Math.random() * 100,
    // Never sent twice, never kept for later.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // A master that became a replica: its name may lead elsewhere by now.
    reconnectOnError: ({ message }) => message.startsWith('READONLY'),
  });
  const link = createLink('disconnected', (cause) =>
    onError(new CortexError('internal', 'a listener for the state of Redis failed', { cause })),
  );
  let calls = 0;
  let lastError: unknown;
  let closing: Promise<void> | undefined;
  const away = (): CortexError => new CortexError('unavailable', `Redis is ${link.state}`, { cause: lastError });

  const mapError = (error: unknown, what: string): CortexError => {
    if (error instanceof Error && error.name === 'ReplyError') return replyError(what, error.message, error);
    return new CortexError('unavailable', `Redis did not answer ${what}`, { cause: error });
  };

  const writable = (): boolean => client.status === 'ready' && client.stream.writable;
  // All commands of one turn leave in one write. ioredis makes a write for each, which costs as much as the rest of the call.
  let corked: typeof client.stream | undefined;
  const gather = (): void => {
    const { stream } = client;
    if (corked === stream) return;
    corked = stream;
    stream.cork();
    process.nextTick(() => {
      corked = undefined;
      stream.uncork();
    });
  };
  const timeouts = createExpiry<Command>(
    commandTimeoutMs,
    (command) => command.isSettled,
    (command) => command.reject(new Error(`no answer within ${commandTimeoutMs} ms`)),
  );
  const send = async (
    what: string,
    name: string,
    args: readonly Part[],
    encoding: 'utf8' | null = 'utf8',
  ): Promise<unknown> => {
    if (!writable()) {
      if (link.state === 'connected') link.set('disconnected'); // the event that says so is on its way
      if (!(await link.connected(commandTimeoutMs))) throw away();
    }
    gather();
    const command = new Command(name, [...args], { replyEncoding: encoding });
    client.sendCommand(command);
    timeouts.add(command);
    try {
      return (await command.promise) as unknown;
    } catch (error) {
      throw mapError(error, what);
    }
  };
  const call: typeof send = (...command) => {
    calls++;
    return send(...command);
  };
  let underWay = 0;
  let idle: (() => void) | undefined;
  /** Everything that comes in by the port: refused once closing, waited for before. */
  const serve = async <T>(work: () => Promise<T>): Promise<T> => {
    if (closing !== undefined) throw away();
    underWay++;
    try {
      return await work();
    } finally {
      if (--underWay === 0) idle?.();
    }
  };

  const loading = new Map<Script, Promise<unknown>>();
  const load = async (script: Script): Promise<void> => {
    let loaded = loading.get(script);
    if (loaded === undefined) {
      loaded = call(`the loading of ${script.name}`, 'SCRIPT', ['LOAD', script.source]);
      loading.set(script, loaded);
    }
    try {
      await loaded;
    } finally {
      loading.delete(script);
    }
  };
  const run = async (script: Script, keys: readonly string[], args: readonly Part[]): Promise<Reply> => {
    const parts = [scriptDigest(script), keys.length, ...keys, ...args];
    for (let tries = 0; ; tries++) {
      try {
        return (await call(script.name, 'EVALSHA', parts)) as Reply;
      } catch (error) {
        const { cause } = error as CortexError;
        if (tries === 2 || !(cause instanceof Error) || !isNoScript(cause.message)) throw error;
        await load(script);
      }
    }
  };

  /** What the server says of itself; not counted as calls. */
  const describe = async (): Promise<Durability> => {
    const config = async (): Promise<ReadonlyMap<string, string> | undefined> => {
      const answers = await Promise.all(
        ['append*', 'save', 'maxmemory-policy'].map((pattern) => send('CONFIG GET', 'CONFIG', ['GET', pattern])),
      );
      const flat = answers.flat().map(String);
      return new Map(flat.flatMap((key, i) => (i % 2 === 0 ? [[key, flat[i + 1] ?? ''] as const] : [])));
    };
    const sections = ['persistence', 'memory'].map((section) => send(`INFO ${section}`, 'INFO', [section]));
    const refused = (error: unknown): undefined => {
      if ((error as CortexError).code === 'unavailable') throw error;
      return undefined; // managed servers have no CONFIG
    };
    const [info, known] = await Promise.all([Promise.all(sections), config().catch(refused)]);
    return readDurability({ info: info.join('\n'), config: known });
  };

  const shut = async (): Promise<void> => {
    if (underWay > 0) await new Promise<void>((resolve) => (idle = resolve)); // each is bounded by the command timeout
    client.disconnect();
    link.set('closed');
  };

  const connected = new Promise<void>((resolve, reject) => {
    client.on('ready', () => {
      lastError = undefined;
      link.set('connected');
      resolve();
    });
    client.on('close', () => link.set('disconnected'));
    client.on('end', () => {
      if (closing === undefined && link.state !== 'closed') onError(away());
      link.set('closed');
    });
    client.on('error', (error: unknown) => {
      lastError = error;
      const refusal = mapError(error, `the connection to ${shown}`);
      if (refusal.code === 'unauthenticated') return reject(refusal);
      if (!isRefusedSelect(error)) return;
      // The client would call itself ready all the same, and everything would go into database 0.
      client.disconnect(true);
      if (refusal.code === 'unavailable') return; // it says so only for now
      const cause = { cause: error };
      reject(new CortexError('failed_precondition', `Redis at ${shown} lets nobody use its database ${db}`, cause));
    });
    link.connected(connectMs).then((up) => {
      if (!up)
        reject(new CortexError('unavailable', `no Redis at ${shown} within ${connectMs} ms`, { cause: lastError }));
    }, reject);
  });
  client.connect().catch((error: unknown) => {
    lastError ??= error; // it goes on trying by itself
  });
  try {
    await connected;
  } catch (error) {
    closing = Promise.resolve();
    client.disconnect();
    throw error;
  }

  return {
    get state() {
      return link.state;
    },
    get calls() {
      return calls;
    },
    onState: link.onState,
    get: (key) => serve(async () => (await call('GET', 'GET', [key])) as string | null),
    getBytes: (key) => serve(async () => toBytes((await call('GET', 'GET', [key], null)) as Buffer | null)),
    set: (key, value, { ttlMs } = {}) =>
      serve(async () => {
        await call('SET', 'SET', ttlMs === undefined ? [key, value] : [key, value, 'PX', ttlMs]);
      }),
    run: (script, keys, args, { signal } = {}) => abortable(signal, () => serve(() => run(script, keys, args))),
    runBytes: (script, keys, args) => serve(() => run(script, keys, args.map(toPart))),
    durability: () => serve(describe),
    async assertNoEviction() {
      const { evictionPolicy } = await serve(describe);
      if (evictionPolicy === 'noeviction') return;
      throw new CortexError(
        'failed_precondition',
        `Redis at ${shown} has the eviction policy ${evictionPolicy}: jobs could vanish. Set maxmemory-policy to noeviction`,
      );
    },
    close: () => (closing ??= shut()),
  };
}

function isRefusedSelect(error: unknown): boolean {
  const { command } = error as { readonly command?: { readonly name?: string } };
  return command?.name === 'select';
}

/** Without a copy, in both directions. */
function toPart(arg: Arg | Uint8Array): Part {
  return arg instanceof Uint8Array ? Buffer.from(arg.buffer, arg.byteOffset, arg.byteLength) : arg;
}

function toBytes(buffer: Buffer | null): Uint8Array | null {
  return buffer === null ? null : new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
