// What a job costs, counted where noise cannot touch it: calls at the port, commands inside scripts, keys and bytes of a finished job;
// and that a job of a thousand costs what a job of ten does.
import { Redis as Client } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dump } from '../helpers/redis-dump.ts';
import { redisStage } from '../helpers/redis-job-store.ts';
import { createRig, type Rig } from './job-store/rig.ts';

const stage = redisStage();
let admin: Client;
beforeAll(() => {
  admin = new Client(stage.server().port);
});
afterAll(() => admin.disconnect());

/** Commands that the server ran since RESETSTAT, by name; inside scripts or not. */
async function commands(): Promise<ReadonlyMap<string, number>> {
  const lines = (await admin.info('commandstats')).matchAll(/cmdstat_([^:]+):calls=(\d+)/g);
  return new Map(Array.from(lines, ([, name, calls]) => [name ?? '', Number(calls)] as const));
}

/** One job from acceptance to announcement, one call a step: the plain path with batching off. */
async function plainPath(rig: Rig, of: { readonly tenant?: string } = {}): Promise<string> {
  const { store } = rig.driver;
  const job = rig.subject({ pool: 'pool', ...of });
  await store.create([job.new]);
  await store.gate([rig.gateOf(job)]);
  const claimed = rig.one(await store.claim([rig.claimOf(job, { worker: 'w1', instance: 'i1' })]));
  [job.handOut] = claimed.jobs;
  if (job.handOut?.id !== job.id) throw new Error('claimed another job');
  await store.accept([{ ...rig.acceptOf(job), worker: 'w1', instance: 'i1' }]);
  await store.commit([{ ...rig.commitOf(job), worker: 'w1' }]);
  await store.announced([job]);
  return job.id;
}

async function prepare(): Promise<Rig> {
  const rig = await createRig(stage.make, 1);
  await rig.raw.register({ worker: 'w1', instance: 'i1', pool: 'pool', capacity: 1, aliveMs: 600_000 });
  for (let i = 0; i < 20; i++) await plainPath(rig);
  return rig;
}

describe('a job on the plain path', () => {
  test('costs at most 6 calls and 75 commands', async () => {
    const rig = await prepare();
    const jobs = 64;
    await admin.config('RESETSTAT');
    const before = stage.redis().calls;
    for (let i = 0; i < jobs; i++) {
      rig.advance(1); // so that what is done once in sixteen ms takes its part
      await plainPath(rig);
    }
    const calls = (stage.redis().calls - before) / jobs;
    const ran = await commands();
    const inner = Array.from(ran).filter(([name]) => !['evalsha', 'config|resetstat', 'info'].includes(name));
    // With the clock of the server: one TIME in each call.
    const perJob = inner.reduce((sum, [, n]) => sum + n, 0) / jobs + calls;
    console.info(
      `${calls} calls and ${perJob} commands a job: ${inner.map(([name, n]) => `${name} ${n / jobs}`).join(', ')}`,
    );
    expect(calls).toBeLessThanOrEqual(6);
    expect(perJob).toBeLessThanOrEqual(75);
    expect(inner.map(([name]) => name)).not.toEqual(expect.arrayContaining(['keys']));
    expect(inner.map(([name]) => name)).not.toEqual(expect.arrayContaining(['scan']));
  });

  test('leaves at most 5 keys and 1,800 bytes beside packet, payload and result', async () => {
    const rig = await prepare();
    const [some, tenants, recent] = [500, 5, 1000];
    const ids: string[] = [];
    for (let i = 0; i < some; i++) {
      rig.advance(7);
      ids.push(await plainPath(rig, { tenant: `tenant${i % tenants}` }));
    }
    const entries = await dump(stage.redis());
    // Its own keys whole, and its share of what is shared. The tenant's stream and job:recent are bounded and do not grow with jobs.
    const own = entries.filter(({ key }) => ids.some((id) => key.includes(id)));
    const shared = entries.filter(({ key }) => key.startsWith('jobs:') || key === 'due');
    const bytes = async (list: readonly { readonly key: string }[]): Promise<number> => {
      const sizes = await Promise.all(list.map(({ key }) => admin.memory('USAGE', key, 'SAMPLES', 0)));
      return sizes.reduce<number>((sum, n) => sum + Number(n), 0);
    };
    const beside = own.filter(({ key }) => !/^(ctx|res|job:req):/.test(key));
    const perJob = (await bytes(beside)) / some + (await bytes(shared)) / (some + 20);
    const bounded = await bytes(entries.filter(({ key }) => /^(ev:|job:recent|vt:|qn)/.test(key)));
    console.info(
      `${own.length / some} keys and ${Math.round(perJob)} bytes a finished job; bounded: ${Math.round(bounded / tenants)} bytes a tenant, ${recent} ids recent`,
    );
    expect(own.length / some).toBeLessThanOrEqual(5);
    expect(perJob).toBeLessThanOrEqual(1800);
    // Small records stay compact: one value over 64 bytes would make them four times as large.
    for (const { key } of own.filter(({ key: k }) => k.startsWith('job:meta:')).slice(0, 10))
      expect(await admin.object('ENCODING', key)).toBe('listpack');
    // Nothing that grows with finished jobs is without an end.
    const lasting = entries.filter(({ expiresAt }) => expiresAt < 0).map(({ key }) => key.replace(/:.*/, ''));
    expect(new Set(lasting)).toEqual(new Set(['job', 'vt']));
    expect(
      entries.filter(({ expiresAt, key }) => expiresAt < 0 && key.startsWith('job:')).map(({ key }) => key),
    ).toEqual(['job:recent']);
  });

  test('costs the same behind ten waiting jobs and behind a thousand', async () => {
    const cost = async (waiting: number): Promise<ReadonlyMap<string, number>> => {
      const rig = await prepare();
      const { store } = rig.driver;
      const jobs = Array.from({ length: waiting }, () => rig.subject({ pool: 'pool', tenant: 'crowd' }));
      await store.create(jobs.map((job) => job.new));
      await store.gate(jobs.map((job) => rig.gateOf(job)));
      rig.advance(1);
      await admin.config('RESETSTAT');
      for (let i = 0; i < 10; i++) {
        await store.due(10, 1000);
        const claimed = rig.one(
          await store.claim([{ ...rig.claimOf(jobs[0] ?? rig.subject()), worker: 'w1', instance: 'i1' }]),
        );
        const [handOut] = claimed.jobs;
        if (handOut === undefined) throw new Error('claimed nothing');
        await store.commit([
          { ...rig.commitOf({ ...rig.subject({ id: handOut.id, tenant: 'crowd' }), handOut }), worker: 'w1' },
        ]);
        await store.page({
          ...{ tenant: 'crowd', limit: 10, cursor: undefined, state: undefined, topic: undefined, traceId: undefined },
          ...{ updatedAfter: undefined, updatedBefore: undefined },
        });
      }
      return commands();
    };
    await cost(20); // the scripts are loaded once
    const few = await cost(20);
    expect(await cost(1000)).toEqual(few);
  });
});
