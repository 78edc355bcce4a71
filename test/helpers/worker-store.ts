// The store that worker tests run on: a real redis-server, one for the test file, emptied for each stage; its time is the test's clock.
import { afterAll, beforeAll } from 'vitest';
import { createKeys } from '#core/jobs/keys.ts';
import { createRedisStore, type RedisStoreOptions } from '#core/jobs/redis-store.ts';
import type { JobStore } from '#core/jobs/store.ts';
import { connectRedis } from '#core/redis/ioredis.node.ts';
import { type RedisConnection, script } from '#core/redis/redis.ts';
import type { Clock } from '#core/system.ts';
import { startRedis, type TestServer } from './servers.ts';

let server: TestServer | undefined;
let redis: RedisConnection | undefined;
const more: RedisConnection[] = [];

beforeAll(async () => {
  server = await startRedis();
  redis = await connectRedis({ url: server.url, name: 'worker-tests', onError: () => undefined });
});
afterAll(async () => {
  for (const connection of more) await connection.close();
  await redis?.close();
  await server?.stop();
});

/** An empty store; without a clock on the server's own time. */
export async function makeStore(clock?: Clock): Promise<JobStore> {
  if (redis === undefined) throw new Error('no redis yet');
  await redis.run(script('flush', "return redis.call('FLUSHALL')"), [], []);
  return createRedisStore({ ...common(redis), ...(clock !== undefined && { now: () => clock.now() }) });
}

/** The same store on one more connection, which allows a call this long, ms; emptied by nobody. */
export async function storeOn(commandTimeoutMs: number): Promise<JobStore> {
  if (server === undefined) throw new Error('no redis yet');
  const { url } = server;
  const connection = await connectRedis({ url, name: 'worker-tests', onError: () => undefined, commandTimeoutMs });
  more.push(connection);
  return createRedisStore(common(connection));
}

function common(connection: RedisConnection): RedisStoreOptions {
  return { redis: connection, keys: createKeys(1), random: () => crypto.randomUUID().replaceAll('-', '') };
}
