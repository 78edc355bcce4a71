// Clients for the tests of the Redis driver: ours, closed after each test, which must have nothing to complain about; and a plain
// one for what only the server's keeper does.
import { Redis } from 'ioredis';
import { afterEach, expect } from 'vitest';
import type { CortexError } from '#core/errors.ts';
import { type ConnectRedisOptions, connectRedis } from '#core/redis/ioredis.node.ts';
import { type Redis as Port, type RedisConnection, script } from '#core/redis/redis.ts';

export const open: RedisConnection[] = [];
export const errors: CortexError[] = [];

export async function connect(server: { readonly url: string }, options: Partial<ConnectRedisOptions> = {}) {
  const onError = (error: CortexError): void => void errors.push(error);
  const redis = await connectRedis({ url: server.url, name: 'contract', onError, ...options });
  open.push(redis);
  return redis;
}

afterEach(async () => {
  for (const redis of open.splice(0)) await redis.close();
  expect(errors.splice(0)).toEqual([]);
});

export const echo = script('echo', 'return ARGV');
export const raw = script('raw', 'return redis.call(unpack(ARGV))');
/** Keeps the server busy for so many milliseconds. */
export const spin = script(
  'spin',
  `local function at() local t = redis.call('TIME') return t[1] * 1000 + t[2] / 1000 end
  local start = at() while at() - start < tonumber(ARGV[1]) do end return 1`,
);
export const ask = (redis: Port, ...command: (string | number)[]) => redis.run(raw, [], command);

/** One command by a client of its own. */
export async function cli(port: number, name: string, ...args: string[]): Promise<unknown> {
  const client = new Redis(port, '127.0.0.1');
  try {
    return await client.call(name, ...args);
  } finally {
    client.disconnect();
  }
}
