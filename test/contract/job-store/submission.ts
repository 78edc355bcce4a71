// Acceptance and the gate: one record per job whatever is repeated, nobody else's keys, no payload lost on the way, and nothing runs
// without a stored allow of the policy in force.
import { describe, expect, test } from 'vitest';
import type { JobStore } from '#core/jobs/store.ts';
import { policy, type Rig, type Subject } from './rig.ts';

export function submission(open: () => Promise<Rig>): void {
  describe('create', () => {
    test('accepts a job once; the same job again is the same job, and shows how far it is', async () => {
      const rig = await open();
      const job = rig.subject({ topic: 'job.x', rank: 0 });
      expect(rig.one(await rig.store.create([job.new]))).toEqual({
        ...{ outcome: 'created', id: job.id, traceId: job.new.traceId, state: 'PENDING' },
      });
      const before = await rig.snapshot();
      const again = rig.one(await rig.store.create([job.new]));
      expect(again).toEqual({ outcome: 'existing', id: job.id, traceId: job.new.traceId, state: 'PENDING' });
      expect(await rig.snapshot()).toBe(before);
      await rig.schedule(job);
      expect(rig.one(await rig.store.create([job.new]))).toMatchObject({ outcome: 'existing', state: 'SCHEDULED' });
      expect(await rig.view(job)).toMatchObject({
        ...{ id: job.id, tenant: 't1', topic: 'job.x', principal: 'someone', createdAt: rig.now() },
        ...{ deadlineAt: rig.now() + 24 * 3600_000, attempts: 0, resultPtr: '', progress: undefined },
      });
    });

    test('in one call as in many', async () => {
      const rig = await open();
      const [a, b] = [rig.newJob(), rig.newJob()];
      const answers = await rig.store.create([
        a,
        b,
        a,
        { ...b, digest: 'another' },
        rig.newJob({ id: 'from-outside.1' }),
      ]);
      expect(answers.map(({ outcome }) => outcome)).toEqual(['created', 'created', 'existing', 'conflict', 'created']);
    });

    test('refuses an id with another body, or for another tenant', async () => {
      const rig = await open();
      for (const id of [undefined, 'an-id-from-outside']) {
        const job = await rig.pending(id === undefined ? {} : { id });
        const before = await rig.snapshot();
        const others = [
          { ...job.new, digest: 'another' },
          { ...job.new, tenant: 't2', digest: 'of-t2' },
          { ...job.new, tenant: 'tenant-elsewhere', digest: 'of-t3' },
        ];
        for (const other of others) {
          expect(rig.one(await rig.store.create([other]))).toEqual({ outcome: 'conflict' });
          expect(await rig.snapshot()).toBe(before);
        }
      }
    });

    test.each(['res', 'ctx', 'job:events', 'job:req'])(
      'refuses an id whose %s key exists without a record',
      async (kind) => {
        const rig = await open();
        const job = rig.newJob();
        await rig.driver.write(job.tenant, `${kind}:${job.id}`, 'of somebody');
        const before = await rig.snapshot();
        expect(rig.one(await rig.raw.create([job]))).toEqual({ outcome: 'conflict' });
        expect(await rig.snapshot()).toBe(before);
      },
    );

    test('an idempotency key names one job, in any order and at any state', async () => {
      const rig = await open();
      const idempotency = { key: 'order 17', digest: 'body-a' };
      const first = rig.newJob({ idempotency });
      expect(rig.one(await rig.store.create([first])).outcome).toBe('created');
      const second = rig.one(await rig.store.create([rig.newJob({ idempotency })]));
      expect(second).toEqual({ outcome: 'existing', id: first.id, traceId: first.traceId, state: 'PENDING' });
      const other = rig.newJob({ idempotency: { ...idempotency, digest: 'body-b' } });
      const before = await rig.snapshot();
      expect(rig.one(await rig.store.create([other]))).toEqual({ outcome: 'idempotency_conflict', id: first.id });
      expect(await rig.snapshot()).toBe(before);
      // Another tenant's key is another key.
      expect(rig.one(await rig.store.create([rig.newJob({ tenant: 't2', idempotency })])).outcome).toBe('created');
      await rig.store.end([{ ...rig.endOf(rig.subject({ id: first.id }), 'CANCELLED') }]);
      expect(rig.one(await rig.store.create([rig.newJob({ idempotency })]))).toMatchObject({
        outcome: 'existing',
        state: 'CANCELLED',
      });
    });

    test('many submissions with one idempotency key at once become one job', async () => {
      const rig = await open();
      for (let round = 0; round < 20; round++) {
        const idempotency = { key: `key ${round}`, digest: 'body' };
        const submit = async (store: JobStore) => rig.one(await store.create([rig.newJob({ idempotency })]));
        const answers = await Promise.all(
          Array.from({ length: 10 }, (_, i) => submit(i % 2 === 0 ? rig.raw : rig.other)),
        );
        expect(answers.filter(({ outcome }) => outcome === 'created')).toHaveLength(1);
        expect(new Set(answers.map((answer) => ('id' in answer ? answer.id : ''))).size).toBe(1);
      }
      await rig.audit();
    });

    test('a payload that a client of the bus wrote is kept until the job has ended; none at all is fine when none is named', async () => {
      const rig = await open();
      const job = rig.newJob({ id: 'bus-job', payload: null, payloadExpected: true });
      await rig.driver.write('t1', 'ctx:bus-job', '{"a":1}');
      expect(rig.one(await rig.store.create([job])).outcome).toBe('created');
      expect(rig.one(await rig.store.create([rig.newJob({ payload: null })])).outcome).toBe('created');
    });

    test('a job whose payload is not there fails in the same step: nobody can run it in between', async () => {
      const rig = await open();
      const job = rig.subject({ id: 'bus-job', payload: null, payloadExpected: true });
      const answer = rig.one(await rig.store.create([job.new]));
      expect(answer).toMatchObject({
        ...{ outcome: 'payload_missing', id: 'bus-job' },
        end: { id: 'bus-job', state: 'FAILED', errorCode: 'payload_missing', tenant: 't1' },
      });
      expect(rig.events.map(({ state }) => state)).toEqual(['PENDING', 'FAILED']);
      expect(await rig.store.transitions('bus-job', 't1')).toEqual([`1800000000|PENDING`, `1800000000|FAILED`]);
      // The client repeats itself; the payload came too late.
      await rig.driver.write('t1', 'ctx:bus-job', '{"a":1}');
      expect(rig.one(await rig.raw.create([job.new]))).toMatchObject({ outcome: 'existing', state: 'FAILED' });
      expect(rig.one(await rig.raw.gate([rig.gateOf(job)]))).toMatchObject({ outcome: 'state', state: 'FAILED' });
    });

    test('text of any script comes back as it went in', async () => {
      const rig = await open();
      const payload = '{"prompt":"Grüße, 世界 👋 \\u0000 \\n"}';
      const job = await rig.dispatched({ payload });
      expect(rig.one(await rig.store.accept([rig.acceptOf(job)]))).toMatchObject({ payload });
      await rig.store.commit([rig.commitOf(job, 'SUCCEEDED', { result: payload })]);
      expect(await rig.store.result(job.id, job.tenant)).toBe(payload);
      expect(job.handOut?.packet).toEqual(job.new.packet);
    });
  });

  describe('the gate', () => {
    test('judges the job that is stored, not the one that was sent', async () => {
      const rig = await open();
      const job = await rig.pending();
      expect(rig.one(await rig.store.gate([rig.gateOf(job, 'SCHEDULED', { digest: 'harmless' })]))).toMatchObject({
        ...{ outcome: 'digest', state: 'PENDING', end: undefined },
      });
      const unknown = rig.subject();
      expect(rig.one(await rig.store.gate([rig.gateOf(unknown)]))).toMatchObject({
        outcome: 'missing',
        state: undefined,
      });
    });

    test('stores decision, rule, reason, version and constraints before anything is handed out', async () => {
      const rig = await open();
      const constraints = '{"maxTokens":100}';
      const job = await rig.scheduled({ constraints, timeoutMs: 7000 });
      expect(await rig.view(job)).toMatchObject({
        ...{ safetyDecision: 'ALLOW_WITH_CONSTRAINTS', rule: 'rule1', policy: '1:h1', pool: job.pool },
      });
      await rig.registered(job);
      await rig.claim(job);
      expect(job.handOut).toMatchObject({ constraints, timeoutMs: 7000, topic: 'job.echo', traceId: job.new.traceId });
    });

    test('does not schedule without an allow and a version', async () => {
      const rig = await open();
      const job = await rig.pending();
      const before = await rig.snapshot();
      for (const more of [{ decision: 'DENY' }, { decision: '' }, { policy: undefined }])
        await expect(rig.raw.gate([rig.gateOf(job, 'SCHEDULED', more)])).rejects.toMatchObject({ code: 'internal' });
      await expect(rig.raw.gate([rig.gateOf(job, 'DENIED', { policy: undefined })])).rejects.toMatchObject({
        code: 'internal',
      });
      expect(await rig.snapshot()).toBe(before);
    });

    test('holds a job that nobody can judge, or that is throttled, with the reason to be seen, until it is looked at again', async () => {
      const rig = await open();
      const job = await rig.pending();
      const hold = rig.gateOf(job, 'PENDING', { policy: undefined, decision: '', reason: 'kernel away', holdMs: 5000 });
      expect(rig.one(await rig.store.gate([hold]))).toMatchObject({
        outcome: 'applied',
        state: 'PENDING',
        first: true,
      });
      expect(await rig.view(job)).toMatchObject({ state: 'PENDING', safetyReason: 'kernel away' });
      expect(rig.events).toHaveLength(1);
      rig.advance(4999);
      expect((await rig.store.due(10, 1000)).jobs).toEqual([]);
      rig.advance(1);
      const [due] = (await rig.store.due(10, 1000)).jobs;
      expect(due).toMatchObject({ id: job.id, digest: job.new.digest, principal: 'someone', packet: job.new.packet });
      // Throttled next, in the same words: the decision is the last one.
      await rig.store.gate([{ ...hold, decision: 'THROTTLE', policy, rule: 'r2', holdMs: 2500 }]);
      expect(await rig.view(job)).toMatchObject({ state: 'PENDING', safetyDecision: 'THROTTLE', rule: 'r2' });
      rig.advance(2499);
      expect((await rig.store.due(10, 1000)).jobs).toEqual([]);
      rig.advance(1);
      expect((await rig.store.due(10, 1000)).jobs).toMatchObject([{ id: job.id, state: 'PENDING' }]);
      // Never beyond the job's own deadline.
      const short = await rig.pending({ deadlineMs: 2000 });
      await rig.store.gate([rig.gateOf(short, 'PENDING', { holdMs: 60_000 })]);
      rig.advance(2000);
      expect((await rig.store.due(10, 1000)).jobs.map(({ id }) => id)).toContain(short.id);
    });

    test('says when it is the first to decide', async () => {
      const rig = await open();
      const job = await rig.pending();
      const first = async (): Promise<boolean> => rig.one(await rig.store.gate([rig.gateOf(job)])).first;
      expect(await first()).toBe(true);
      await rig.registered(job);
      await rig.store.claim([rig.claimOf(job, { policy: { sequence: 2, hash: 'h2' } })]);
      expect(await first()).toBe(false);
      const denied = await rig.pending();
      expect(rig.one(await rig.store.gate([rig.gateOf(denied, 'DENIED')]))).toMatchObject({
        ...{ outcome: 'applied', state: 'DENIED', first: true },
        end: { id: denied.id, state: 'DENIED', errorCode: 'gate_error' },
      });
    });

    test('judges again what was judged under an older policy; the same policy under a newer number is the same', async () => {
      const rig = await open();
      const job = await rig.scheduled({ policy: { sequence: 5, hash: 'five' }, constraints: '{"x":1}' });
      await rig.registered(job);
      const claim = async (sequence: number, hash: string) =>
        rig.one(await rig.store.claim([rig.claimOf(job, { policy: { sequence, hash } })]));
      const newer = await claim(6, 'six');
      expect(newer.jobs).toEqual([]);
      expect(newer.regate).toEqual([
        { id: job.id, tenant: job.tenant, digest: job.new.digest, principal: 'someone', packet: job.new.packet },
      ]);
      expect(await rig.view(job)).toMatchObject({ state: 'PENDING', safetyReason: 'policy changed' });
      // Whoever got it may die; then it is due soon.
      rig.advance(1000);
      expect((await rig.store.due(10, 1000)).jobs).toMatchObject([{ id: job.id, state: 'PENDING' }]);
      // Allowed without constraints this time: none are left over.
      const { spec } = job;
      const plain: Subject = { ...job, spec: { ...spec, policy: { sequence: 6, hash: 'six' } } };
      await rig.store.gate([rig.gateOf(plain, 'SCHEDULED', { constraints: '', decision: 'ALLOW' })]);
      const same = await claim(7, 'six');
      expect(same.jobs).toMatchObject([{ id: job.id, constraints: '' }]);
    });

    test('a scheduler with an old policy does not send back what was judged under a newer one', async () => {
      const rig = await open();
      const job = await rig.scheduled({ policy: { sequence: 5, hash: 'five' } });
      await rig.registered(job);
      const claimed = rig.one(await rig.store.claim([rig.claimOf(job, { policy: { sequence: 4, hash: 'four' } })]));
      expect(claimed).toMatchObject({ jobs: [{ id: job.id }], regate: [] });
    });
  });
}
