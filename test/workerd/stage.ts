// Servers for functions in workerd: Redis with its REST front, NATS with its WebSocket.
import { connectRedis } from '#core/redis/ioredis.node.ts';
import type { RedisConnection } from '#core/redis/redis.ts';
import { freePort } from '../../local/servers/ports.ts';
import { type RedisRestFront, startRedisRest } from '../helpers/redis-rest.ts';
import { startNats, startRedis, type TestServer } from '../helpers/servers.ts';

export interface EdgeStage {
  readonly redis: TestServer;
  readonly nats: TestServer;
  readonly rest: RedisRestFront;
  /** A connection of the test's own. */
  readonly db: RedisConnection;
  /** The environment of a function here. */
  readonly env: Readonly<Record<'REDIS_REST_URL' | 'REDIS_REST_TOKEN' | 'NATS_WS_URL', string>>;
  stop(): Promise<void>;
}

export async function startEdgeStage(): Promise<EdgeStage> {
  const webSocketPort = await freePort();
  const [redis, nats] = await Promise.all([startRedis(), startNats({ webSocketPort })]);
  const rest = await startRedisRest(redis.url);
  const db = await connectRedis({ url: redis.url, name: 'test', onError: () => undefined });
  return {
    ...{ redis, nats, rest, db },
    env: {
      REDIS_REST_URL: rest.url,
      REDIS_REST_TOKEN: rest.token,
      NATS_WS_URL: `ws://127.0.0.1:${webSocketPort}`,
    },
    async stop() {
      await db.close();
      await rest.stop();
      await Promise.all([nats.stop(), redis.stop()]);
    },
  };
}
