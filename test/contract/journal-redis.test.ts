// The journal on Redis keeps its contract, over TCP and over REST, with one partition and with four; and how long its keys are there.
import { expect, test } from 'vitest';
import { createKeys } from '#core/jobs/keys.ts';
import { createRedisJournal } from '#core/jobs/redis-journal.ts';
import { redisStage } from '../helpers/redis-job-store.ts';
import { restStage } from '../helpers/rest-job-store.ts';
import { createRig } from './job-store/rig.ts';
import { testJournal } from './journal.ts';
import { ask, connect } from './redis-clients.ts';

const tcp = redisStage();
const rest = restStage({ maxRequestBytes: 10_000_000 });
for (const n of [1, 4]) {
  testJournal('Redis', tcp.make, () => createRedisJournal({ redis: tcp.redis(), keys: createKeys(n) }), n);
  testJournal('REST', rest.make, () => createRedisJournal({ redis: rest.redis(), keys: createKeys(n) }), n);
}

test('its keys are there as long as the record may be, and a seed without a job some minutes', async () => {
  const rig = await createRig(tcp.make, 1);
  const journal = createRedisJournal({ redis: tcp.redis() });
  const redis = await connect(tcp.server());
  const end = async (key: string): Promise<number> => Number(await ask(redis, 'PEXPIRETIME', key));
  await journal.seed({ id: 'seeded', tenant: 't1', lines: ['1'], signals: [{ name: 'a', value: '1', at: 1 }] });
  const soon = Date.now() + 600_000;
  for (const key of ['wf:seeded', 'wf:seeded:in']) expect(Math.abs((await end(key)) - soon)).toBeLessThan(60_000);
  const job = await rig.running({ id: 'seeded', tenant: 't1', topic: 'job.workflow.x' });
  // The record's deadline, and a week more.
  const due = rig.now() + 8 * 24 * 3_600_000;
  for (const key of ['wf:seeded', 'wf:seeded:in']) expect(await end(key)).toBe(due);
  const { fence = '', attempt = '' } = job.handOut ?? {};
  await journal.append({ id: 'seeded', tenant: 't1', fence, attempt, from: 1, lines: ['2'] });
  // What the seed brought lives as long, without a signal that comes later.
  for (const key of ['wf:seeded', 'wf:seeded:in']) expect(await end(key)).toBe(due);
  await journal.send({ id: 'seeded', tenant: 't1', name: 'a', value: '1', key: 'k' });
  for (const key of ['wf:seeded', 'wf:seeded:in', 'wf:seeded:in:keys']) expect(await end(key)).toBe(due);
  const other = await rig.running({ id: 'plain', tenant: 't1', topic: 'job.workflow.x' });
  const hold = { fence: other.handOut?.fence ?? '', attempt: other.handOut?.attempt ?? '' };
  await journal.append({ id: 'plain', tenant: 't1', ...hold, from: 0, lines: ['1'] });
  expect(await end('wf:plain')).toBe(due);
});

test('each call of a run names keys of one partition, under one tag', async () => {
  const rig = await createRig(tcp.make, 4);
  const journal = createRedisJournal({ redis: tcp.redis(), keys: createKeys(4) });
  const job = await rig.running({ topic: 'job.workflow.x' });
  const { fence = '', attempt = '' } = job.handOut ?? {};
  await journal.append({ id: job.id, tenant: 't1', fence, attempt, from: 0, lines: ['1'] });
  await journal.send({ id: job.id, tenant: 't1', name: 'a', value: '1', key: 'k' });
  const redis = await connect(tcp.server());
  const tag = rig.keys.prefix(rig.keys.ofTenant('t1'));
  const found = (await ask(redis, 'KEYS', '*wf:*')) as string[];
  expect(found.toSorted()).toEqual([`${tag}wf:${job.id}`, `${tag}wf:${job.id}:in`, `${tag}wf:${job.id}:in:keys`]);
});
