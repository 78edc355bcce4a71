// What the host does when the store is away, slow, or says that somebody else has the worker's id. The clock is stepped by the tests.
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineWorker } from '../../../services/worker/define.ts';
import { fakeStart, settle } from '../../helpers/clock.ts';
import { useStage } from '../../helpers/worker-rig.ts';
import { createManual } from '../../helpers/workers/manual.ts';

/** Heeds its signal; `finish` lets it answer. */
function createWaiting(topic = 'job.test', parallel = 4) {
  let finish: () => void = () => undefined;
  const aborts: { atMs: number; message: string }[] = [];
  const definition = defineWorker({
    topic,
    pool: 'test',
    parallel,
    input: z.unknown(),
    handle: (_input, { signal, now }) =>
      new Promise((resolve, reject) => {
        finish = () => resolve('finished');
        signal.addEventListener('abort', () => {
          aborts.push({ atMs: now() - fakeStart, message: (signal.reason as Error).message });
          reject(signal.reason);
        });
      }),
  });
  return { definition, aborts, finish: () => finish() };
}

const setUp = useStage();

describe('renewal', () => {
  test('is one call a second for all jobs of all workers, and with none', async () => {
    const [a, b] = [createWaiting('job.test'), createWaiting('job.other')];
    const s = await setUp([a.definition, b.definition]);
    const renewals = (): number => s.outage.counts.get('renew') ?? 0;
    await s.clock.advance(3000);
    expect(renewals()).toBe(3);
    const jobs = [await s.run(), await s.run(), await s.run({ topic: 'job.other' })];
    for (const { id } of jobs) await s.seen('started', id);
    await s.clock.advance(10_000);
    expect(renewals()).toBe(13);
    expect(s.told.findLast((e) => e.type === 'renewed')).toMatchObject({ jobs: 3 });
    for (const { id } of jobs) expect((await s.view(id)).state).toBe('RUNNING');
    expect(s.told.some((e) => e.type === 'aborted')).toBe(false);
  });

  test('that fails for a while costs nothing when it works again before the lease ends', async () => {
    const a = createWaiting();
    const s = await setUp([a.definition]);
    const { id } = await s.run();
    await s.seen('started', id);
    s.outage.mode = 'down';
    await s.clock.advance(3000);
    // At 1 s, and from then on every 250 ms.
    expect(s.told.filter((e) => e.type === 'renewal_failed')).toHaveLength(9);
    s.outage.mode = 'up';
    await s.clock.advance(5000);
    expect(a.aborts).toEqual([]);
    a.finish();
    await s.seen('committed', id);
  });

  test.each(['down', 'hung', 'deaf'] as const)(
    'that never succeeds (%s) stops the handler before its lease ends',
    async (mode) => {
      const a = createWaiting();
      const s = await setUp([a.definition]);
      const { id } = await s.run();
      await s.seen('started', id);
      await s.clock.advance(1000); // renewed once: the lease ends 4,000 ms after that request
      s.outage.only = ['renew'];
      s.outage.mode = mode;
      await s.clock.advance(3499);
      expect(a.aborts).toEqual([]);
      await s.clock.advance(1);
      expect(a.aborts).toEqual([{ atMs: 4500, message: 'the lease could not be renewed in time' }]);
      // The job goes back as soon as the handler has stopped.
      expect(await s.seen('handed_back', id)).toMatchObject({ why: 'lost' });
      expect(await s.view(id)).toMatchObject({ state: 'SCHEDULED', losses: 1 });
      s.outage.release();
    },
  );

  test('is counted from before the request: a slow answer lengthens nothing', async () => {
    const a = createWaiting();
    const s = await setUp([a.definition]);
    const id = await s.submit();
    const [job] = (await s.claim()).jobs;
    if (job === undefined) throw new Error('nothing claimed');
    s.outage.only = ['accept'];
    s.outage.mode = 'slow';
    await s.send(job);
    while ((s.outage.counts.get('accept') ?? 0) === 0) await settle();
    await s.clock.advance(1500);
    s.outage.release();
    await s.seen('started', id);
    s.outage.only = ['renew'];
    s.outage.mode = 'down';
    await s.clock.advance(1999);
    expect(a.aborts).toEqual([]);
    await s.clock.advance(1);
    expect(a.aborts).toHaveLength(1);
  });

  test('is not begun when the acceptance is answered too late', async () => {
    const a = createWaiting();
    const s = await setUp([a.definition]);
    s.outage.only = ['accept'];
    s.outage.mode = 'slow';
    const { id } = await s.run();
    await s.clock.advance(3500);
    s.outage.release();
    expect(await s.seen('aborted', id)).toMatchObject({ cause: 'lease' });
    await s.seen('done', id);
    expect(s.told.some((e) => e.type === 'started')).toBe(false);
    expect((await s.view(id)).state).toBe('SCHEDULED');
  });

  test('does not cost a result that came in the meantime: the fence decides', async () => {
    const { definition, calls } = createManual();
    const s = await setUp([definition]);
    const { id } = await s.run();
    await s.seen('started', id);
    s.outage.only = ['renew'];
    s.outage.mode = 'deaf'; // the lease is renewed, and nobody hears that it was
    await s.clock.advance(3600);
    expect(await s.seen('aborted', id)).toMatchObject({ cause: 'lease' });
    await s.clock.advance(600); // past the end that is believed in
    calls[0]?.resolve('all the same');
    await s.seen('done', id);
    expect((await s.view(id)).state).toBe('SUCCEEDED');
    expect(s.told.filter((e) => e.type === 'handed_back')).toEqual([]);
  });

  test('hands the job back all the same when that result cannot be stored', async () => {
    const { definition, calls } = createManual();
    const s = await setUp([definition]);
    const { id } = await s.run();
    await s.seen('started', id);
    s.outage.only = ['renew', 'commit'];
    s.outage.mode = 'down';
    await s.clock.advance(3600);
    calls[0]?.resolve('lost');
    await s.clock.during(s.seen('done', id));
    expect(s.outage.counts.get('commit')).toBeGreaterThan(0);
    expect((await s.view(id)).state).toBe('SCHEDULED');
    expect(await s.seen('handed_back', id)).toMatchObject({ why: 'lost' });
  });

  test('is counted from before its own request as well', async () => {
    const a = createWaiting();
    const s = await setUp([a.definition]);
    const { id } = await s.run();
    await s.seen('started', id);
    s.outage.only = ['renew'];
    s.outage.mode = 'slow';
    await s.clock.advance(1500); // asked at 1,000
    s.outage.mode = 'down';
    await s.clock.advance(1000);
    s.outage.release(); // heard at 2,500
    await s.clock.advance(1999);
    expect(a.aborts).toEqual([]);
    await s.clock.advance(1);
    expect(a.aborts).toMatchObject([{ atMs: 4500 }]);
  });

  test('that comes back late finds the job gone and stops the handler', async () => {
    const a = createWaiting();
    const s = await setUp([a.definition]);
    const { id, fence } = await s.run();
    await s.seen('started', id);
    await s.store.requeue([{ id, tenant: 'default', seen: { state: 'RUNNING', fence }, why: 'lost', delayMs: 0 }]);
    await s.clock.advance(1000);
    expect(await s.seen('aborted', id)).toMatchObject({ cause: 'lost' });
    await s.seen('done', id);
    expect((await s.view(id)).state).toBe('SCHEDULED');
  });
});

