// Jobs that are bound to a parent: made by who holds it, over with it.
import { describe, expect, test } from 'vitest';
import type { NewJob } from '#core/jobs/job.ts';
import { isEnd } from '#core/jobs/state.ts';
import { aMinute, type Rig, type Subject } from './rig.ts';

/** A job bound to the parent's hand-out. */
const bound = (rig: Rig, parent: Subject, more: object = {}): Subject => {
  const child = rig.subject({ tenant: parent.tenant });
  const { fence = '', attempt = '' } = parent.handOut ?? {};
  const made: NewJob = { ...child.new, parentId: parent.id, bound: { fence, attempt }, ...more };
  return { ...child, new: made };
};

export function stepsOfRuns(open: () => Promise<Rig>): void {
  describe('a job that is bound to a parent', () => {
    test.each([
      ['another fence', { bound: { fence: '1', attempt: 'x' } }],
      ['a parent that is not there', { parentId: 'nobody' }],
    ])('is not made with %s', async (_, more) => {
      const rig = await open();
      const parent = await rig.running();
      const before = await rig.snapshot();
      expect(await rig.store.create([bound(rig, parent, more).new])).toEqual([{ outcome: 'orphan' }]);
      expect(await rig.snapshot()).toBe(before);
    });

    test('is not made by whoever held the parent before, nor for another tenant, nor after its end', async () => {
      const rig = await open();
      const parent = await rig.running();
      const old = { ...parent };
      await rig.raw.requeue([rig.requeueOf(parent, 'RUNNING', 'lost')]);
      await rig.claim(parent);
      await rig.accept(parent);
      expect(await rig.store.create([bound(rig, old).new])).toEqual([{ outcome: 'orphan' }]);
      const foreign = { ...bound(rig, parent).new, tenant: 't1-other' };
      expect(rig.one(await rig.store.create([foreign])).outcome).not.toBe('created');
      const child = bound(rig, parent);
      expect(rig.one(await rig.store.create([child.new])).outcome).toBe('created');
      expect(rig.one(await rig.store.create([child.new])).outcome).toBe('existing');
      await rig.store.end([rig.endOf(parent, 'CANCELLED')]);
      expect(await rig.store.create([bound(rig, parent).new])).toEqual([{ outcome: 'orphan' }]);
    });

    test('says when its worker called its failure final', async () => {
      const rig = await open();
      for (const retryable of [true, false]) {
        const job = await rig.running();
        await rig.store.commit([rig.commitOf(job, 'FAILED', { retryable })]);
        expect(await rig.view(job)).toMatchObject({ state: 'FAILED', final: !retryable });
      }
      const job = await rig.running();
      await rig.store.commit([rig.commitOf(job)]);
      expect(await rig.view(job)).toMatchObject({ state: 'SUCCEEDED', final: false });
    });

    test('is due at once when its parent has ended, whatever is done with it next, and says whose it was', async () => {
      const rig = await open();
      const parent = await rig.running();
      const waiting = bound(rig, parent);
      const working = bound(rig, parent);
      const done = bound(rig, parent);
      await rig.store.create([waiting.new, working.new, done.new]);
      for (const child of [working, done]) {
        await rig.schedule(child);
        await rig.registered(child);
        await rig.claim(child);
        await rig.accept(child);
      }
      await rig.store.commit([rig.commitOf(done)]);
      await rig.store.announced([{ id: done.id, tenant: done.tenant }]);
      rig.advance(10);
      const none = await rig.store.due(10, 1000);
      expect(none.jobs.filter(({ orphanOf }) => orphanOf !== '')).toEqual([]);
      await rig.store.commit([rig.commitOf(parent, 'FAILED')]);
      // Its worker renews it meanwhile.
      const { worker, instance, pool } = working;
      const renewal = {
        worker,
        instance,
        pool,
        capacity: 1,
        aliveMs: aMinute,
        leaseMs: 4000,
        jobs: [rig.keyOf(working)],
      };
      await rig.store.renew([renewal]);
      const due = await rig.store.due(10, 1000);
      const orphans = due.jobs.filter(({ orphanOf }) => orphanOf === parent.id).map(({ id }) => id);
      expect(orphans.toSorted()).toEqual([waiting.id, working.id].toSorted());
      // One that has ended before stays as it was: nobody counts its end twice.
      expect(due.jobs.map(({ id }) => id)).not.toContain(done.id);
      for (const job of due.jobs.filter(({ orphanOf }) => orphanOf !== '')) {
        const { id, tenant, state, fence } = job;
        const end = {
          id,
          tenant,
          to: 'CANCELLED',
          seen: { state, fence },
          errorCode: 'cancelled',
          errorMessage: '',
        } as const;
        expect(rig.one(await rig.store.end([end])).outcome).toBe('ended');
      }
      for (const child of [waiting, working, done]) expect(isEnd((await rig.view(child)).state)).toBe(true);
    });
  });
}
