// Workers in the store: one live instance per id, what the one before held goes back, what is due is shared, and nothing is forgotten.
import { describe, expect, test } from 'vitest';
import { until } from '../../helpers/until.ts';
import { aMinute, type Rig, type Subject } from './rig.ts';

const of = (job: Subject, instance = job.instance, aliveMs = 10 * aMinute) => ({
  ...{ worker: job.worker, instance, pool: job.pool, capacity: 1, aliveMs },
});

export function workers(open: () => Promise<Rig>): void {
  describe('a worker id', () => {
    test('belongs to one live instance; a second one is refused and told for how long', async () => {
      const rig = await open();
      const job = await rig.running();
      const before = await rig.snapshot(true);
      const refused = await rig.store.register(of(job, 'second'));
      expect(refused).toMatchObject({ outcome: 'taken', ends: [], requeued: 0 });
      expect(refused.aliveMs).toBeGreaterThan(9 * aMinute);
      expect(refused.aliveMs).toBeLessThanOrEqual(10 * aMinute);
      expect(await rig.snapshot(true)).toBe(before);
      const renewal = { ...of(job, 'second'), leaseMs: 4000, jobs: [rig.keyOf(job)] };
      expect(await rig.store.renew([renewal])).toEqual([{ outcome: 'replaced', jobs: ['lost'] }]);
      expect(await rig.snapshot(true)).toBe(before);
      // The first one again is the first one.
      expect(await rig.store.register(of(job))).toMatchObject({ outcome: 'ok', requeued: 0 });
      expect(await rig.stateOf(job)).toBe('RUNNING');
    });

    test('is free when its owner says so, and what it held goes to the next', async () => {
      const rig = await open();
      const job = await rig.running();
      await rig.store.unregister(job.worker, 'somebody else');
      expect(await rig.store.register(of(job, 'second'))).toMatchObject({ outcome: 'taken' });
      await rig.store.unregister(job.worker, job.instance);
      expect(rig.one(await rig.store.claim([rig.claimOf(job)])).outcome).toBe('gone');
      expect(await rig.store.register(of(job, 'second'))).toMatchObject({ outcome: 'ok', requeued: 1, ends: [] });
      expect(await rig.view(job)).toMatchObject({ state: 'SCHEDULED', losses: 1 });
      const old = { ...job };
      job.handOut = rig.one(await rig.store.claim([rig.claimOf(job, { instance: 'second' })])).jobs[0];
      expect(job.handOut?.id).toBe(job.id);
      expect(rig.one(await rig.store.commit([rig.commitOf(old)]))).toMatchObject({ outcome: 'stale', reason: 'lost' });
    });

    test('is free when its owner has been silent; a hand-out that it never accepted is no loss, a fourth loss is the end', async () => {
      const rig = await open();
      const job = await rig.running({ pool: 'p' });
      rig.capacity.set(job.worker, 2);
      const accepted = await rig.running({ pool: 'q' });
      for (let i = 0; i < 3; i++) {
        await rig.raw.requeue([rig.requeueOf(accepted, 'RUNNING', 'lost')]);
        await rig.claim(accepted);
        await rig.accept(accepted);
      }
      const waiting = await rig.dispatched({ pool: 'r' });
      for (const held of [job, accepted, waiting]) {
        await rig.raw.register(of(held, held.instance, 1)); // its last sign of life
        const next = await until(async () => {
          rig.advance(5);
          const answer = await rig.raw.register(of(held, 'second'));
          return answer.outcome === 'ok' && answer;
        });
        if (held === accepted)
          expect(next).toMatchObject({
            requeued: 0,
            ends: [{ id: held.id, state: 'FAILED', errorCode: 'worker_lost' }],
          });
        else expect(next).toMatchObject({ requeued: 1, ends: [] });
      }
      expect(await rig.view(job)).toMatchObject({ state: 'SCHEDULED', losses: 1 });
      expect(await rig.view(waiting)).toMatchObject({ state: 'SCHEDULED', losses: 0 });
      await rig.audit();
    });

    test('comes back by a renewal: the process was only stopped for a while', async () => {
      const rig = await open();
      const job = await rig.running();
      await rig.raw.unregister(job.worker, job.instance);
      const renewal = { ...of(job), leaseMs: 4000, jobs: [rig.keyOf(job)] };
      expect(await rig.store.renew([renewal])).toEqual([{ outcome: 'ok', jobs: ['keep'] }]);
      expect(await rig.store.register(of(job, 'second'))).toMatchObject({ outcome: 'taken' });
    });

    test('renews many jobs, of many workers, in one call', async () => {
      const rig = await open();
      const jobs = [await rig.running(), await rig.running({ tenant: 't2' }), await rig.running({ tenant: 't3' })];
      const [a, b, c] = jobs as [Subject, Subject, Subject];
      await rig.raw.end([rig.endOf(b, 'CANCELLED')]);
      const item = (job: Subject, keys: readonly Subject[]) => ({
        ...of(job),
        leaseMs: 4000,
        jobs: keys.map(rig.keyOf),
      });
      const answers = await rig.store.renew([
        item(a, [a, b]),
        item(b, []),
        item(c, [c, { ...c, id: a.id, tenant: a.tenant }]),
      ]);
      expect(answers).toEqual([
        { outcome: 'ok', jobs: ['keep', 'cancelled'] },
        { outcome: 'ok', jobs: [] },
        { outcome: 'ok', jobs: ['keep', 'lost'] },
      ]);
    });

    test('with new capacity is given as much as it says', async () => {
      const rig = await open();
      const job = await rig.scheduled();
      await rig.registered(job, 5);
      await rig.store.renew([{ ...of(job), capacity: 0, leaseMs: 4000, jobs: [] }]);
      expect(rig.one(await rig.store.claim([rig.claimOf(job, { capacity: 5 })]))).toMatchObject({
        jobs: [],
        capacity: 0,
      });
    });
  });

  describe('what is due', () => {
    test('is taken by one of two that look, and comes back when nothing was done', async () => {
      const rig = await open();
      for (let i = 0; i < 30; i++) await rig.pending({ tenant: `t${i % 3}` });
      rig.advance(1000);
      const both = await Promise.all([rig.raw.due(20, 1000), rig.other.due(20, 1000)]);
      const ids = both.flatMap(({ jobs }) => jobs.map(({ id }) => id));
      expect(new Set(ids).size).toBe(ids.length);
      expect(ids).toHaveLength(30);
      expect(both[0].now).toBe(rig.now());
      expect((await rig.store.due(20, 1000)).jobs).toEqual([]);
      rig.advance(1000);
      const again = await rig.store.due(100, 1000);
      expect(again.jobs).toHaveLength(30);
      expect(again.more).toBe(false);
    });

    test('says when there is more', async () => {
      const rig = await open();
      for (let i = 0; i < 7; i++) await rig.pending();
      rig.advance(1000);
      expect(await rig.store.due(4, 1000)).toMatchObject({ more: true });
      expect(await rig.store.due(4, 1000)).toMatchObject({ more: false });
    });

    test('shows all that a decision needs, in each state', async () => {
      const rig = await open();
      const looked = async (job: Subject, ms: number) => {
        rig.advance(ms);
        return (await rig.store.due(100, 1000)).jobs.find(({ id }) => id === job.id);
      };
      const deadlineAt = rig.now() + 24 * 60 * aMinute;
      const job = await rig.pending({ topic: 'job.x', maxRetries: 1, timeoutMs: 10_000 });
      const head = { id: job.id, tenant: 't1', topic: 'job.x', traceId: job.new.traceId, deadlineAt };
      expect(await looked(job, 1000)).toMatchObject({
        ...head,
        state: 'PENDING',
        packet: job.new.packet,
        end: undefined,
      });
      await rig.schedule(job);
      expect(await looked(job, 5000)).toBeUndefined();
      await rig.registered(job);
      await rig.claim(job);
      const handedOutAt = rig.now();
      const place = { pool: job.pool, lane: 'job.x', worker: job.worker, instance: job.instance };
      expect(await looked(job, 2000)).toMatchObject({
        ...{ ...head, ...place, state: 'DISPATCHED', fence: job.handOut?.fence, attempt: job.handOut?.attempt },
        ...{ leaseAt: handedOutAt + 2000, firstHandOutAt: handedOutAt, queued: false, packet: undefined },
      });
      await rig.store.requeue([rig.requeueOf(job, 'DISPATCHED', 'unaccepted')]);
      await rig.claim(job);
      // The dispatch time-out counts from the first of the hand-outs that nobody took.
      expect(await looked(job, 2000)).toMatchObject({ state: 'DISPATCHED', firstHandOutAt: handedOutAt });
      await rig.store.requeue([rig.requeueOf(job, 'DISPATCHED', 'unaccepted', 700)]);
      expect(await looked(job, 700)).toMatchObject({
        state: 'SCHEDULED',
        queued: false,
        notBefore: rig.now(),
        attempt: '',
      });
      await rig.store.requeue([rig.requeueOf(job, 'SCHEDULED', 'ready')]);
      await rig.claim(job);
      await rig.accept(job);
      const runDeadlineAt = rig.now() + 10_000;
      expect(await looked(job, 4000)).toMatchObject({
        state: 'RUNNING',
        runDeadlineAt,
        leaseAt: rig.now(),
        firstHandOutAt: 0,
      });
      await rig.store.end([rig.endOf(job, 'TIMEOUT')]);
      const end = { id: job.id, state: 'TIMEOUT', worker: job.worker, errorCode: 'timeout', tenant: 't1' };
      expect(await looked(job, 2000)).toMatchObject({ state: 'TIMEOUT', end });
      // Until it was announced it is looked at again and again.
      expect(await looked(job, 1000)).toMatchObject({ end });
      expect(await rig.store.announced([job])).toEqual([{ state: 'TIMEOUT', topic: 'job.x' }]);
      expect(await looked(job, 10_000)).toBeUndefined();
    });

    test('at the total deadline whatever it is doing', async () => {
      const rig = await open();
      const jobs = [
        await rig.in('AWAITING_APPROVAL', { deadlineMs: 900 }),
        await rig.in('SCHEDULED', { deadlineMs: 900 }),
        await rig.in('RUNNING', { deadlineMs: 900 }),
      ];
      rig.advance(899);
      expect((await rig.store.due(10, 1000)).jobs).toEqual([]);
      rig.advance(1);
      const due = (await rig.store.due(10, 1000)).jobs.map(({ id }) => id);
      expect(new Set(due)).toEqual(new Set(jobs.map(({ id }) => id)));
    });
  });

  describe('announced', () => {
    test('answers the end once, to the first that says so, and leaves the living alone', async () => {
      const rig = await open();
      const job = await rig.in('SUCCEEDED');
      const live = await rig.running();
      const unknown = rig.newJob();
      const before = await rig.snapshot();
      expect(await rig.store.announced([live, unknown])).toEqual([undefined, undefined]);
      expect(await rig.snapshot()).toBe(before);
      const answers = await Promise.all(
        Array.from({ length: 6 }, (_, i) => (i % 2 === 0 ? rig.raw : rig.other).announced([job])),
      );
      rig.announced.add(job.id);
      expect(answers.flat().filter((answer) => answer !== undefined)).toEqual([
        { state: 'SUCCEEDED', topic: 'job.echo' },
      ]);
      await rig.audit();
    });
  });
}
