// The Redis behind the front: one connection for commands, and one for subscriptions when somebody has any. A command that Redis cannot
// take now is refused at once, and nothing is sent twice: whether to repeat it is the client's business.
import { Command, Redis as Client } from 'ioredis';
import { within } from '#core/deadline.ts';
import { CortexError } from '#core/errors.ts';
import { parseRedisUrl } from '#core/redis/redis-url.ts';
import type { RestCommand } from './commands.ts';

export interface BackendOptions {
  /** As REDIS_URL. */
  readonly url: string;
  /** How long Redis may take for what one request asks, ms. Default 5,000. */
  readonly commandTimeoutMs?: number;
  /** Told once for each new trouble with the connection. */
  readonly onTrouble: (error: Error) => void;
}

export interface Follower {
  readonly message: (text: string) => void;
  /** The connection is gone: messages may have been missed. Called once, and nothing after it. */
  readonly lost: () => void;
}

export interface Backend {
  /**
   * Sends commands in one write and answers their replies in order: Buffers, numbers, null, lists, and an Error for each refusal.
   * Throws `unavailable` when Redis is away or late; the commands may have run.
   */
  run(commands: readonly RestCommand[]): Promise<readonly unknown[]>;
  /** Follows a channel from now on; the answer stops it. Throws `unavailable`. */
  follow(channel: string, follower: Follower): Promise<() => void>;
  /** Waits for the first connection, at most so many ms; answers whether there is one. */
  ready(ms: number): Promise<boolean>;
  close(): void;
}

interface More {
  readonly connectionName: string;
  readonly enableOfflineQueue?: boolean;
  readonly autoResubscribe?: boolean;
}

/** A backend that connects by itself, now and after each loss. Throws `invalid_argument` for the URL. */
export function createBackend({ url, commandTimeoutMs = 5_000, onTrouble }: BackendOptions): Backend {
  const options = clientOptions(url, commandTimeoutMs);
  let trouble = '';
  const connect = (more: More): Client => {
    const made = new Client({ ...options, ...more });
    made.on('error', (error: Error) => {
      if (error.message !== trouble) onTrouble(error);
      trouble = error.message;
    });
    made.on('ready', () => (trouble = ''));
    return made;
  };
  const late = (): CortexError => new CortexError('unavailable', `Redis did not answer within ${commandTimeoutMs} ms`);
  const away = (cause: unknown): CortexError => new CortexError('unavailable', 'Redis is not there', { cause });

  const client = connect({ connectionName: 'redis-rest' });
  const channels = new Map<string, Set<Follower>>();
  /** How many are about to follow a channel: nobody else's end may take the subscription from them. */
  const coming = new Map<string, number>();
  const leave = (from: Client, channel: string): void => {
    if (coming.has(channel) || (channels.get(channel)?.size ?? 0) > 0) return;
    channels.delete(channel);
    from.unsubscribe(channel).catch(() => undefined); // the connection is gone, and the subscription with it
  };
  let subscriber: Client | undefined;
  const subscriptions = (): Client => {
    if (subscriber !== undefined) return subscriber;
    const made = connect({ connectionName: 'redis-rest-channels', enableOfflineQueue: true, autoResubscribe: false });
    made.on('message', (channel: string, text: string) => {
      for (const follower of channels.get(channel) ?? []) follower.message(text);
    });
    made.on('close', () => {
      const gone = Array.from(channels.values(), (followers) => Array.from(followers)).flat();
      channels.clear();
      for (const follower of gone) follower.lost();
    });
    subscriber = made;
    return made;
  };

  return {
    async run(commands) {
      // Names stay in capitals: for small ones the client has transformations of its own.
      const sent = commands.map(([name, ...args]) => new Command(name, args, { replyEncoding: null }));
      for (const command of sent) void client.sendCommand(command);
      const replies = sent.map(({ promise }) =>
        promise.catch((error: unknown): Error => {
          if (error instanceof Error && error.name === 'ReplyError') return error;
          throw away(error);
        }),
      );
      return within(commandTimeoutMs, Promise.all(replies), late);
    },
    async follow(channel, follower) {
      const from = subscriptions();
      coming.set(channel, (coming.get(channel) ?? 0) + 1);
      try {
        await within(commandTimeoutMs, from.subscribe(channel), late);
        const followers = channels.get(channel) ?? new Set();
        channels.set(channel, followers.add(follower));
        return () => {
          followers.delete(follower);
          if (channels.get(channel) === followers) leave(from, channel);
        };
      } catch (error) {
        throw error instanceof CortexError ? error : away(error);
      } finally {
        const others = (coming.get(channel) ?? 0) - 1;
        if (others > 0) coming.set(channel, others);
        else coming.delete(channel);
        leave(from, channel);
      }
    },
    ready(ms) {
      if (client.status === 'ready') return Promise.resolve(true);
      const ready = new Promise<boolean>((resolve) => client.once('ready', () => resolve(true)));
      return within(ms, ready, late).catch(() => false);
    },
    close() {
      client.disconnect();
      subscriber?.disconnect();
    },
  };
}

function clientOptions(url: string, timeoutMs: number) {
  const { tls, username, password, host, port, db } = parseRedisUrl(url);
  return {
    host,
    port,
    db,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls && { tls: {} }),
    protocol: 2 as const, // replies in the shapes that REST has
    disableClientInfo: true,
    connectTimeout: timeoutMs,
    socketTimeout: timeoutMs + 1_000,
    maxLoadingRetryTime: 250,
    retryStrategy: (times: number) => Math.min(50 * 2 ** Math.min(times - 1, 10), 1_000) + Math.random() * 100,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    reconnectOnError: ({ message }: Error) => message.startsWith('READONLY'),
  };
}