describe('a store that is away', () => {
  test('at accept is asked again until the time to accept is over', async () => {
    const a = createWaiting();
    const s = await setUp([a.definition]);
    s.outage.only = ['accept'];
    s.outage.mode = 'deaf'; // it happened, and nobody heard: repeating it answers the same
    const { id } = await s.run();
    await s.clock.advance(500);
    s.outage.mode = 'up';
    await s.clock.advance(500);
    await s.seen('started', id);
    expect((await s.view(id)).attempts).toBe(1);
    a.finish();
    await s.seen('committed', id);

    s.outage.mode = 'down';
    const { id: other } = await s.run();
    await s.clock.advance(2500);
    await s.seen('unaccepted', other);
    await s.seen('done', other);
    expect(s.host.workers[0]?.active).toBe(0);
    expect((await s.view(other)).state).toBe('DISPATCHED'); // the reconciler's
  });

  test('at commit is asked again while the lease lasts: the result is stored once', async () => {
    const a = createWaiting();
    const s = await setUp([a.definition]);
    const { id } = await s.run();
    await s.seen('started', id);
    s.outage.only = ['commit'];
    s.outage.mode = 'deaf';
    a.finish();
    await s.clock.advance(700);
    expect(s.outage.counts.get('commit')).toBeGreaterThan(2);
    s.outage.mode = 'up';
    await s.clock.advance(500);
    expect(await s.seen('committed', id)).toMatchObject({ outcome: 'committed', state: 'SUCCEEDED' });
    await settle();
    const results = s.news.filter((p) => p.payload.case === 'jobResult');
    expect(results).toHaveLength(1);
    expect(await s.store.transitions(id, 'default')).toHaveLength(5);
  });

  test('for longer than the lease loses the outcome, and says so', async () => {
    const a = createWaiting();
    const s = await setUp([a.definition]);
    const { id } = await s.run();
    await s.seen('started', id);
    s.outage.mode = 'down';
    a.finish();
    await s.clock.advance(5000);
    await s.seen('uncommitted', id);
    await s.seen('done', id);
    expect(s.host.workers[0]?.attempts.size).toBe(0);
  });

  test('or a bus that is away does not stop what runs', async () => {
    const a = createWaiting();
    const s = await setUp([a.definition]);
    const { id } = await s.run();
    await s.seen('started', id);
    s.hostBus.disconnect();
    await s.clock.advance(20_000);
    expect(a.aborts).toEqual([]);
    a.finish();
    expect(await s.seen('committed', id)).toMatchObject({ state: 'SUCCEEDED' });
    s.hostBus.reconnect();
  });
});

