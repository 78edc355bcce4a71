// The worker's side: the fence decides every time, slots run out, failures and losses are counted apart, an end stays an end.
import { describe, expect, test } from 'vitest';
import type { JobStore } from '#core/jobs/store.ts';
import type { Gaps } from '../job-store.ts';
import { aMinute, type Rig, type Subject } from './rig.ts';

/** What a host may say with a fence: each must be refused with an old one, and change nothing. */
const words: Readonly<Record<string, (rig: Rig, store: JobStore, job: Subject) => Promise<unknown>>> = {
  accept: async (rig, store, job) => rig.one(await store.accept([rig.acceptOf(job)])).outcome,
  renew: async (rig, store, job) => {
    const { worker, instance, pool } = job;
    const jobs = [rig.keyOf(job)];
    const item = { worker, instance, pool, capacity: 1, leaseMs: 4000, aliveMs: 10 * aMinute, jobs };
    return rig.one(await store.renew([item])).jobs[0] === 'keep' ? 'keep' : 'stale';
  },
  progress: async (rig, store, job) =>
    rig.one(await store.progress([{ ...rig.keyOf(job), percent: 50, message: 'half' }])),
  artifact: async (rig, store, job) =>
    (await store.artifact({ ...rig.keyOf(job), name: 'archive', bytes: new Uint8Array(3) })) ?? 'stale',
  commit: async (rig, store, job) => rig.one(await store.commit([rig.commitOf(job)])).outcome,
  'commit of a failure': async (rig, store, job) =>
    rig.one(await store.commit([rig.commitOf(job, 'FAILED', { retryable: true })])).outcome,
};

