// The Redis that a command works on by itself: named, or the one of a system that runs from a checkout of ours.
import { CortexError } from '#core/errors.ts';
import { connectRedis } from '#core/redis/ioredis.node.ts';
import type { RedisConnection } from '#core/redis/redis.ts';
import { Stop } from '../bootstrap/stop.mjs';
import type { Context } from './command.ts';
import { exit } from './exit.ts';
import { findRun } from './find-gateway.ts';

const fallback = 'redis://localhost:6379';

/** Runs `work` on a connection. Throws Stop when there is no such Redis, or when it refuses. */
export async function withRedis<T>(
  { args, env, cwd, checkout }: Pick<Context, 'args' | 'env' | 'cwd' | 'checkout'>,
  work: (redis: RedisConnection) => Promise<T>,
): Promise<T> {
  const given = args.text('redis') ?? (env['REDIS_URL'] || undefined);
  const url = given ?? findRun({ cwd, checkout }, (run) => run.redis || undefined)?.value ?? fallback;
  const name = args.text('redis') !== undefined ? '--redis' : given !== undefined ? 'REDIS_URL' : 'Redis';
  try {
    const redis = await connectRedis({ url, name: 'cortex-cli', connectMs: 2_000, onError: () => undefined });
    try {
      return await work(redis);
    } finally {
      await redis.close();
    }
  } catch (error) {
    if (!(error instanceof CortexError)) throw error;
    const code = error.code === 'invalid_argument' ? exit.usage : exit.unreachable;
    throw new Stop(`${name}: ${error.message}`, code);
  }
}
