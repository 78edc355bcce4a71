// Records that no script of ours left like that: somebody's HSET, a key of another type. One of them must not take down the other jobs
// of its call, nor stop the reconciler, nor be half changed; it is told. And a server that is full refuses before anything changed.
import { Redis as Client } from 'ioredis';
import { describe, expect, test } from 'vitest';
import type { CortexError } from '#core/errors.ts';
import { createKeys } from '#core/jobs/keys.ts';
import { createRedisStore } from '#core/jobs/redis-store.ts';
import type { JobState } from '#core/jobs/state.ts';
import type { JobStore } from '#core/jobs/store.ts';
import { script } from '#core/redis/redis.ts';
import { dump, textOf } from '../helpers/redis-dump.ts';
import { redisStage } from '../helpers/redis-job-store.ts';
import { createRig, policy, type Rig, type Subject } from './job-store/rig.ts';

const stage = redisStage();
const command = (name: string): ((...args: readonly (string | number)[]) => Promise<unknown>) => {
  const run = script(name, `return redis.call('${name}',unpack(ARGV))`);
  return (...args) => stage.redis().run(run, [], args);
};
const [hset, hdel, del, rpush, rename] = ['HSET', 'HDEL', 'DEL', 'RPUSH', 'RENAME'].map(command);

/** Each operation about one job, and the state that it needs. */
const operations: readonly {
  readonly name: string;
  readonly from: JobState;
  readonly run: (rig: Rig, store: JobStore, jobs: readonly Subject[]) => Promise<readonly unknown[]>;
}[] = [
  { name: 'create', from: 'PENDING', run: (_, store, jobs) => store.create(jobs.map((job) => job.new)) },
  { name: 'gate', from: 'PENDING', run: (rig, store, jobs) => store.gate(jobs.map((job) => rig.gateOf(job))) },
  {
    name: 'approve',
    from: 'AWAITING_APPROVAL',
    run: (rig, store, jobs) => store.approve(jobs.map((job) => rig.approveOf(job))),
  },
  { name: 'accept', from: 'DISPATCHED', run: (rig, store, jobs) => store.accept(jobs.map(rig.acceptOf)) },
  {
    name: 'renew',
    from: 'RUNNING',
    run: async (rig, store, jobs) => {
      const of = (job: Subject) => ({ worker: job.worker, instance: job.instance, pool: job.pool, capacity: 1 });
      const answers = await store.renew(
        jobs.map((job) => ({ ...of(job), leaseMs: 4000, aliveMs: 60_000, jobs: [rig.keyOf(job)] })),
      );
      return answers.map((answer) => answer.jobs[0]);
    },
  },
  {
    name: 'progress',
    from: 'RUNNING',
    run: (rig, store, jobs) => store.progress(jobs.map((job) => ({ ...rig.keyOf(job), percent: 5, message: 'm' }))),
  },
  {
    name: 'progress from the bus',
    from: 'RUNNING',
    run: (_rig, store, jobs) => store.progressForeign(jobs.map(({ id }) => ({ id, percent: 5, message: 'm' }))),
  },
  {
    name: 'output',
    from: 'RUNNING',
    run: (rig, store, jobs) => store.output(jobs.map((job) => ({ ...rig.keyOf(job), at: 0, text: 'a word' }))),
  },
  {
    name: 'artifact',
    from: 'RUNNING',
    run: (rig, store, jobs) =>
      Promise.all(jobs.map((job) => store.artifact({ ...rig.keyOf(job), name: 'a', bytes: Uint8Array.of(1) }))),
  },
  { name: 'commit', from: 'RUNNING', run: (rig, store, jobs) => store.commit(jobs.map((job) => rig.commitOf(job))) },
  {
    name: 'commit of a failure',
    from: 'RUNNING',
    run: (rig, store, jobs) => store.commit(jobs.map((job) => rig.commitOf(job, 'FAILED', { retryable: true }))),
  },
  {
    name: 'requeue',
    from: 'RUNNING',
    run: (rig, store, jobs) => store.requeue(jobs.map((job) => rig.requeueOf(job, 'RUNNING', 'lost'))),
  },
  {
    name: 'end',
    from: 'SCHEDULED',
    run: (rig, store, jobs) => store.end(jobs.map((job) => rig.endOf(job, 'CANCELLED'))),
  },
  {
    name: 'view',
    from: 'SUCCEEDED',
    run: async (_, store, jobs) => {
      const seen = await Promise.all(jobs.map(({ id, tenant }) => store.view(id, tenant)));
      return seen.map((job) => job && { id: job.id, state: job.state });
    },
  },
  {
    name: 'look',
    from: 'SUCCEEDED',
    run: async (_, store, jobs) => {
      const seen = await store.look(jobs.map(({ id, tenant }) => ({ id, tenant })));
      return seen.map((one) => one && { id: one.job.id, state: one.job.state, result: one.result });
    },
  },
  { name: 'announced', from: 'SUCCEEDED', run: (_, store, jobs) => store.announced(jobs) },
];

