// The snapshot of the workers: written by schedulers, read by those who have no registry.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectRedis } from '#core/redis/ioredis.node.ts';
import type { RedisConnection } from '#core/redis/redis.ts';
import { readWorkers, snapshotKey, writeWorkers, type WorkerSnapshot } from '#core/routing/snapshot.ts';
import { startRedis, type TestServer } from '../../helpers/servers.ts';

let server: TestServer;
let redis: RedisConnection;
beforeAll(async () => {
  server = await startRedis();
  redis = await connectRedis({ url: server.url, name: 'snapshot', onError: () => undefined });
});
afterAll(async () => {
  await redis.close();
  await server.stop();
});

const worker = (id: string): WorkerSnapshot => ({
  ...{ worker_id: id, region: 'local', type: 'cpu', cpu_load: 1.5, gpu_utilization: 0, active_jobs: 2 },
  ...{ capabilities: ['x'], pool: 'p', max_parallel_jobs: 4, labels: { os: 'l' }, last_seen: 1_800_000_000_000 },
});

test('nobody has written: nobody is there', async () => {
  expect(await readWorkers(redis)).toEqual([]);
});

test('what was written is read, by id', async () => {
  await writeWorkers(redis, [worker('b'), worker('a')], 1_800_000_000_000);
  expect(await readWorkers(redis)).toEqual([worker('a'), worker('b')]);
  expect(JSON.parse((await redis.get(snapshotKey)) ?? '')).toMatchObject({ ts: 1_800_000_000_000 });
});

test('what an older version wrote is read with defaults', async () => {
  await redis.set(snapshotKey, '{"ts":1,"workers":[{"worker_id":"a"}]}');
  expect(await readWorkers(redis)).toMatchObject([{ worker_id: 'a', capabilities: [], labels: {}, active_jobs: 0 }]);
});

test.each(['not json', '[]', '{"ts":1}', '{"ts":1,"workers":[{}]}', '{"ts":1,"workers":[{"worker_id":"a","pool":7}]}'])(
  '%s is data loss, and says which key',
  async (text) => {
    await redis.set(snapshotKey, text);
    await expect(readWorkers(redis)).rejects.toMatchObject({
      code: 'data_loss',
      message: expect.stringContaining(snapshotKey),
    });
  },
);
