// Job stores on one real redis-server for a test file: emptied for each test, with a second connection for races.
import { afterAll, beforeAll } from 'vitest';
import type { CortexError } from '#core/errors.ts';
import { createRedisStore } from '#core/jobs/redis-store.ts';
import { connectRedis } from '#core/redis/ioredis.node.ts';
import { type Redis, type RedisConnection, script } from '#core/redis/redis.ts';
import type { MakeStore } from '../contract/job-store/rig.ts';
import { redisBooks } from './books.ts';
import { dump, textOf } from './redis-dump.ts';
import { startRedis, type TestServer } from './servers.ts';

export interface RedisStage {
  readonly server: () => TestServer;
  readonly redis: () => RedisConnection;
  readonly make: MakeStore;
}

const flush = script('flush', `return redis.call('FLUSHALL')`);
const unlist = script('unlist', `return redis.call('ZREM',KEYS[1],ARGV[1])`);
const remove = script('remove', `return redis.call('DEL',KEYS[1])`);

/** Starts the server before the tests of this file and ends it after them. */
export function redisStage(): RedisStage {
  let server: TestServer | undefined;
  const connections: RedisConnection[] = [];
  const errors: CortexError[] = [];
  const at = (i: 0 | 1): RedisConnection => {
    const connection = connections[i];
    if (connection === undefined) throw new Error('no connection yet');
    return connection;
  };
  beforeAll(async () => {
    server = await startRedis();
    const { url } = server;
    for (const name of ['one', 'two'])
      connections.push(
        await connectRedis({ url, name, onError: (e) => void errors.push(e), commandTimeoutMs: 10_000 }),
      );
  });
  afterAll(async () => {
    for (const connection of connections) await connection.close();
    await server?.stop();
    if (errors.length > 0) throw new AggregateError(errors, 'a connection complained');
  });
  return {
    server: () => {
      if (server === undefined) throw new Error('no server yet');
      return server;
    },
    redis: () => at(0),
    make: makeOn(at),
  };
}

/** Makes stores on what two connections lead to: an emptied Redis. What tests do past the stores goes by `direct`. */
export function makeOn(at: (connection: 0 | 1) => Redis, direct: () => Redis = () => at(0)): MakeStore {
  return async ({ keys, ...options }) => {
    const redis = direct();
    await redis.run(flush, [], []);
    const of = (tenant: string, key: string): string => `${keys.prefix(keys.ofTenant(tenant))}${key}`;
    return {
      store: createRedisStore({ redis: at(0), keys, ...options }),
      other: createRedisStore({ redis: at(1), keys, ...options }),
      books: async () => redisBooks(await dump(redis), keys),
      snapshot: async (coarse) => textOf(await dump(redis), coarse),
      async write(tenant, key, value) {
        if (value === undefined) await redis.run(remove, [of(tenant, key)], []);
        else await redis.set(of(tenant, key), value);
      },
      read: (tenant, key) => redis.get(of(tenant, key)),
      async unlist(tenant, id) {
        await redis.run(unlist, [of(tenant, `jobs:${tenant}`)], [id]);
      },
    };
  };
}
