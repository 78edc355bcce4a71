// Repositories on Redis keep their contract, with one partition and with four; and all keys of a call carry one tag.
import { expect, test } from 'vitest';
import { createRedisRepos } from '#core/context/redis-repos.ts';
import { createKeys } from '#core/jobs/keys.ts';
import { script } from '#core/redis/redis.ts';
import { redisStage } from '../helpers/redis-job-store.ts';
import { testRepos } from './repos.ts';

const stage = redisStage();
const flush = script('flush', `return redis.call('FLUSHALL')`);
const names = script('names', `return redis.call('KEYS','*')`);
for (const n of [1, 4]) {
  testRepos(`Redis, ${n} partitions`, async (now, limits) => {
    await stage.redis().run(flush, [], []);
    return createRedisRepos({ redis: stage.redis(), keys: createKeys(n), limits, now });
  });
}

test('what is not used any more is gone by itself', async () => {
  const redis = stage.redis();
  await redis.run(flush, [], []);
  const repos = createRedisRepos({ redis, keys: createKeys(4) });
  const r = { tenant: 't1', repository: 'r' };
  await repos.putFiles({ ...r, files: [{ print: 'a', bytes: new Uint8Array(3) }] });
  await repos.putIndex({ ...r, commit: 'c', blob: new Uint8Array(5), prints: ['a'] });
  await repos.putVectors({ ...r, space: 's', files: [{ print: 'a', bytes: new Uint8Array(7) }] });
  const keys = (await redis.run(names, [], [])) as string[];
  const tag = createKeys(4).prefix(createKeys(4).ofTenant('t1'));
  expect(keys).toHaveLength(9);
  const expiry = script('expiry', `return redis.call('PTTL',KEYS[1])`);
  for (const key of keys) {
    expect(key.startsWith(tag), key).toBe(true);
    expect(Number(await redis.run(expiry, [key], [])), key).toBeGreaterThan(29 * 24 * 3_600_000);
  }
});
