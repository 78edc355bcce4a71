// A person's word: it lets a job go on that the policy held for one, and holds for that body under that policy alone.
import { describe, expect, test } from 'vitest';
import type { PolicyVersion } from '#core/jobs/job.ts';
import { policy, type Rig, type Subject } from './rig.ts';

const newer: PolicyVersion = { sequence: 2, hash: 'h2' };

export function approvals(open: () => Promise<Rig>): void {
  describe('an approval', () => {
    const waiting = async (rig: Rig): Promise<Subject> => rig.in('AWAITING_APPROVAL');
    const approve = async (rig: Rig, job: Subject) => rig.one(await rig.store.approve([rig.approveOf(job)]));
    /** The kernel asks for a person again, and the gate tries whether one has spoken. */
    const judge = async (rig: Rig, job: Subject, version = policy, digest = job.new.digest) =>
      rig.one(
        await rig.store.gate([
          rig.gateOf(job, 'SCHEDULED', { decision: 'REQUIRE_HUMAN', policy: version, digest, reason: 'asks Ada' }),
        ]),
      );

    test('makes the job due at once, says whose it was, and the gate lets the job go on', async () => {
      const rig = await open();
      const job = await waiting(rig);
      expect(await rig.view(job)).toMatchObject({ safetyDecision: 'REQUIRE_HUMAN', approvedBy: '' });
      rig.advance(10);
      expect((await rig.store.due(10, 1000)).jobs).toEqual([]);
      expect(await approve(rig, job)).toEqual({ outcome: 'approved', state: 'PENDING' });
      expect((await rig.store.due(10, 1000)).jobs).toMatchObject([
        { id: job.id, state: 'PENDING', digest: job.new.digest, packet: job.new.packet },
      ]);
      expect(await judge(rig, job)).toMatchObject({ outcome: 'applied', state: 'SCHEDULED', first: false });
      expect(await rig.view(job)).toMatchObject({
        ...{ state: 'SCHEDULED', safetyDecision: 'REQUIRE_HUMAN', safetyReason: 'asks Ada', approvedBy: 'a person' },
      });
      await rig.registered(job);
      await rig.claim(job);
    });

    test('that nobody gave lets nothing go on', async () => {
      const rig = await open();
      const job = await rig.pending();
      const before = await rig.snapshot();
      expect(await judge(rig, job)).toEqual({ outcome: 'unapproved', state: 'PENDING', first: false, end: undefined });
      expect(await rig.snapshot()).toBe(before);
      const nobody = rig.approveOf(job, { principal: '' });
      await expect(rig.raw.approve([nobody])).rejects.toMatchObject({ code: 'internal' });
    });

    test('holds for the body alone that the person saw', async () => {
      const rig = await open();
      const job = await waiting(rig);
      const other = rig.approveOf(job, { digest: 'another' });
      expect(rig.one(await rig.store.approve([other]))).toEqual({ outcome: 'digest', state: 'AWAITING_APPROVAL' });
      await approve(rig, job);
      expect(await judge(rig, job, policy, 'another')).toMatchObject({ outcome: 'digest' });
    });

    test('does not outlive a change of the policy, not even one that is taken back', async () => {
      const rig = await open();
      const job = await waiting(rig);
      await approve(rig, job);
      expect(await judge(rig, job, newer)).toMatchObject({ outcome: 'unapproved' });
      await rig.store.gate([rig.gateOf(job, 'AWAITING_APPROVAL', { policy: newer })]);
      expect(await rig.view(job)).toMatchObject({ state: 'AWAITING_APPROVAL', approvedBy: '' });
      await approve(rig, job);
      expect(await judge(rig, job)).toMatchObject({ outcome: 'unapproved' });
      expect(await judge(rig, job, newer)).toMatchObject({ outcome: 'applied' });
      // In the queue when the policy changes: back at the gate, where the word is void.
      await rig.registered(job);
      const third = { sequence: 3, hash: 'h3' };
      expect(rig.one(await rig.store.claim([rig.claimOf(job, { policy: third })])).regate).toHaveLength(1);
      expect(await judge(rig, job, third)).toMatchObject({ outcome: 'unapproved' });
      await rig.store.gate([rig.gateOf(job, 'PENDING', { policy: third })]);
      expect(await rig.view(job)).toMatchObject({ state: 'PENDING', approvedBy: '' });
      expect(await judge(rig, job, newer)).toMatchObject({ outcome: 'unapproved' });
    });

    test('holds under the same policy with a newer number, and while nobody can judge', async () => {
      const rig = await open();
      const job = await waiting(rig);
      await approve(rig, job);
      await rig.store.gate([rig.gateOf(job, 'PENDING', { policy: undefined, decision: '', reason: 'kernel away' })]);
      const again = { sequence: 9, hash: policy.hash };
      expect(await judge(rig, job, again)).toMatchObject({ outcome: 'applied', state: 'SCHEDULED' });
    });

    test('comes too late for what a person denied, and for what has ended', async () => {
      const rig = await open();
      for (const to of ['DENIED', 'CANCELLED', 'TIMEOUT'] as const) {
        const job = await waiting(rig);
        await rig.store.end([rig.endOf(job, to)]);
        expect(await approve(rig, job)).toEqual({ outcome: 'state', state: to });
      }
      expect(rig.one(await rig.store.approve([rig.approveOf(rig.subject())]))).toEqual({
        ...{ outcome: 'missing', state: undefined },
      });
    });
  });
}
