// Job stores on one real redis-server behind the REST front, for a test file.
import { afterAll, beforeAll, expect } from 'vitest';
import { createUpstashRedis, type RestRedis, type UpstashRedisOptions } from '#core/redis/upstash.ts';
import { connectRedis } from '#core/redis/ioredis.node.ts';
import type { RedisConnection } from '#core/redis/redis.ts';
import type { MakeStore } from '../contract/job-store/rig.ts';
import { makeOn } from './redis-job-store.ts';
import { type RedisRestFront, startRedisRest } from './redis-rest.ts';
import { startRedis, type TestServer } from './servers.ts';

export interface RestStage {
  readonly front: () => RedisRestFront;
  readonly redis: () => RestRedis;
  readonly make: MakeStore;
}

/** Starts server and front before the tests of this file and ends them after them. `maxRequestBytes` holds for both sides. */
export function restStage(options: Pick<UpstashRedisOptions, 'maxRequestBytes'> = {}): RestStage {
  let server: TestServer | undefined;
  let front: RedisRestFront | undefined;
  // Audits after each operation would take longer by REST than what they audit.
  let direct: RedisConnection | undefined;
  const redis: RestRedis[] = [];
  const there = <T>(one: T | undefined): T => {
    if (one === undefined) throw new Error('not started yet');
    return one;
  };
  beforeAll(async () => {
    server = await startRedis();
    direct = await connectRedis({ url: server.url, name: 'direct', onError: () => undefined });
    front = await startRedisRest(server.url, { ...options, commandTimeoutMs: 10_000 });
    const { url, token } = front;
    for (let i = 0; i < 2; i++) redis.push(createUpstashRedis({ url, token, commandTimeoutMs: 10_000, ...options }));
  });
  afterAll(async () => {
    await direct?.close();
    await front?.stop();
    await server?.stop();
    expect(front?.errors).toEqual([]);
  });
  return {
    front: () => there(front),
    redis: () => there(redis[0]),
    make: makeOn(
      (i) => there(redis[i]),
      () => there(direct),
    ),
  };
}