describe("the worker's id", () => {
  test('taken over by another process stops everything', async () => {
    const a = createWaiting();
    const s = await setUp([a.definition]);
    const { id } = await s.run();
    await s.seen('started', id);
    // This process slept through its liveness; another one started under the same id.
    await s.store.unregister('w0', s.host.instance);
    const other = { worker: 'w0', instance: 'another', pool: 'test', capacity: 1, aliveMs: 60_000 };
    expect((await s.store.register(other)).outcome).toBe('ok');
    await s.clock.advance(1000);
    await s.seen('replaced');
    expect(a.aborts).toMatchObject([{ message: "another process has taken over this worker's id" }]);
    expect(s.fatal).toMatchObject([{ message: 'another process has taken over the worker id w0' }]);
    await s.seen('done', id);
    const renewals = s.outage.counts.get('renew');
    await s.clock.advance(5000);
    expect(s.outage.counts.get('renew')).toBe(renewals);
    expect(s.fatal).toHaveLength(1);
  });

  test('held by a live process is waited for, then given up with a clear error', async () => {
    const a = createWaiting();
    const s = await setUp([a.definition], { start: false });
    const other = { worker: 'w0', instance: 'another', pool: 'test', capacity: 1, aliveMs: 60_000 };
    await s.store.register(other);
    await expect(s.clock.during(s.host.start())).rejects.toMatchObject({
      code: 'already_exists',
      message: 'the worker id w0 is held by another live process; give each its own WORKER_ID',
    });
    expect(s.clock.monotonic()).toBeGreaterThanOrEqual(9000);
    expect(s.clock.monotonic()).toBeLessThanOrEqual(11_000);
  });

  test('held by one that ends is taken as soon as it is free, with what was held handed out again', async () => {
    const a = createWaiting();
    const s = await setUp([a.definition], { start: false });
    const dead = { worker: 'w0', instance: 'another', pool: 'test', capacity: 1, aliveMs: 4000 };
    await s.store.register(dead);
    const id = await s.submit();
    const lanes = ['job.test'];
    await s.store.claim([
      {
        pool: 'test',
        worker: 'w0',
        instance: 'another',
        n: 1,
        capacity: 1,
        lanes,
        acceptMs: 2000,
        policy: { sequence: 1, hash: 'p' },
      },
    ]);
    expect((await s.view(id)).state).toBe('DISPATCHED');
    setTimeout(() => void s.store.unregister('w0', 'another'), 20);
    await s.clock.during(s.host.start(), 10);
    expect(s.clock.monotonic()).toBeLessThan(9000);
    await s.seen('listening');
    expect((await s.view(id)).state).toBe('SCHEDULED');
  });
});

test('a stream that would store hand-outs is an error at the start', async () => {
  const s = await setUp([createWaiting().definition], { start: false, streams: { JOBS: ['job.>', 'worker.*.jobs'] } });
  await expect(s.host.start()).rejects.toMatchObject({
    code: 'failed_precondition',
    message: 'the stream JOBS captures worker.w0.jobs; hand-outs must not be stored',
  });
  expect(s.outage.counts.get('register')).toBeUndefined();
});

describe('a loop that stands still', () => {
  test('is noticed by a renewal that comes late', async () => {
    const a = createWaiting();
    const s = await setUp([a.definition]);
    s.clock.jump(3000);
    await s.clock.advance(0);
    expect(s.told.filter((e) => e.type === 'stalled')).toMatchObject([{ lateMs: 2000 }]);
  });

  test('for longer than the lease stops the handler as soon as it moves again', async () => {
    const a = createWaiting();
    const s = await setUp([a.definition]);
    const { id } = await s.run();
    await s.seen('started', id);
    s.clock.jump(10_000);
    await s.clock.advance(0);
    expect(await s.seen('aborted', id)).toMatchObject({ cause: 'lease' });
    await s.seen('done', id);
  });
});