export function attempts(open: () => Promise<Rig>, gaps: Gaps): void {
  describe('an attempt', () => {
    const said = Object.entries(words).filter(([name]) => name !== 'artifact' || gaps.bytes === undefined);
    test.each(said)('with an old fence, or with another attempt id, may not %s', async (name, say) => {
      const rig = await open();
      // Lost to its lease, handed out again to the same worker, running there.
      const job = await rig.running({ maxRetries: 3 });
      const old = { ...job };
      await rig.store.requeue([rig.requeueOf(job, 'RUNNING', 'lost')]);
      const between = await rig.snapshot(true);
      expect(await say(rig, rig.store, old), 'while it waits').toBe('stale');
      expect(await rig.snapshot(true)).toBe(between);
      rig.advance(10);
      await rig.claim(job);
      if (name !== 'accept') await rig.accept(job);
      if (name === 'renew') await say(rig, rig.store, job); // a renewal cares for the slots as a whole as well
      const before = await rig.snapshot(true);
      expect(await say(rig, rig.store, old), 'the old one').toBe('stale');
      const { handOut } = job;
      if (handOut === undefined) throw new Error('not handed out');
      const mixed = { ...job, handOut: { ...handOut, attempt: old.handOut?.attempt ?? '' } };
      expect(await say(rig, rig.store, mixed), 'the right fence with the old attempt').toBe('stale');
      expect(await say(rig, rig.store, { ...job, handOut: { ...handOut, fence: '0' } }), 'no fence').toBe('stale');
      expect(await rig.snapshot(true)).toBe(before);
      expect(await say(rig, rig.store, job), 'the current one').not.toBe('stale');
    });

    test('an old host that says it stopped does not free the slot of the new attempt', async () => {
      const rig = await open();
      const job = await rig.running();
      const old = { ...job };
      await rig.store.requeue([rig.requeueOf(job, 'RUNNING', 'lost')]);
      await rig.claim(job);
      await rig.accept(job);
      const before = await rig.snapshot();
      await rig.store.stopped([{ ...rig.keyOf(old), worker: old.worker }]);
      await rig.store.stopped([{ ...rig.keyOf(job), worker: job.worker }]);
      expect(await rig.snapshot()).toBe(before);
    });

    test('fences grow with time, beyond a record that is ahead of time, and apart when the last hand-out was forgotten', async () => {
      const rig = await open();
      const job = await rig.dispatched();
      const first = job.handOut;
      expect(first?.fence).toBe(String(rig.now()));
      // In the same millisecond, so that time alone cannot tell them apart.
      await rig.store.requeue([rig.requeueOf(job, 'DISPATCHED', 'busy')]);
      await rig.claim(job);
      expect(job.handOut?.fence).toBe(String(rig.now() + 1));
      expect(job.handOut?.claimedAt).toBe(rig.now());
      rig.advance(5000);
      await rig.store.requeue([rig.requeueOf(job, 'DISPATCHED', 'busy')]);
      await rig.claim(job);
      expect(job.handOut?.fence).toBe(String(rig.now()));
      expect(job.handOut?.attempt).not.toBe(first?.attempt);
    });

    test('is accepted once, by one instance, with its payload; the same word again hears the same', async () => {
      const rig = await open();
      const job = await rig.dispatched({ payload: '{"prompt":"hé"}', timeoutMs: 30_000 });
      rig.advance(300);
      const accept = rig.acceptOf(job);
      expect(rig.one(await rig.store.accept([{ ...accept, instance: 'another' }]))).toMatchObject({ outcome: 'stale' });
      expect(rig.one(await rig.store.accept([{ ...accept, worker: 'another' }]))).toMatchObject({ outcome: 'stale' });
      const answer = rig.one(await rig.store.accept([accept]));
      expect(answer).toEqual({
        ...{ outcome: 'run', payload: '{"prompt":"hé"}', attempts: 1, waitedMs: 300, remainingMs: 30_000 },
      });
      const before = await rig.snapshot();
      rig.advance(100);
      expect(rig.one(await rig.store.accept([accept]))).toEqual({ ...answer, remainingMs: 29_900 });
      expect(await rig.snapshot()).toBe(before);
      expect(await rig.view(job)).toMatchObject({ state: 'RUNNING', attempts: 1, startedAt: rig.now() - 100 });
    });

    test('is put off, unchanged, when the payloads before it fill the answer, and comes with the next call', async () => {
      const rig = await open();
      const payload = JSON.stringify('é'.repeat(750_000)); // in bytes 1.5 MB
      const jobs: Subject[] = [];
      for (let i = 0; i < 8; i++) jobs.push(await rig.dispatched({ payload }));
      const gone = jobs[6] as Subject;
      const late = await rig.dispatched({ deadlineMs: 1500 });
      await rig.store.end([rig.endOf(gone, 'CANCELLED')]);
      rig.advance(1600);
      let asked = [...jobs, late];
      const rounds: string[][] = [];
      while (asked.length > 0) {
        const before = await Promise.all(asked.map((job) => rig.view(job)));
        const answers = await rig.store.accept(asked.map(rig.acceptOf));
        rounds.push(answers.map((answer) => (answer.outcome === 'stale' ? answer.reason : answer.outcome)));
        const bytes = answers.reduce((sum, a) => sum + (a.outcome === 'run' ? (a.payload?.length ?? 0) : 0) * 2, 0);
        expect(bytes).toBeLessThan(4_000_000 + 1_600_000);
        const put = answers.map(({ outcome }) => outcome === 'again');
        for (const [i, view] of before.entries()) {
          if (put[i] === true) expect(await rig.view(asked[i] as Subject)).toEqual(view);
        }
        asked = asked.filter((_, i) => put[i]);
      }
      // What has nothing to carry is answered at once.
      expect(rounds).toEqual([
        ['run', 'run', 'run', 'again', 'again', 'again', 'cancelled', 'again', 'timeout'],
        ['run', 'run', 'run', 'again'],
        ['run'],
      ]);
      // Asked a second time, as when an answer was lost, it is bounded in the same way.
      const running = jobs.filter((job) => job !== gone);
      const again = await rig.store.accept(running.map(rig.acceptOf));
      expect(again.map(({ outcome }) => outcome)).toEqual(['run', 'run', 'run', 'again', 'again', 'again', 'again']);
      for (const job of running) expect(await rig.view(job)).toMatchObject({ state: 'RUNNING', attempts: 1 });
    });

    test('that is put off keeps its slot for as long as a lease, as its host is there', async () => {
      const rig = await open();
      const payload = JSON.stringify('x'.repeat(4_000_000));
      const [first, second] = [await rig.dispatched({ payload }), await rig.dispatched({ payload })];
      const ask = async (...jobs: Subject[]) => (await rig.store.accept(jobs.map(rig.acceptOf))).map((a) => a.outcome);
      rig.advance(1900); // of the 2,000 that a hand-out has
      expect(await ask(first, second)).toEqual(['run', 'again']);
      rig.advance(900);
      expect((await rig.store.due(10, 1000)).jobs).toEqual([]);
      expect(await ask(second)).toEqual(['run']);
    });

    test('has no payload when there is none, and never more time than the job', async () => {
      const rig = await open();
      const job = await rig.dispatched({ payload: null, deadlineMs: 20_000 });
      expect(rig.one(await rig.store.accept([rig.acceptOf(job)]))).toMatchObject({
        payload: null,
        remainingMs: 20_000,
      });
    });

    test('is not accepted when its slot has run out, nor when the job has no time left', async () => {
      const rig = await open();
      const job = await rig.dispatched();
      rig.advance(2000);
      expect(rig.one(await rig.store.accept([rig.acceptOf(job)]))).toEqual({ outcome: 'stale', reason: 'lost' });
      expect(await rig.stateOf(job)).toBe('DISPATCHED');

      const late = await rig.dispatched({ deadlineMs: 1500 });
      rig.advance(1600);
      expect(rig.one(await rig.store.accept([rig.acceptOf(late)]))).toEqual({ outcome: 'stale', reason: 'timeout' });

      // Heard late: the host waited for the answer of its first call while the lease ran out and the slot was given away.
      const running = await rig.running();
      rig.advance(4000);
      expect(rig.one(await rig.store.accept([rig.acceptOf(running)]))).toEqual({ outcome: 'stale', reason: 'lost' });
    });

    test('runs on while its lease is renewed; once it ran out it cannot be renewed, though it may still commit', async () => {
      const rig = await open();
      const job = await rig.running();
      const { worker, instance, pool } = job;
      const renew = async () => {
        const item = { worker, instance, pool, capacity: 1, leaseMs: 4000, aliveMs: 10 * aMinute };
        return rig.one(await rig.store.renew([{ ...item, jobs: [rig.keyOf(job)] }]));
      };
      for (let i = 0; i < 5; i++) {
        rig.advance(3999);
        expect(await renew()).toEqual({ outcome: 'ok', jobs: ['keep'] });
      }
      rig.advance(4000);
      expect(await renew()).toEqual({ outcome: 'ok', jobs: ['lost'] });
      const due = await rig.store.due(10, 1000);
      expect(due.jobs).toMatchObject([{ id: job.id, state: 'RUNNING', leaseAt: 0 }]);
      // Nobody else got it: the fence is still the current one, so the result counts.
      expect(rig.one(await rig.store.commit([rig.commitOf(job)]))).toMatchObject({ outcome: 'committed' });
    });

    test('is told why it has to stop', async () => {
      const rig = await open();
      const reason = async (job: Subject) => {
        const { worker, instance, pool } = job;
        const item = { worker, instance, pool, capacity: 1, leaseMs: 4000, aliveMs: 10 * aMinute };
        return rig.one(await rig.store.renew([{ ...item, jobs: [rig.keyOf(job)] }])).jobs[0];
      };
      for (const [to, word] of [
        ['CANCELLED', 'cancelled'],
        ['TIMEOUT', 'timeout'],
        ['DENIED', 'denied'],
        ['FAILED', 'ended'],
      ] as const) {
        const job = await rig.running();
        await rig.store.end([rig.endOf(job, to)]);
        expect(await reason(job)).toBe(word);
        expect(rig.one(await rig.store.commit([rig.commitOf(job)]))).toMatchObject({ outcome: 'stale', reason: word });
        expect(rig.one(await rig.store.accept([rig.acceptOf(job)]))).toEqual({ outcome: 'stale', reason: word });
      }
      expect(await reason(await rig.dispatched())).toBe('lost');
      expect(await reason({ ...(await rig.dispatched()), id: rig.newJob().id })).toBe('unknown');
    });

    test('commits its result and its end in one step; a second result of it is not stored', async () => {
      const rig = await open();
      const job = await rig.running();
      rig.advance(1234);
      const first = rig.one(
        await rig.store.commit([rig.commitOf(job, 'SUCCEEDED', { result: '{"n":1}', execMs: 1200.4 })]),
      );
      expect(first).toMatchObject({
        ...{ outcome: 'committed', state: 'SUCCEEDED', reason: undefined },
        end: {
          id: job.id,
          tenant: 't1',
          worker: job.worker,
          resultPtr: `redis://res:${job.id}`,
          execMs: 1200,
          errorCode: '',
        },
      });
      const again = rig.one(await rig.store.commit([rig.commitOf(job, 'SUCCEEDED', { result: '{"n":2}' })]));
      expect(again).toEqual(first);
      expect(rig.one(await rig.store.commit([rig.commitOf(job, 'FAILED')]))).toMatchObject({
        outcome: 'stale',
        reason: 'ended',
      });
      expect(await rig.store.result(job.id, 't1')).toBe('{"n":1}');
      expect(await rig.view(job)).toMatchObject({
        ...{ state: 'SUCCEEDED', endedAt: rig.now(), stoppedAt: rig.now(), execMs: 1200 },
        updatedAt: Math.floor(rig.now() / 1000),
      });
    });

    test('that fails is tried again after its back-off, as often as it may, and not once more', async () => {
      const rig = await open();
      const job = await rig.running({ maxRetries: 2, pool: 'p' });
      const fail = async () =>
        rig.one(await rig.store.commit([rig.commitOf(job, 'FAILED', { retryable: true, backoffMs: 3000 })]));
      for (const failures of [1, 2]) {
        expect(await fail()).toEqual({ outcome: 'retry', state: 'SCHEDULED', end: undefined, reason: undefined });
        expect(await rig.view(job)).toMatchObject({
          failures,
          state: 'SCHEDULED',
          errorCode: 'handler_error',
          errorMessage: 'it went | wrong',
        });
        // Not before its time, neither for a worker nor for the reconciler.
        rig.advance(2999);
        expect(rig.one(await rig.store.claim([rig.claimOf(job)])).jobs).toEqual([]);
        expect((await rig.store.due(10, 1000)).jobs).toEqual([]);
        rig.advance(1);
        const due = await rig.store.due(10, 1000);
        expect(due.jobs).toMatchObject([{ id: job.id, state: 'SCHEDULED', queued: false, notBefore: rig.now() }]);
        const ready = rig.requeueOf(job, 'SCHEDULED', 'ready');
        expect(await rig.store.requeue([ready, ready])).toMatchObject([{ outcome: 'queued' }, { outcome: 'moved' }]);
        await rig.claim(job);
        await rig.accept(job);
      }
      expect(await fail()).toMatchObject({ outcome: 'committed', state: 'FAILED' });
      expect(await rig.view(job)).toMatchObject({ state: 'FAILED', failures: 3, losses: 0, attempts: 3 });
    });

    test('that succeeds after a failure shows no error', async () => {
      const rig = await open();
      const job = await rig.running({ maxRetries: 1 });
      await rig.store.commit([rig.commitOf(job, 'FAILED', { retryable: true })]);
      await rig.claim(job);
      await rig.accept(job);
      const done = rig.one(await rig.store.commit([rig.commitOf(job)]));
      expect(done.end).toMatchObject({ state: 'SUCCEEDED', errorCode: '', errorMessage: '' });
    });

    test('that must not be tried again is not: terminal failures, and jobs without time', async () => {
      const rig = await open();
      const job = await rig.running({ maxRetries: 5 });
      expect(rig.one(await rig.store.commit([rig.commitOf(job, 'FAILED')]))).toMatchObject({ state: 'FAILED' });
      const late = await rig.running({ maxRetries: 5, deadlineMs: 3000 });
      rig.advance(3000);
      const failed = rig.commitOf(late, 'FAILED', { retryable: true });
      expect(rig.one(await rig.store.commit([failed]))).toMatchObject({ outcome: 'committed', state: 'FAILED' });
    });

    test('may be lost three times; the fourth time the job has failed. What was never accepted counts as nothing', async () => {
      const rig = await open();
      const job = await rig.running();
      for (let losses = 1; losses <= 3; losses++) {
        for (const why of ['unaccepted', 'busy', 'drained', 'no_responders'] as const) {
          expect(rig.one(await rig.store.requeue([rig.requeueOf(job, 'RUNNING', why)]))).toMatchObject({
            outcome: 'queued',
          });
          await rig.claim(job);
          await rig.accept(job);
        }
        expect(rig.one(await rig.store.requeue([rig.requeueOf(job, 'RUNNING', 'lost')]))).toMatchObject({
          outcome: 'queued',
        });
        expect(await rig.view(job)).toMatchObject({ losses, failures: 0 });
        await rig.claim(job);
        await rig.accept(job);
      }
      const last = rig.one(await rig.store.requeue([rig.requeueOf(job, 'RUNNING', 'lost')]));
      expect(last).toMatchObject({ outcome: 'failed', end: { state: 'FAILED', errorCode: 'worker_lost' } });
      expect(await rig.view(job)).toMatchObject({ state: 'FAILED', losses: 4 });
    });

    test('tells its progress, the last word counts', async () => {
      const rig = await open();
      const job = await rig.running();
      expect((await rig.view(job)).progress).toBeUndefined();
      await rig.store.progress([{ ...rig.keyOf(job), percent: 10, message: 'begun | with a bar' }]);
      expect((await rig.view(job)).progress).toEqual({ percent: 10, message: 'begun | with a bar' });
      await rig.store.progress([{ ...rig.keyOf(job), percent: 99.6, message: '' }]);
      expect((await rig.view(job)).progress).toEqual({ percent: 100, message: '' });
      expect(await rig.store.progress([{ ...rig.keyOf(job), id: rig.newJob().id, percent: 1, message: '' }])).toEqual([
        'missing',
      ]);
    });

    test('that was cancelled keeps its slot until its host says that it stopped, or its lease is over', async () => {
      const rig = await open();
      const full = async (job: Subject) => {
        const other = await rig.scheduled({ pool: job.pool });
        const claim = rig.claimOf(job);
        return { claim, other };
      };
      for (const how of ['stopped', 'lease'] as const) {
        const job = await rig.running();
        const ended = rig.one(await rig.store.end([rig.endOf(job, 'CANCELLED')]));
        expect(ended).toMatchObject({ outcome: 'ended', worker: job.worker, fence: job.handOut?.fence });
        expect((await rig.view(job)).stoppedAt).toBe(0);
        const { claim, other } = await full(job);
        expect(rig.one(await rig.store.claim([claim]))).toMatchObject({ jobs: [], used: 1, capacity: 1 });
        if (how === 'stopped') {
          rig.advance(100);
          await rig.store.stopped([{ ...rig.keyOf(job), worker: job.worker }]);
          expect((await rig.view(job)).stoppedAt).toBe(rig.now());
        } else rig.advance(4000);
        expect(rig.one(await rig.store.claim([claim])).jobs).toMatchObject([{ id: other.id }]);
      }
    });

    test('that nobody ran has stopped when it ends', async () => {
      const rig = await open();
      for (const state of ['PENDING', 'AWAITING_APPROVAL', 'SCHEDULED'] as const) {
        const job = await rig.in(state);
        await rig.store.end([rig.endOf(job, 'CANCELLED')]);
        expect((await rig.view(job)).stoppedAt).toBe(rig.now());
      }
    });
  });
}
