// A configuration text for a Node process: a file, or what `cortex config push` put in Redis.
import { CortexError } from '#core/errors.ts';
import type { FoundFile } from '#core/process/config-file.ts';
import { findFile } from '#core/process/config-file.node.ts';
import type { RedisConnection } from '#core/redis/redis.ts';
import { readConfig, type StoredName, storedKey } from './stored.ts';

/** In place of a path: the text is in Redis. */
const inRedis = 'redis';

/**
 * The text as it is now; `connect` is called for one that is in Redis. What is wrong is told with the other problems of a configuration;
 * nothing is thrown.
 */
export async function findConfig(
  path: string,
  name: StoredName,
  connect: () => Promise<RedisConnection>,
): Promise<FoundFile> {
  if (path !== inRedis) return findFile(path);
  const place = `${storedKey(name)} in Redis`;
  try {
    const redis = await connect();
    try {
      const found = await readConfig(redis, name);
      if (found !== undefined) return { path: place, text: found.text };
      return { path: place, text: undefined, fault: 'nothing was pushed there (cortex config push)' };
    } finally {
      await redis.close();
    }
  } catch (error) {
    if (error instanceof CortexError) return { path: place, text: undefined, fault: error.message };
    throw error;
  }
}
