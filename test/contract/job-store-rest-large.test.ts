// What the bound on a request of REST means for the job store: one request for what fits, more for what does not, and every promise of
// acceptance as before: one step, nobody else's keys, nothing lasting before it.
import { expect, test } from 'vitest';
import type { CortexError } from '#core/errors.ts';
import type { NewJob } from '#core/jobs/job.ts';
import type { PageQuery } from '#core/jobs/store.ts';
import { createRedisStore } from '#core/jobs/redis-store.ts';
import { type Redis, script, text } from '#core/redis/redis.ts';
import { restStage } from '../helpers/rest-job-store.ts';
import { createRig, type Rig } from './job-store/rig.ts';

const most = 20_000;
const { front, redis, make } = restStage({ maxRequestBytes: most });
const stagedKeys = script('staged', `return redis.call('KEYS','*stage:*')`);
const remove = script('remove', `return redis.call('DEL',KEYS[1])`);
const ttl = script('ttl', `return redis.call('PTTL',KEYS[1])`);

/** Requests that a call takes, its scripts being known. */
async function requests(call: () => Promise<unknown>): Promise<number> {
  const before = front().requests();
  await call();
  return front().requests() - before;
}

test.each([1, 4])('create, view, page, cancel and look are one request each, with P = %i', async (partitions) => {
  const rig = await createRig(make, partitions);
  const job = await rig.pending();
  const { id, tenant } = job;
  const any = {
    state: undefined,
    topic: undefined,
    traceId: undefined,
    updatedAfter: undefined,
    updatedBefore: undefined,
  };
  const query: PageQuery = { tenant, limit: 20, cursor: undefined, ...any };
  const calls = {
    view: () => rig.raw.view(id, tenant),
    page: () => rig.raw.page(query),
    look: () => rig.raw.look([{ id, tenant }]),
    result: () => rig.raw.result(id, tenant),
    events: () => rig.raw.events(tenant, '', 10),
    cancel: () => rig.raw.end([rig.endOf(job, 'CANCELLED')]),
  };
  for (const call of Object.values(calls)) await call(); // scripts are loaded once
  for (const [name, call] of Object.entries(calls)) expect(await requests(call), name).toBe(1);
  // On a cluster somebody may have brought a minted id from outside: that is asked first.
  const create = partitions === 1 ? 1 : 2;
  expect(await requests(() => rig.raw.create([rig.newJob({ payload: 'x'.repeat(10_000) })]))).toBe(create);
});

test('many jobs that fit one by one go in as many requests as they need, each job once, in order', async () => {
  const rig = await createRig(make, 1);
  const jobs = Array.from({ length: 20 }, () => rig.newJob({ payload: 'x'.repeat(5_000) }));
  const [first, last] = [jobs[0] as NewJob, jobs.at(-1) as NewJob];
  await rig.raw.create([rig.newJob()]);
  let answers: readonly { readonly outcome: string }[] = [];
  const all = [...jobs, first, { ...last, digest: 'another' }];
  expect(await requests(async () => (answers = await rig.raw.create(all)))).toBe(8);
  expect(answers.map(({ outcome }) => outcome)).toEqual([...jobs.map(() => 'created'), 'existing', 'conflict']);
  await rig.audit();
});

const texts: readonly (readonly [string, string])[] = [
  ['plain', JSON.stringify('x'.repeat(100_000))],
  ['of characters outside the plane', JSON.stringify('👋ü"'.repeat(10_000))],
  ['of control characters', '\u0000\u0001'.repeat(8_000)],
  ['that begins with a mark', `\ufeff${'y'.repeat(30_000)}`],
];

test.each([1, 4])(
  'a payload that is too large for a request is there whole, for its own job, P = %i',
  async (partitions) => {
    const rig = await createRig(make, partitions);
    for (const [name, payload] of texts) {
      const job = await rig.dispatched({ payload, tenant: `t ${name.length}`.replace(' ', '') });
      expect(await rig.driver.read(job.tenant, `ctx:${job.id}`), name).toBe(payload);
      expect(rig.one(await rig.store.accept([rig.acceptOf(job)])), name).toMatchObject({ outcome: 'run', payload });
      await rig.store.end([rig.endOf(job, 'CANCELLED')]);
    }
    expect(await redis().run(stagedKeys, [], [])).toEqual([]);
  },
);

test('it lasts as long as its job, as any payload', async () => {
  const rig = await createRig(make, 1);
  const job = await rig.pending({ payload: 'x'.repeat(50_000) });
  expect(await redis().run(ttl, [`ctx:${job.id}`], [])).toBe(-1);
  await rig.audit();
  await rig.store.end([rig.endOf(job, 'CANCELLED')]);
  expect(Number(await redis().run(ttl, [`ctx:${job.id}`], []))).toBeGreaterThan(0);
});

