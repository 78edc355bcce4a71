// The host between a bus in memory and the store: what becomes of a hand-out. The clock is stepped by the tests.
import { afterEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { CortexError } from '#core/errors.ts';
import { subjects } from '#core/protocol/subjects.ts';
import { JobStatus } from '#proto/cortex/agent/v1/job_pb.ts';
import { defineWorker, type JobContext, type WorkerDefinition } from '../../../services/worker/define.ts';
import { chat } from '../../../services/worker/chat.ts';
import { echo } from '../../../services/worker/echo.ts';
import { createFakeClock, type FakeClock, settle } from '../../helpers/clock.ts';
import { createStage, type Stage, type StageOptions } from '../../helpers/worker-stage.ts';
import { makeStore } from '../../helpers/worker-store.ts';

/** A worker whose handler the test finishes by hand. */
function createManual(parallel = 1, more: object = {}) {
  const calls: {
    input: unknown;
    context: JobContext;
    resolve: (value: unknown) => void;
    reject: (e: unknown) => void;
  }[] = [];
  let running = 0;
  let most = 0;
  const definition = defineWorker({
    topic: 'job.test',
    pool: 'test',
    parallel,
    input: z.unknown(),
    handle: async (input, context) => {
      most = Math.max(most, ++running);
      try {
        return await new Promise((resolve, reject) => calls.push({ input, context, resolve, reject }));
      } finally {
        running--;
      }
    },
    ...more,
  });
  return { definition, calls, most: () => most };
}

/** A handler that heeds its signal and nothing else. */
const waiting = defineWorker({
  topic: 'job.test',
  pool: 'test',
  parallel: 1,
  input: z.unknown(),
  handle: (_input, { signal }) =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
});

let clock: FakeClock;
let stage: Stage | undefined;

async function setUp(definition: WorkerDefinition | readonly WorkerDefinition[], more: Partial<StageOptions> = {}) {
  clock = createFakeClock();
  const definitions = Array.isArray(definition) ? definition : [definition as WorkerDefinition];
  stage = await createStage({ store: await makeStore(clock), clock, definitions, ...more });
  return stage;
}

afterEach(async () => {
  if (stage !== undefined) await clock.during(stage.close());
  stage = undefined;
});

const resultsOf = (s: Stage, id: string) =>
  s.news.flatMap((p) => (p.payload.case === 'jobResult' && p.payload.value.jobId === id ? [p] : []));

describe('a job', () => {
  test('runs, is committed and told', async () => {
    const s = await setUp(echo);
    const { id, fence } = await s.run({ topic: 'job.echo', payload: { a: ['ä', 1, null] } });
    await s.seen('committed', id);
    await s.seen('done', id);
    expect(JSON.parse((await s.store.result(id, 'default')) ?? '')).toEqual({
      job_id: id,
      received_ctx: { a: ['ä', 1, null] },
      processed_by: 'w0',
      completed_at_utc: new Date(clock.now()).toISOString().replace(/\.\d+/, ''),
    });
    expect(await s.view(id)).toMatchObject({
      state: 'SUCCEEDED',
      worker: 'w0',
      fence,
      attempts: 1,
      failures: 0,
      losses: 0,
    });
    await settle();
    const [result, ...more] = resultsOf(s, id);
    expect(more).toEqual([]);
    expect(result).toMatchObject({
      traceId: `t-${id}`,
      senderId: 'w0',
      payload: {
        value: { status: JobStatus.SUCCEEDED, resultPtr: `redis://res:${id}`, workerId: 'w0', errorCode: '' },
      },
    });
    expect(s.told.map((e) => e.type).filter((t) => t !== 'slots')).toEqual([
      ...['listening', 'accepted', 'started', 'settled', 'committed', 'done'],
    ]);
  });

  test('without a payload is echoed as null; a chat without one has an empty prompt', async () => {
    const s = await setUp([echo, chat]);
    const first = await s.run({ topic: 'job.echo' });
    const second = await s.run({ topic: 'job.chat.simple' });
    const third = await s.run({ topic: 'job.chat.simple', payload: { prompt: 'hello', other: 1 } });
    for (const { id } of [first, second, third]) await s.seen('committed', id);
    const result = async (id: string): Promise<unknown> => JSON.parse((await s.store.result(id, 'default')) ?? '');
    expect(await result(first.id)).toMatchObject({ received_ctx: null });
    expect(await result(second.id)).toMatchObject({
      prompt: '',
      response: 'Echo: ',
      model: 'echo',
      processed_by: 'w1',
    });
    expect(await result(third.id)).toMatchObject({ job_id: third.id, prompt: 'hello', response: 'Echo: hello' });
  });

  test('tells its handler all that it needs to know', async () => {
    const { definition, calls } = createManual(1, { honours: ['diff.max_files'] });
    const s = await setUp(definition);
    const constraints = { diff: { maxFiles: 3 } };
    const { id, fence } = await s.run({ payload: 'x', constraints, env: { memory_id: 'm' } });
    await s.seen('started', id);
    expect(calls[0]?.input).toBe('x');
    expect(calls[0]?.context).toMatchObject({
      job: {
        id,
        topic: 'job.test',
        tenant: 'default',
        traceId: `t-${id}`,
        attempt: 1,
        request: { env: { memory_id: 'm' } },
      },
      worker: 'w0',
      fence,
      idempotencyKey: id,
      constraints,
    });
    await clock.advance(1234);
    calls[0]?.resolve('done');
    const committed = await s.seen('committed', id);
    expect(committed.execMs).toBe(1234);
    expect(await s.view(id)).toMatchObject({ state: 'SUCCEEDED', execMs: 1234 });
  });

  test.each([
    [{ payload: { prompt: 7 } }, /^prompt: /],
    [{ payload: [] }, /^payload: /],
    [{ text: '{"prompt":' }, /^payload: is not JSON$/],
  ])('with wrong input %j fails, names the field and is not tried again', async (submit, message) => {
    const s = await setUp(chat);
    const { id } = await s.run({ topic: 'job.chat.simple', maxRetries: 3, ...submit });
    await s.seen('committed', id);
    const view = await s.view(id);
    expect(view).toMatchObject({ state: 'FAILED', errorCode: 'invalid_argument', attempts: 1 });
    expect(view.errorMessage).toMatch(message);
    await settle();
    expect(resultsOf(s, id)).toMatchObject([
      {
        payload: {
          value: { status: JobStatus.FAILED, errorCode: 'invalid_argument', errorMessage: view.errorMessage },
        },
      },
    ]);
  });

  test.each([
    [new CortexError('unavailable', 'the model is away'), 'SCHEDULED', ''],
    [new Error('socket hang up'), 'SCHEDULED', ''],
    [new CortexError('failed_precondition', 'no such repository'), 'FAILED', 'failed_precondition'],
  ])('whose handler throws %s becomes %s', async (error, state, errorCode) => {
    const { definition, calls } = createManual();
    const s = await setUp(definition);
    const { id } = await s.run({ maxRetries: 1 });
    await s.seen('started', id);
    calls[0]?.reject(error);
    const committed = await s.seen('committed', id);
    expect(committed).toMatchObject({ outcome: state === 'FAILED' ? 'committed' : 'retry', state, status: 'FAILED' });
    expect(await s.view(id)).toMatchObject({ state, failures: 1, ...(state === 'FAILED' ? { errorCode } : {}) });
    await settle();
    expect(resultsOf(s, id)).toHaveLength(state === 'FAILED' ? 1 : 0);
  });

  test('whose result is too large fails out_of_range', async () => {
    const { definition, calls } = createManual();
    const s = await setUp(definition);
    const { id } = await s.run({ constraints: { budgets: { maxArtifactBytes: 1000n } }, maxRetries: 2 });
    await s.seen('started', id);
    calls[0]?.resolve('x'.repeat(999));
    await s.seen('committed', id);
    expect(await s.view(id)).toMatchObject({ state: 'FAILED', errorCode: 'out_of_range' });
    expect(await s.store.result(id, 'default')).toBeNull();
  });

  test('that runs out of time is a TIMEOUT', async () => {
    const s = await setUp(waiting);
    const { id } = await s.run({ timeoutMs: 5000 });
    await s.seen('started', id);
    await clock.advance(4999);
    expect((await s.view(id)).state).toBe('RUNNING');
    await clock.advance(1);
    await s.seen('committed', id);
    expect(s.told).toContainEqual(expect.objectContaining({ type: 'aborted', job: id, cause: 'deadline' }));
    const view = await s.view(id);
    expect(view).toMatchObject({ state: 'TIMEOUT', errorCode: 'deadline_exceeded', execMs: 5000 });
  });

  test('has less time when the policy says so', async () => {
    const s = await setUp(waiting);
    const { id } = await s.run({ timeoutMs: 50_000, constraints: { budgets: { maxRuntimeMs: 300n } } });
    await s.seen('started', id);
    await clock.advance(300);
    await s.seen('committed', id);
    expect((await s.view(id)).state).toBe('TIMEOUT');
  });
});

describe('constraints', () => {
  test('that the worker cannot keep to refuse the job by name', async () => {
    const { definition, calls } = createManual();
    const s = await setUp(definition);
    const { id } = await s.run({ constraints: { sandbox: { isolated: true } }, maxRetries: 2 });
    await s.seen('committed', id);
    expect(await s.view(id)).toMatchObject({
      state: 'FAILED',
      errorCode: 'failed_precondition',
      errorMessage: 'constraints.sandbox.isolated: this worker cannot keep to it',
    });
    expect(calls).toEqual([]);
  });

  test('that cannot be read refuse the job', async () => {
    const s = await setUp(waiting);
    const { id } = await s.run({ constraintText: '{"newer":{"strict":true}}' });
    await s.seen('committed', id);
    expect(await s.view(id)).toMatchObject({ state: 'FAILED', errorCode: 'failed_precondition' });
  });
});

describe('slots', () => {
  test('are never exceeded: what comes on top goes back uncounted', async () => {
    const { definition, calls, most } = createManual(3);
    const s = await setUp(definition);
    // Two schedulers that do not see each other's claims: one believes in a larger worker.
    for (let i = 0; i < 5; i++) await s.submit();
    const ours = await s.claim(3);
    expect(ours.jobs).toHaveLength(3);
    for (const job of ours.jobs) await s.send(job);
    await settle();
    await s.store.stopped([]);
    const extra = { ...(ours.jobs[0] as (typeof ours.jobs)[0]), attempt: 'another', id: 'job-unknown' };
    for (const job of ours.jobs) await s.seen('started', job.id);
    await s.send(extra);
    await s.seen('refused');
    expect(s.told.filter((e) => e.type === 'refused')).toMatchObject([{ why: 'busy' }]);
    expect([most(), s.host.workers[0]?.active]).toEqual([3, 3]);
    for (const call of calls) call.resolve(1);
    for (const job of ours.jobs) await s.seen('done', job.id);
    expect(s.host.workers[0]?.active).toBe(0);
  });

  test('a refused job is handed out again', async () => {
    const { definition, calls } = createManual(1);
    const s = await setUp(definition, {});
    const first = await s.run();
    await s.seen('started', first.id);
    // The store lets a second one through when a scheduler is told of more room than there is.
    const id = await s.submit();
    await s.store.renew([
      { worker: 'w0', instance: s.host.instance, pool: 'test', capacity: 2, leaseMs: 4000, aliveMs: 4000, jobs: [] },
    ]);
    const [second] = (await s.claim(1)).jobs;
    if (second === undefined) throw new Error('nothing claimed');
    await s.send(second);
    await s.seen('refused', id);
    await settle();
    expect(await s.view(id)).toMatchObject({ state: 'SCHEDULED', attempts: 0, losses: 0, failures: 0 });
    calls[0]?.resolve(1);
    await s.seen('done', first.id);
    await clock.advance(200);
    await s.store.requeue([
      { id, tenant: 'default', seen: { state: 'SCHEDULED', fence: second.fence }, why: 'ready', delayMs: 0 },
    ]);
    const [third] = (await s.claim(1)).jobs;
    if (third === undefined) throw new Error('nothing claimed');
    await s.send(third);
    await s.seen('started', id);
    calls[1]?.resolve(1);
    await s.seen('committed', id);
  });

  test('the same hand-out twice runs once', async () => {
    const { definition, calls } = createManual(2);
    const s = await setUp(definition);
    const handOut = await s.run();
    await s.send(handOut);
    await s.seen('started', handOut.id);
    await s.send(handOut);
    await settle();
    expect(calls).toHaveLength(1);
    expect(s.host.workers[0]?.active).toBe(1);
    calls[0]?.resolve(1);
    await s.seen('committed', handOut.id);
  });
});

describe('a fence that is not the current one', () => {
  test('does not start the handler', async () => {
    const { definition, calls } = createManual();
    const s = await setUp(definition);
    const id = await s.submit();
    const [old] = (await s.claim()).jobs;
    if (old === undefined) throw new Error('nothing claimed');
    await s.store.requeue([
      { id, tenant: 'default', seen: { state: 'DISPATCHED', fence: old.fence }, why: 'unaccepted', delayMs: 0 },
    ]);
    await s.send(old);
    expect(await s.seen('stale', id)).toMatchObject({ step: 'accept', reason: 'lost' });
    await s.seen('done', id);
    expect(calls).toEqual([]);
    expect(s.host.workers[0]?.active).toBe(0);
  });

  test.each(['Cortex-Fence', 'Cortex-Attempt', 'Cortex-Tenant', 'Cortex-Lease-Ms', 'Cortex-Deadline'])(
    'a packet without %s never gets past the door',
    async (omit) => {
      const { definition, calls } = createManual();
      const s = await setUp(definition);
      await s.submit();
      const [job] = (await s.claim()).jobs;
      if (job === undefined) throw new Error('nothing claimed');
      await s.send(job, 'w0', { omit });
      expect((await s.seen('dropped')).problem).toContain(omit);
      await s.send({ ...job, packet: Uint8Array.of(1, 2, 3) });
      await settle();
      expect(s.told.filter((e) => e.type === 'dropped')).toHaveLength(2);
      expect(calls).toEqual([]);
    },
  );

  test('a packet of another topic is not taken', async () => {
    const s = await setUp([waiting, echo]);
    await s.submit({ topic: 'job.echo' });
    const [job] = (await s.claim(1, 'w1')).jobs;
    if (job === undefined) throw new Error('nothing claimed');
    await s.send(job, 'w0');
    expect((await s.seen('dropped')).problem).toBe('job_request.topic: is job.echo, this worker takes job.test');
  });

  test('an outcome under it is refused, and the next attempt counts', async () => {
    const { definition, calls } = createManual();
    const s = await setUp(definition);
    const first = await s.run();
    await s.seen('started', first.id);
    await s.store.requeue([
      { id: first.id, tenant: 'default', seen: { state: 'RUNNING', fence: first.fence }, why: 'lost', delayMs: 0 },
    ]);
    calls[0]?.resolve('old');
    expect(await s.seen('stale', first.id)).toMatchObject({ step: 'commit', reason: 'lost' });
    await s.seen('done', first.id);
    const [second] = (await s.claim()).jobs;
    if (second === undefined) throw new Error('nothing claimed');
    await s.send(second);
    while (calls.length < 2) await settle();
    calls[1]?.resolve('new');
    await s.seen('committed', first.id);
    expect(await s.store.result(first.id, 'default')).toBe('"new"');
  });
});

describe('cancel', () => {
  test('ends the signal as soon as the bus says so, and the stop is told', async () => {
    const s = await setUp(waiting);
    const { id } = await s.run();
    await s.seen('started', id);
    await s.cancel(id); // the clock stands still: no renewal is due
    expect(await s.seen('aborted', id)).toMatchObject({ cause: 'cancelled' });
    await s.seen('done', id);
    const view = await s.view(id);
    expect(view.state).toBe('CANCELLED');
    expect(view.stoppedAt).toBeGreaterThan(0);
    const { capacity, used } = await s.claim(0);
    expect([capacity, used]).toEqual([1, 0]);
  });

  test('is noticed by the next renewal when the bus says nothing', async () => {
    const s = await setUp(waiting);
    const { id } = await s.run();
    await s.seen('started', id);
    s.hostBus.disconnect();
    await s.cancel(id);
    await clock.advance(1000);
    expect(await s.seen('aborted', id)).toMatchObject({ cause: 'cancelled' });
    s.hostBus.reconnect();
  });

  test('that only the bus claims stops nothing', async () => {
    const { definition, calls } = createManual();
    const s = await setUp(definition);
    const { id } = await s.run();
    await s.seen('started', id);
    const before = s.outage.counts.get('renew') ?? 0;
    const { cancelPacket, encodePacket } = await import('#core/protocol/envelope.ts');
    const packet = cancelPacket({ traceId: 't', senderId: 'liar', atMs: 1 }, { jobId: id });
    await s.bus.publish([{ subject: subjects.cancel, data: encodePacket(packet) }]);
    while ((s.outage.counts.get('renew') ?? 0) === before) await settle();
    await settle();
    expect(calls[0]?.context.signal.aborted).toBe(false);
    calls[0]?.resolve(1);
    await s.seen('committed', id);
    expect((await s.view(id)).state).toBe('SUCCEEDED');
  });

  test('of a handler that does not listen keeps its slot until it returns', async () => {
    const { definition, calls } = createManual();
    const s = await setUp(definition);
    const { id } = await s.run();
    await s.seen('started', id);
    await s.cancel(id);
    await s.seen('aborted', id);
    await clock.advance(9000);
    expect(s.host.workers[0]?.active).toBe(1);
    expect((await s.view(id)).stoppedAt).toBe(0);
    // Its lease is gone by now; the host tells the store that it has no room.
    const other = await s.submit();
    expect((await s.claim()).jobs).toEqual([]);
    expect(s.told.some((e) => e.type === 'unresponsive')).toBe(false);
    await clock.advance(1000);
    expect(await s.seen('unresponsive', id)).toMatchObject({ sinceMs: 10_000 });
    calls[0]?.resolve('nobody wants this');
    await s.seen('done', id);
    expect(await s.store.result(id, 'default')).toBeNull();
    await clock.advance(1000);
    const [next] = (await s.claim()).jobs;
    expect(next?.id).toBe(other);
    if (next !== undefined) await s.send(next);
    while (calls.length < 2) await settle();
    calls[1]?.resolve(1);
    await s.seen('committed', other);
  });
});

describe('what a handler says', () => {
  test('progress goes to the store and the bus, the last one always', async () => {
    const { definition, calls } = createManual();
    const s = await setUp(definition);
    const { id } = await s.run();
    await s.seen('started', id);
    const context = calls[0]?.context;
    context?.progress(10, 'a');
    await settle();
    context?.progress(20, 'b');
    context?.progress(99, 'c');
    calls[0]?.resolve(1);
    await s.seen('committed', id);
    await settle();
    const told = s.news.flatMap((p) =>
      p.payload.case === 'jobProgress'
        ? [[p.traceId, p.senderId, p.payload.value.percent, p.payload.value.message]]
        : [],
    );
    expect(told).toEqual([
      [`t-${id}`, 'w0', 10, 'a'],
      [`t-${id}`, 'w0', 99, 'c'],
    ]);
    expect((await s.view(id)).progress).toEqual({ percent: 99, message: 'c' });
  });

  test('artifacts are stored under the fence, named in the result, and bounded', async () => {
    const { definition, calls } = createManual();
    const s = await setUp(definition);
    const { id, fence } = await s.run({ constraints: { budgets: { maxArtifactBytes: 10n } } });
    await s.seen('started', id);
    const artifact = calls[0]?.context.artifact;
    if (artifact === undefined) throw new Error('no context');
    expect(await artifact('one', new Uint8Array(6))).toBe(`redis://res:${id}-one-${fence}`);
    await expect(artifact('two', new Uint8Array(5))).rejects.toMatchObject({
      code: 'out_of_range',
      field: 'artifact.two',
    });
    expect(await artifact('one', new Uint8Array(10))).toBe(`redis://res:${id}-one-${fence}`);
    await expect(artifact('../x', new Uint8Array(1))).rejects.toMatchObject({ code: 'invalid_argument' });
    calls[0]?.resolve(1);
    await s.seen('committed', id);
    await settle();
    expect(resultsOf(s, id)).toMatchObject([
      { payload: { value: { artifactPtrs: [`redis://res:${id}-one-${fence}`] } } },
    ]);
    await expect(artifact('one', new Uint8Array(1))).rejects.toMatchObject({ code: 'aborted' });
  });

  test('progress of an attempt that lost its job is no news, and the handler told', async () => {
    const { definition, calls } = createManual();
    const s = await setUp(definition);
    const { id, fence } = await s.run();
    await s.seen('started', id);
    await s.store.requeue([{ id, tenant: 'default', seen: { state: 'RUNNING', fence }, why: 'lost', delayMs: 0 }]);
    calls[0]?.context.progress(50, 'half');
    expect(await s.seen('aborted', id)).toMatchObject({ cause: 'lost' });
    await settle();
    expect(s.news.filter((p) => p.payload.case === 'jobProgress')).toEqual([]);
    calls[0]?.resolve(1);
    await s.seen('done', id);
  });

  test('an artifact of an attempt that lost its job is refused, and the handler told', async () => {
    const { definition, calls } = createManual();
    const s = await setUp(definition);
    const { id, fence } = await s.run();
    await s.seen('started', id);
    await s.store.requeue([{ id, tenant: 'default', seen: { state: 'RUNNING', fence }, why: 'lost', delayMs: 0 }]);
    const call = calls[0];
    await expect(call?.context.artifact('one', new Uint8Array(1))).rejects.toMatchObject({ code: 'aborted' });
    expect(await s.seen('aborted', id)).toMatchObject({ cause: 'lost' });
    expect(call?.context.signal.reason).toMatchObject({
      code: 'aborted',
      message: 'the job was handed to somebody else',
    });
    call?.reject(call.context.signal.reason);
    await s.seen('done', id);
  });
});
