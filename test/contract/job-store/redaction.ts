// A payload that the policy wants instead of the job's own: it is there before the job is scheduled, no other job can own it, it is what
// the worker gets, and it lives as long as the job's own.
import { describe, expect, test } from 'vitest';
import { policy, type Rig, type Spec, type Subject } from './rig.ts';

const own = '{"prompt":"secret"}';
const redacted = '{"prompt":"***"}';
const lane = 'job.echo|d';
const newer = { sequence: 2, hash: 'h2' };

export function redaction(open: () => Promise<Rig>): void {
  describe('a redacted payload', () => {
    const pending = (rig: Rig, spec: Spec = {}): Promise<Subject> => rig.pending({ payload: own, lane, ...spec });
    const judge = async (rig: Rig, job: Subject, redactedKey: string | undefined, version = policy) => {
      const wanted = redactedKey === undefined ? {} : { redactedKey };
      return rig.one(await rig.store.gate([rig.gateOf(job, 'SCHEDULED', { ...wanted, policy: version, holdMs: 700 })]));
    };
    const run = async (rig: Rig, job: Subject, version = policy): Promise<string | null | undefined> => {
      await rig.registered(job);
      await rig.claim(job, { policy: version });
      const answer = rig.one(await rig.store.accept([rig.acceptOf(job)]));
      const again = rig.one(await rig.store.accept([rig.acceptOf(job)]));
      expect(again).toEqual(answer);
      return answer.outcome === 'run' ? answer.payload : undefined;
    };

    test.each([':redacted', '-redacted', ':', '-'])('at ctx:<id>%s is what the worker gets', async (rest) => {
      const rig = await open();
      const job = await pending(rig);
      await rig.driver.write(job.tenant, `ctx:${job.id}${rest}`, redacted);
      expect(await judge(rig, job, `ctx:${job.id}${rest}`)).toMatchObject({ outcome: 'applied', state: 'SCHEDULED' });
      // Where no other job's id can name it.
      expect(await rig.driver.read(job.tenant, `ctx:${job.id}:${rest.slice(1)}`)).toBe(redacted);
      if (rest.startsWith('-')) expect(await rig.driver.read(job.tenant, `ctx:${job.id}${rest}`)).toBeNull();
      expect(await run(rig, job)).toBe(redacted);
      // The auditor sees that it has an end from now on.
      await rig.store.commit([rig.commitOf(job)]);
      expect((await rig.driver.books()).jobs.get(job.id)?.life.redacted).toBe('ending');
    });

    test('is waited for, with the reason to be seen', async () => {
      const rig = await open();
      const job = await pending(rig);
      const key = `ctx:${job.id}:r`;
      expect(await judge(rig, job, key)).toEqual({ outcome: 'waits', state: 'PENDING', first: true, end: undefined });
      expect(await rig.view(job)).toMatchObject({
        ...{ state: 'PENDING', safetyDecision: 'ALLOW', policy: '' },
        safetyReason: `waits: the payload that the policy wants instead, ${key}, is not there`,
      });
      rig.advance(699);
      expect((await rig.store.due(10, 1000)).jobs).toEqual([]);
      rig.advance(1);
      expect((await rig.store.due(10, 1000)).jobs).toMatchObject([{ id: job.id }]);
      await rig.driver.write(job.tenant, key, redacted);
      expect(await judge(rig, job, key)).toMatchObject({ outcome: 'applied', first: false });
      expect(await run(rig, job)).toBe(redacted);
    });

    test('is not taken from another job, nor lost to one that is named like it later', async () => {
      const rig = await open();
      const job = await pending(rig, { id: 'A' });
      const other = await rig.pending({ id: 'A-x', payload: '"of another"' });
      for (const key of ['ctx:A-x', 'ctx:A', 'ctx:B', 'ctx:B:x', 'res:A', 'due']) {
        const before = await rig.driver.read(other.tenant, 'ctx:A-x');
        expect(await judge(rig, job, key), key).toMatchObject({ outcome: 'waits', state: 'PENDING' });
        expect(await rig.driver.read(other.tenant, 'ctx:A-x')).toBe(before);
      }
      await rig.driver.write(job.tenant, 'ctx:A-y', redacted);
      expect(await judge(rig, job, 'ctx:A-y')).toMatchObject({ outcome: 'applied' });
      // A client of the bus takes the name, hoping for what is there.
      const late = rig.newJob({ id: 'A-y', payload: null, payloadExpected: true });
      expect(rig.one(await rig.store.create([late]))).toMatchObject({ outcome: 'payload_missing' });
      expect(await run(rig, job)).toBe(redacted);
    });

    test('belongs to the verdict: the next one without it runs the own payload, and the key gets an end', async () => {
      const rig = await open();
      const job = await pending(rig);
      const key = `ctx:${job.id}:r`;
      await rig.driver.write(job.tenant, key, redacted);
      await judge(rig, job, key);
      await rig.registered(job);
      const back = async (version: typeof policy) =>
        rig.one(await rig.store.claim([rig.claimOf(job, { policy: version })])).regate.length;
      expect(await back(newer)).toBe(1);
      expect(await judge(rig, job, undefined, newer)).toMatchObject({ outcome: 'applied' });
      expect((await rig.driver.books()).jobs.get(job.id)?.life.redacted).toBe('absent');
      // Wanted again, while it is still there: it lasts again.
      const third = { sequence: 3, hash: 'h3' };
      expect(await back(third)).toBe(1);
      expect(await judge(rig, job, key, third)).toMatchObject({ outcome: 'applied' });
      expect((await rig.driver.books()).jobs.get(job.id)?.life.redacted).toBe('lasting');
      const fourth = { sequence: 4, hash: 'h4' };
      expect(await back(fourth)).toBe(1);
      await judge(rig, job, undefined, fourth);
      expect(await run(rig, job, fourth)).toBe(own);
    });

    test('that was moved is found again by the name that the kernel knows', async () => {
      const rig = await open();
      const job = await pending(rig);
      const key = `ctx:${job.id}-r`;
      await rig.driver.write(job.tenant, key, redacted);
      await judge(rig, job, key);
      await rig.registered(job);
      await rig.store.claim([rig.claimOf(job, { policy: newer })]);
      expect(await judge(rig, job, key, newer)).toMatchObject({ outcome: 'applied' });
      await rig.driver.write(job.tenant, key, '"newer"');
      await rig.raw.claim([rig.claimOf(job, { policy: { sequence: 3, hash: 'h3' } })]);
      await judge(rig, job, key, { sequence: 3, hash: 'h3' });
      expect(await run(rig, job, { sequence: 3, hash: 'h3' })).toBe('"newer"');
    });

    test.each([':r', '-r'])('at ctx:<id>%s that comes while nobody asks has an end when the job has', async (rest) => {
      const rig = await open();
      const [waits, late] = [await pending(rig), await pending(rig)];
      expect(await judge(rig, waits, `ctx:${waits.id}${rest}`)).toMatchObject({ outcome: 'waits' });
      await rig.driver.write(late.tenant, `ctx:${late.id}${rest}`, redacted);
      expect(await judge(rig, late, `ctx:${late.id}${rest}`)).toMatchObject({ outcome: 'applied' });
      for (const job of [waits, late]) {
        await rig.driver.write(job.tenant, `ctx:${job.id}${rest}`, '"late"');
        await rig.store.end([rig.endOf(job, 'CANCELLED')]);
        const life = (await rig.driver.books()).jobs.get(job.id)?.life;
        expect(rest === '-r' ? life?.moved : life?.redacted).toBe('ending');
      }
    });

    test('does not take the life of a payload of another job that is named like the key it was moved from', async () => {
      const rig = await open();
      const job = await pending(rig, { id: 'C' });
      await rig.driver.write(job.tenant, 'ctx:C-x', redacted);
      await judge(rig, job, 'ctx:C-x');
      const other = await rig.pending({ id: 'C-x', payload: own });
      await rig.store.end([rig.endOf(job, 'CANCELLED')]);
      expect((await rig.driver.books()).jobs.get(other.id)?.life.payload).toBe('lasting');
    });

    test('is for workers of ours alone', async () => {
      const rig = await open();
      const job = await pending(rig);
      const gate = rig.gateOf(job, 'SCHEDULED', { redactedKey: `ctx:${job.id}:r`, lane: 'job.echo' });
      await expect(rig.raw.gate([gate])).rejects.toMatchObject({ code: 'internal' });
    });
  });
}
