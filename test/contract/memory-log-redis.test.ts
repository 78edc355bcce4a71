// Memories on Redis keep their contract, with one partition and with four, and by REST.
import { createKeys } from '#core/jobs/keys.ts';
import { createRedisLog } from '#core/jobs/redis-log.ts';
import { redisStage } from '../helpers/redis-job-store.ts';
import { restStage } from '../helpers/rest-job-store.ts';
import { testMemoryLog } from './memory-log.ts';

const { make, redis } = redisStage();
for (const n of [1, 4]) {
  testMemoryLog(
    'Redis',
    make,
    (_, partitions, now, limits) => createRedisLog({ redis: redis(), keys: createKeys(partitions), now, limits }),
    n,
  );
}

const rest = restStage();
testMemoryLog(
  'REST',
  rest.make,
  (_, partitions, now, limits) => createRedisLog({ redis: rest.redis(), keys: createKeys(partitions), now, limits }),
  1,
);