/** What somebody may do to a record. */
const damages: Readonly<Record<string, (job: Subject) => Promise<unknown>>> = {
  'another type': async ({ id }) => {
    await del?.(`job:meta:${id}`);
    await rpush?.(`job:meta:${id}`, 'x');
  },
  'only a state': async ({ id }) => {
    await rename?.(`job:meta:${id}`, `job:meta:old`);
    await del?.('job:meta:old');
    await hset?.(`job:meta:${id}`, 'state', 'RUNNING');
  },
  ...Object.fromEntries(
    [
      'state',
      'fence',
      'tenant',
      'created',
      'deadline',
      'timeout',
      'worker',
      'pool',
      'rundl',
      'queued',
      'digest',
      'attempts',
    ].flatMap((field) => [
      [`no ${field}`, ({ id }: Subject) => hdel?.(`job:meta:${id}`, field)],
      [`a ${field} of words`, ({ id }: Subject) => hset?.(`job:meta:${id}`, field, 'some words')],
      [`a ${field} of nan`, ({ id }: Subject) => hset?.(`job:meta:${id}`, field, 'nan')],
      [`an endless ${field}`, ({ id }: Subject) => hset?.(`job:meta:${id}`, field, '1e400')],
    ]),
  ),
};

describe('a broken record', () => {
  test.each(operations)('$name does its other jobs', async ({ from, run }) => {
    const faults: CortexError[] = [];
    for (const [damage, hurt] of Object.entries(damages)) {
      const rig = await createRig(stage.make, 1);
      const store = createRedisStore({
        redis: stage.redis(),
        keys: createKeys(1),
        now: rig.now,
        random: () => 'abcdef',
        onBroken: (error) => void faults.push(error),
      });
      const jobs = [await rig.in(from), await rig.in(from), await rig.in(from)];
      const [first, broken, last] = jobs as [Subject, Subject, Subject];
      // What it answers for sound jobs.
      const sound = await rig.in(from);
      const [right] = await run(rig, store, [sound]);
      await hurt(broken);
      const about = async (job: Subject): Promise<string> =>
        textOf((await dump(stage.redis())).filter(({ key }) => key.includes(job.id)));
      const before = await about(broken);
      const told = faults.length;
      const answers = await run(rig, store, jobs);
      const shape = (answer: unknown, job: Subject): string =>
        (JSON.stringify(answer) ?? 'undefined')
          .replaceAll(job.id, 'ID')
          .replaceAll(/"fence":"\d+"/g, '"fence"')
          .replaceAll(/"[a-z]+-pool\d+"/g, '""')
          .replaceAll(/-\d{13}"/g, '"');
      expect(shape(answers[0], first), damage).toBe(shape(right, sound));
      expect(shape(answers[2], last), damage).toBe(shape(right, sound));
      // It was told, and then nothing of the job changed; or what was missing did not matter here.
      if (faults.length > told) {
        expect(faults.at(-1)).toMatchObject({ code: 'data_loss' });
        expect(faults.at(-1)?.message).toContain(broken.id);
        expect(await about(broken), damage).toBe(before);
      }
      // Whoever looks at what is due, at a page or at a trace finds the others.
      rig.advance(24 * 3600_000);
      const due = await store.due(100, 1000);
      const found = due.jobs.map(({ id }) => id);
      if (from !== 'SUCCEEDED') expect(found, damage).toEqual(expect.arrayContaining([first.id, last.id]));
      const page = await store.page(everything);
      expect(page.jobs.map(({ id }) => id)).toEqual(expect.arrayContaining([first.id, last.id]));
    }
    expect(faults.length).toBeGreaterThan(0);
  });

  test('in a ready queue it is passed over, and the next one is handed out', async () => {
    for (const [damage, hurt] of Object.entries(damages)) {
      const rig = await createRig(stage.make, 1);
      const broken = await rig.scheduled({ pool: 'p' });
      rig.advance(1);
      const next = await rig.scheduled({ pool: 'p' });
      await rig.registered(next, 2);
      await hurt(broken);
      const claimed = rig.one(await rig.raw.claim([rig.claimOf(next, { n: 2, capacity: 2 })]));
      expect(
        claimed.jobs.map(({ id }) => id),
        damage,
      ).toContain(next.id);
    }
  });

  test('a queue of another type fails the claims that look at it, and what they handed out is found again soon', async () => {
    const rig = await createRig(stage.make, 1);
    const jobs = Array.from({ length: 6 }, () => rig.subject({ pool: 'p', lane: 'job.a', tenant: 'a' }));
    const other = rig.subject({ pool: 'p', lane: 'job.b', tenant: 'b' });
    await rig.raw.register({ worker: 'w1', instance: 'i1', pool: 'p', capacity: 10, aliveMs: 3_600_000 });
    await rig.raw.create([...jobs, other].map((job) => job.new));
    await rig.raw.gate([...jobs, other].map((job) => rig.gateOf(job)));
    await del?.('q:p:job.b:1:b');
    await rpush?.('q:p:job.b:1:b', 'x');
    const claim = { pool: 'p', worker: 'w1', instance: 'i1', n: 10, capacity: 10, acceptMs: 2000, policy };
    for (const _ of jobs) await rig.raw.claim([{ ...claim, lanes: ['job.a', 'job.b'] }]).catch(() => undefined);
    const states = await Promise.all(jobs.map((job) => rig.stateOf(job)));
    const out = jobs.filter((_, i) => states[i] === 'DISPATCHED').map(({ id }) => id);
    expect(out).not.toEqual([]);
    rig.advance(2001);
    expect((await rig.raw.due(100, 1000)).jobs.map(({ id }) => id)).toEqual(expect.arrayContaining(out));
  });

  test('a payload of another type is no payload, and a packet that is gone ends its job', async () => {
    const rig = await createRig(stage.make, 1);
    const job = await rig.dispatched();
    await del?.(`ctx:${job.id}`);
    await rpush?.(`ctx:${job.id}`, 'x');
    expect(rig.one(await rig.raw.accept([rig.acceptOf(job)]))).toMatchObject({ outcome: 'run', payload: null });

    const lost = await rig.scheduled();
    await rig.registered(lost);
    await del?.(`job:req:${lost.id}`);
    expect(rig.one(await rig.store.claim([rig.claimOf(lost)])).jobs).toEqual([]);
    expect(await rig.view(lost)).toMatchObject({ state: 'FAILED', errorCode: 'data_loss' });
  });
});

const everything = {
  ...{ tenant: 't1', limit: 50, cursor: undefined, state: undefined, topic: undefined, traceId: undefined },
  ...{ updatedAfter: undefined, updatedBefore: undefined },
};

test('a server without memory refuses, and nothing has changed', async () => {
  const rig = await createRig(stage.make, 1);
  const pending = await rig.pending();
  const running = await rig.running();
  const scheduled = await rig.scheduled();
  await rig.registered(scheduled);
  const before = await rig.snapshot();
  const admin = new Client(stage.server().port);
  await admin.config('SET', 'maxmemory', '1');
  try {
    const full = { code: 'resource_exhausted' };
    await expect(rig.raw.create([rig.newJob()])).rejects.toMatchObject(full);
    await expect(rig.raw.gate([rig.gateOf(pending)])).rejects.toMatchObject(full);
    await expect(rig.raw.commit([rig.commitOf(running)])).rejects.toMatchObject(full);
    await expect(rig.raw.requeue([rig.requeueOf(pending, 'RUNNING', 'lost')])).resolves.toMatchObject([
      { outcome: 'moved' },
    ]);
  } finally {
    await admin.config('SET', 'maxmemory', '0');
    admin.disconnect();
  }
  expect(await rig.snapshot()).toBe(before);
});

test.each(['trace:T', 'jobs:t1', 'job:recent', 'ev:t1'])(
  'with a %s of another type no job is stored that nobody looks at',
  async (key) => {
    const rig = await createRig(stage.make, 1);
    await rpush?.(key, 'x');
    const job = rig.newJob({ tenant: 't1', traceId: 'T' });
    await rig.raw.create([job]);
    const stored = await rig.raw.view(job.id, 't1');
    rig.advance(1000);
    const due = (await rig.raw.due(10, 1000)).jobs.map(({ id }) => id);
    expect(due).toEqual(stored === undefined ? [] : [job.id]);
  },
);
