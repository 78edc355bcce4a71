// Workers that speak the bus alone: no fence comes back from them, so what counts is the hand-outs that are out, the policy in force,
// and a copy of the result that nobody can write to any more.
import { describe, expect, test } from 'vitest';
import type { EndState } from '#core/jobs/state.ts';
import type { Rig, Subject } from './rig.ts';

export function foreign(open: () => Promise<Rig>): void {
  const handedOut = async (rig: Rig, times: number, spec = {}): Promise<Subject> => {
    const job = await rig.dispatched({ foreign: true, timeoutMs: 30_000, ...spec });
    for (let i = 1; i < times; i++) {
      await rig.raw.requeue([rig.requeueOf(job, 'DISPATCHED', 'lost')]);
      rig.advance(1);
      await rig.claim(job);
    }
    return job;
  };

  describe('a result from the bus', () => {
    test('is the end of a job that was handed to the subject, once', async () => {
      const rig = await open();
      const job = await handedOut(rig, 1);
      await rig.driver.write('t1', `res:${job.id}`, '{"n":1}');
      const answer = rig.one(await rig.raw.commitForeign([rig.foreignOf(job)]));
      expect(answer).toMatchObject({
        ...{ outcome: 'committed', state: 'SUCCEEDED', reason: undefined },
        end: { id: job.id, worker: 'cap-worker', execMs: 7, topic: 'job.echo', tenant: 't1' },
      });
      expect(await rig.view(job)).toMatchObject({
        state: 'SUCCEEDED',
        worker: 'cap-worker',
        stoppedAt: rig.now(),
        attempts: 1,
      });
      await rig.audit();
      const before = await rig.snapshot();
      expect(rig.one(await rig.store.commitForeign([rig.foreignOf(job)]))).toMatchObject({
        outcome: 'stale',
        reason: 'ended',
      });
      expect(await rig.snapshot()).toBe(before);
    });

    test('is sealed: what the worker writes to its key afterwards changes nothing', async () => {
      const rig = await open();
      const job = await handedOut(rig, 1);
      await rig.driver.write('t1', `res:${job.id}`, '{"n":1}');
      await rig.raw.commitForeign([rig.foreignOf(job)]);
      await rig.driver.write('t1', `res:${job.id}`, '{"n":2}');
      expect(await rig.raw.result(job.id, 't1')).toBe('{"n":1}');
      await rig.driver.write('t1', `res:${job.id}`, undefined);
      expect(await rig.raw.result(job.id, 't1')).toBe('{"n":1}');
      await rig.audit();
    });

    test('that comes late does not replace what a worker of ours has committed since', async () => {
      const rig = await open();
      const job = await handedOut(rig, 1);
      await rig.raw.requeue([rig.requeueOf(job, 'DISPATCHED', 'lost')]);
      const ours: Subject = {
        ...job,
        worker: `ours-${job.pool}`,
        instance: 'i1',
        spec: { ...job.spec, foreign: false },
      };
      await rig.registered(ours);
      await rig.claim(ours);
      await rig.accept(ours);
      const [{ end } = { end: undefined }] = await rig.store.commit([rig.commitOf(ours)]);
      await rig.driver.write('t1', `res:${job.id}`, '{"late":true}');
      expect(rig.one(await rig.store.commitForeign([rig.foreignOf(job)]))).toMatchObject({ outcome: 'stale' });
      expect(await rig.raw.result(job.id, 't1')).toBe('{"response":"ho"}');
      expect(await rig.driver.read('t1', end?.resultPtr.slice('redis://'.length) ?? '')).toBe('{"response":"ho"}');
      expect(await rig.view(job)).toMatchObject({ resultPtr: end?.resultPtr });
    });

    test('leaves no key behind for ever, whether it counts or comes too late', async () => {
      const rig = await open();
      for (const how of ['failed', 'late', 'never'] as const) {
        const job = await handedOut(rig, 1);
        await rig.driver.write('t1', `res:${job.id}`, '{"n":1}');
        if (how === 'failed') await rig.raw.commitForeign([rig.foreignOf(job, 'FAILED')]);
        else await rig.raw.end([rig.endOf(job, 'CANCELLED')]);
        if (how === 'late') {
          await rig.driver.write('t1', `res:${job.id}`, '{"n":2}');
          await rig.raw.commitForeign([rig.foreignOf(job)]);
        }
        expect((await rig.driver.books()).jobs.get(job.id)?.life.result, how).toBe('ending');
      }
    });

    test('without a result that can be found has none', async () => {
      const rig = await open();
      const job = await handedOut(rig, 1);
      expect(rig.one(await rig.store.commitForeign([rig.foreignOf(job)]))).toMatchObject({
        outcome: 'committed',
        end: { resultPtr: '' },
      });
      expect(await rig.store.result(job.id, 't1')).toBeNull();
    });

    test('counts as a success from any of several hand-outs, as anything else only from the one that is open', async () => {
      const rig = await open();
      for (const status of ['FAILED', 'CANCELLED', 'TIMEOUT', 'DENIED'] satisfies EndState[]) {
        const twice = await handedOut(rig, 2);
        const before = await rig.snapshot();
        expect(rig.one(await rig.store.commitForeign([rig.foreignOf(twice, status)]))).toMatchObject({
          outcome: 'stale',
          state: 'DISPATCHED',
        });
        expect(await rig.snapshot()).toBe(before);
        expect(rig.one(await rig.store.commitForeign([rig.foreignOf(twice)]))).toMatchObject({
          outcome: 'committed',
          state: 'SUCCEEDED',
        });
        const once = await handedOut(rig, 1);
        expect(rig.one(await rig.store.commitForeign([rig.foreignOf(once, status)]))).toMatchObject({
          outcome: 'committed',
          state: status,
        });
      }
    });

    test('counts when nobody listened the first time: that hand-out is not out there', async () => {
      const rig = await open();
      const job = await handedOut(rig, 1);
      for (let i = 0; i < 3; i++) {
        await rig.store.requeue([rig.requeueOf(job, 'DISPATCHED', 'no_responders', 1000)]);
        rig.advance(1000);
        await rig.store.requeue([rig.requeueOf(job, 'SCHEDULED', 'ready')]);
        await rig.claim(job);
      }
      expect(await rig.view(job)).toMatchObject({ losses: 0, failures: 0 });
      expect(rig.one(await rig.store.commitForeign([rig.foreignOf(job, 'FAILED')]))).toMatchObject({
        outcome: 'committed',
        state: 'FAILED',
      });
    });

    test('does not count when the policy has changed since the job was judged', async () => {
      const rig = await open();
      const job = await handedOut(rig, 1, { policy: { sequence: 3, hash: 'three' } });
      const newer = { policy: { sequence: 4, hash: 'four' } };
      const before = await rig.snapshot();
      expect(rig.one(await rig.store.commitForeign([rig.foreignOf(job, 'SUCCEEDED', newer)]))).toMatchObject({
        outcome: 'stale',
      });
      expect(await rig.snapshot()).toBe(before);
      // The same text under a newer number is the same policy; and who knows only an older one does not object.
      const same = { policy: { sequence: 4, hash: 'three' } };
      expect(rig.one(await rig.store.commitForeign([rig.foreignOf(job, 'SUCCEEDED', same)]))).toMatchObject({
        outcome: 'committed',
      });
      const other = await handedOut(rig, 1, { policy: { sequence: 3, hash: 'three' } });
      const older = { policy: { sequence: 2, hash: 'two' } };
      expect(rig.one(await rig.store.commitForeign([rig.foreignOf(other, 'SUCCEEDED', older)]))).toMatchObject({
        outcome: 'committed',
      });
    });

    test('that names a key of somebody else is a failure, and nothing is copied', async () => {
      const rig = await open();
      const secret = await rig.in('SUCCEEDED', { tenant: 't1', id: 'job-secret' });
      for (const resultKey of [`res:${secret.id}`, 'ctx:job-secret', 'config:keys', 'res:job', `res:`]) {
        const job = await handedOut(rig, 1, { id: `job${resultKey.length}${resultKey.charCodeAt(0)}` });
        const answer = rig.one(await rig.store.commitForeign([rig.foreignOf(job, 'SUCCEEDED', { resultKey })]));
        expect(answer).toMatchObject({
          outcome: 'committed',
          state: 'FAILED',
          end: { errorCode: 'bad_result_ptr', resultPtr: '' },
        });
        expect(await rig.store.result(job.id, 't1')).toBeNull();
      }
    });

    test('that names a key which looks like its own and is that of another job is a failure too', async () => {
      const rig = await open();
      await rig.in('SUCCEEDED', { id: 'job-secret' });
      const job = await handedOut(rig, 1, { id: 'job' });
      const answer = await rig.store.commitForeign([
        rig.foreignOf(job, 'SUCCEEDED', {
          resultKey: 'res:job-secret',
          artifactKeys: ['res:job-secret', 'res:job-log'],
        }),
      ]);
      expect(answer).toMatchObject([
        { state: 'FAILED', end: { errorCode: 'bad_result_ptr', resultPtr: '', artifactPtrs: ['redis://res:job-log'] } },
      ]);
    });

    test('may name artifacts of its own; others are not believed', async () => {
      const rig = await open();
      const job = await handedOut(rig, 1);
      await rig.driver.write('t1', `res:${job.id}-archive`, 'bytes');
      const artifactKeys = [`res:${job.id}-archive`, 'res:somebody-else', `ctx:${job.id}`, `res:${job.id}x`];
      const answer = rig.one(
        await rig.raw.commitForeign([rig.foreignOf(job, 'SUCCEEDED', { resultKey: '', artifactKeys })]),
      );
      expect(answer.end?.artifactPtrs).toEqual([`redis://res:${job.id}-archive`]);
      await rig.audit();
    });

    test('of a failure is tried again while there are retries, from a clean sheet', async () => {
      const rig = await open();
      const job = await handedOut(rig, 1, { maxRetries: 1 });
      expect(rig.one(await rig.store.commitForeign([rig.foreignOf(job, 'FAILED')]))).toMatchObject({
        outcome: 'retry',
        state: 'SCHEDULED',
      });
      expect(await rig.view(job)).toMatchObject({ failures: 1, losses: 0, errorCode: 'cap_error' });
      await rig.claim(job);
      expect(rig.one(await rig.store.commitForeign([rig.foreignOf(job, 'FAILED')]))).toMatchObject({
        outcome: 'committed',
        state: 'FAILED',
      });
    });

    test('for a job that one of our own hosts holds is news, and so is one for a job that waits or is unknown', async () => {
      const rig = await open();
      const running = await rig.running();
      const scheduled = await rig.scheduled();
      const before = await rig.snapshot();
      const answers = await rig.store.commitForeign([
        rig.foreignOf(running),
        rig.foreignOf(scheduled),
        rig.foreignOf(rig.subject()),
      ]);
      expect(answers.map(({ outcome }) => outcome)).toEqual(['stale', 'stale', 'missing']);
      expect(await rig.snapshot()).toBe(before);
    });
  });

  describe('progress from the bus', () => {
    test('is shown while the job is out on its topic, the last word counts', async () => {
      const rig = await open();
      const job = await handedOut(rig, 1);
      const tell = (percent: number, message: string) =>
        rig.store.progressForeign([{ id: job.id, percent, message }]).then((answers) => rig.one(answers));
      expect(await tell(10, 'begun | with a bar')).toBe('ok');
      expect((await rig.view(job)).progress).toEqual({ percent: 10, message: 'begun | with a bar' });
      expect(await tell(99.6, 'x'.repeat(500))).toBe('ok');
      expect((await rig.view(job)).progress).toMatchObject({ percent: 100 });
      expect((await rig.view(job)).progress?.message).toHaveLength(50);
      expect(await rig.stateOf(job)).toBe('DISPATCHED');
      await rig.store.commitForeign([rig.foreignOf(job)]);
      expect(await tell(1, '')).toBe('stale');
    });

    test('of a job that waits, that one of our own hosts holds, or that nobody knows changes nothing', async () => {
      const rig = await open();
      const jobs = [await rig.scheduled(), await rig.dispatched(), await rig.running(), rig.subject()];
      const before = await rig.snapshot();
      const answers = await rig.store.progressForeign(jobs.map(({ id }) => ({ id, percent: 5, message: 'm' })));
      expect(answers).toEqual(['stale', 'stale', 'stale', 'missing']);
      expect(await rig.snapshot()).toBe(before);
    });
  });

  describe('a pseudo-worker', () => {
    test('has the slots that its heartbeats add up to, each for the whole time of its topic', async () => {
      const rig = await open();
      const job = await handedOut(rig, 1);
      await rig.scheduled({ foreign: true, pool: job.pool });
      const claim = rig.claimOf(job);
      expect(rig.one(await rig.store.claim([claim]))).toMatchObject({ outcome: 'ok', jobs: [], used: 1, capacity: 1 });
      rig.advance(29_999);
      expect(rig.one(await rig.store.claim([claim])).jobs).toEqual([]);
      rig.advance(1);
      expect(rig.one(await rig.store.claim([claim])).jobs).toHaveLength(1);
      expect((await rig.store.due(10, 1000)).jobs).toMatchObject([{ id: job.id, state: 'DISPATCHED', leaseAt: 0 }]);
    });
  });
}