test('the same job again is the same job, by its id and by its key, and leaves nothing behind', async () => {
  const rig = await createRig(make, 1);
  const large = { payload: 'x'.repeat(50_000), idempotency: { key: 'k', digest: 'd' } };
  const job = rig.newJob(large);
  expect(rig.one(await rig.store.create([job])).outcome).toBe('created');
  const before = await rig.snapshot();
  expect(rig.one(await rig.store.create([job])).outcome).toBe('existing');
  expect(rig.one(await rig.store.create([rig.newJob(large)]))).toMatchObject({ outcome: 'existing', id: job.id });
  const other = rig.newJob({ ...large, idempotency: { key: 'k', digest: 'other' } });
  expect(rig.one(await rig.store.create([other])).outcome).toBe('idempotency_conflict');
  const { idempotency: _, ...free } = { ...job, digest: 'another', payload: 'y'.repeat(50_000) };
  expect(rig.one(await rig.store.create([free])).outcome).toBe('conflict');
  expect(await rig.snapshot()).toBe(before);
  const [a] = [rig.newJob({ payload: 'z'.repeat(50_000) })];
  expect((await rig.store.create([a, a])).map(({ outcome }) => outcome)).toEqual(['created', 'existing']);
  expect(await redis().run(stagedKeys, [], [])).toEqual([]);
});

test('the payload of somebody else stays as it is, with a record or without one', async () => {
  const rig = await createRig(make, 1);
  const job = rig.newJob({ id: 'an-id', payload: 'x'.repeat(50_000) });
  await rig.driver.write('t1', 'ctx:an-id', 'of somebody');
  expect(rig.one(await rig.raw.create([job])).outcome).toBe('conflict');
  expect(await rig.driver.read('t1', 'ctx:an-id')).toBe('of somebody');
  expect(await rig.raw.view('an-id', 't1')).toBeUndefined();
});

test('what is larger than a request beside its payload is refused, and nothing lasts', async () => {
  const rig = await createRig(make, 1);
  const job = { ...rig.newJob({ payload: 'x'.repeat(50_000) }), packet: new Uint8Array(most) };
  await expect(rig.raw.create([job])).rejects.toMatchObject({ code: 'invalid_argument' });
  expect(await rig.raw.view(job.id, job.tenant)).toBeUndefined();
  await lasting(rig);
});

/** Everything there is ends by itself. */
async function lasting(rig: Rig): Promise<void> {
  const lines = (await rig.snapshot(true)).split('\n').filter((line) => line !== '');
  expect(lines.filter((line) => !/^\S*stage:\S+ string true /.test(line)).map((line) => line.slice(0, 80))).toEqual([]);
}

let randoms = 0;

/** The store on a Redis that is interfered with before its nth call. */
function storeOn(rig: Rig, before: (call: number, keys: readonly string[]) => Promise<void>) {
  let calls = 0;
  const interfered: Redis = {
    ...redis(),
    maxRequestBytes: most,
    async run(...call) {
      await before(++calls, call[1]);
      return redis().run(...call);
    },
  };
  return createRedisStore({ redis: interfered, keys: rig.keys, now: rig.now, random: () => `feed${++randoms}` });
}

test('a process that dies before its job is stored leaves nothing that lasts', async () => {
  const rig = await createRig(make, 1);
  const job = rig.newJob({ payload: 'x'.repeat(50_000) });
  for (let last = 2; last <= 4; last++) {
    const store = storeOn(rig, async (call) => {
      if (call >= last) throw new Error('died');
      return Promise.resolve();
    });
    await expect(store.create([job])).rejects.toThrow('died');
    await lasting(rig);
    const [staged] = (await redis().run(stagedKeys, [], [])) as string[];
    const left = Number(await redis().run(ttl, [text(staged)], []));
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(60_000);
  }
  // The client comes again.
  expect(rig.one(await rig.store.create([job])).outcome).toBe('created');
});

test('a staged payload that ran out, in part or as a whole, makes no job: the call may be repeated', async () => {
  const rig = await createRig(make, 1);
  const job = rig.newJob({ payload: 'x'.repeat(50_000) });
  for (let at = 2; at <= 4; at++) {
    const store = storeOn(rig, async (call) => {
      if (call === at) await redis().run(remove, [`stage:feed${randoms}`], []);
    });
    const error = await store.create([job]).catch((thrown: unknown) => thrown as CortexError);
    expect(error, `before call ${at}`).toMatchObject({ code: 'unavailable' });
    expect(await rig.raw.view(job.id, job.tenant)).toBeUndefined();
  }
  await lasting(rig);
  expect(rig.one(await rig.store.create([job])).outcome).toBe('created');
  await rig.audit();
});
