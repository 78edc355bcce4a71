// Archives on Redis keep the contract, with one partition and with four; and where their keys are, and for how long.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { ArchiveLimits } from '#core/archives/archives.ts';
import { createRedisArchives } from '#core/archives/redis-archives.ts';
import { createKeys } from '#core/jobs/keys.ts';
import { startRedis, type TestServer } from '../helpers/servers.ts';
import { testArchives } from './archives.ts';
import { ask, connect } from './redis-clients.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
beforeEach(async () => {
  await ask(await connect(server), 'FLUSHALL');
});

const open = async (partitions: number, limits: Partial<ArchiveLimits> = {}) => {
  const redis = await connect(server);
  return { redis, archives: createRedisArchives({ redis, keys: createKeys(partitions), limits }) };
};

for (const partitions of [1, 4]) {
  testArchives(`Redis with ${partitions}`, async (limits) => (await open(partitions, limits)).archives);
}

const acme = { tenant: 'acme', sha256: 'a'.repeat(64) };

test.each([1, 4])('with %i partitions all keys of a tenant carry its tag', async (partitions) => {
  const { archives, redis } = await open(partitions);
  await archives.begin({ ...acme, bytes: 1 });
  const keys = (await ask(redis, 'KEYS', '*')) as string[];
  const tag = createKeys(partitions).prefix(createKeys(partitions).ofTenant('acme'));
  expect(keys.toSorted()).toEqual([`${tag}archive:acme:${acme.sha256}`, `${tag}archives:acme`]);
});

test('no key is without an end, and none outlives the last archive', async () => {
  const { archives, redis } = await open(1);
  const ends = async (): Promise<number[]> =>
    Promise.all(
      ((await ask(redis, 'KEYS', '*')) as string[]).map(async (key) => Number(await ask(redis, 'PTTL', key))),
    );
  await archives.begin({ ...acme, bytes: 1 });
  for (const ms of await ends()) expect(ms).toBeGreaterThan(3_500_000);
  await archives.put({ ...acme, part: 0, bytes: new Uint8Array(1) });
  await archives.keep(acme);
  for (const ms of await ends()) expect(ms).toBeGreaterThan(47 * 3_600_000);
  await archives.drop(acme);
  expect(await ends()).toEqual([]);
});
