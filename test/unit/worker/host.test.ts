// A job in the host between a bus in memory and the store: what becomes of it. The clock is stepped by the tests.
import { describe, expect, test } from 'vitest';
import { CortexError } from '#core/errors.ts';
import { JobStatus } from '#proto/cortex/agent/v1/job_pb.ts';
import { chat } from '../../../services/worker/chat.ts';
import { echo } from '../../../services/worker/echo.ts';
import { settle } from '../../helpers/clock.ts';
import { resultsOf, useStage } from '../../helpers/worker-rig.ts';
import { createManual, waiting } from '../../helpers/workers/manual.ts';

const setUp = useStage();

describe('a job', () => {
  test('runs, is committed and told', async () => {
    const s = await setUp([echo]);
    const { id, fence } = await s.run({ topic: 'job.echo', payload: { a: ['ä', 1, null] } });
    await s.seen('committed', id);
    await s.seen('done', id);
    expect(JSON.parse((await s.store.result(id, 'default')) ?? '')).toEqual({
      job_id: id,
      received_ctx: { a: ['ä', 1, null] },
      processed_by: 'w0',
      completed_at_utc: new Date(s.clock.now()).toISOString().replace(/\.\d+/, ''),
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
    const s = await setUp([echo, chat(undefined)]);
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
    const s = await setUp([definition]);
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
    await s.clock.advance(1234);
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
    const s = await setUp([chat(undefined)]);
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
    const s = await setUp([definition]);
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
    const s = await setUp([definition]);
    const { id } = await s.run({ constraints: { budgets: { maxArtifactBytes: 1000n } }, maxRetries: 2 });
    await s.seen('started', id);
    calls[0]?.resolve('x'.repeat(999));
    await s.seen('committed', id);
    expect(await s.view(id)).toMatchObject({ state: 'FAILED', errorCode: 'out_of_range' });
    expect(await s.store.result(id, 'default')).toBeNull();
  });

  test('that runs out of time is a TIMEOUT', async () => {
    const s = await setUp([waiting]);
    const { id } = await s.run({ timeoutMs: 5000 });
    await s.seen('started', id);
    await s.clock.advance(4999);
    expect((await s.view(id)).state).toBe('RUNNING');
    await s.clock.advance(1);
    await s.seen('committed', id);
    expect(s.told).toContainEqual(expect.objectContaining({ type: 'aborted', job: id, cause: 'deadline' }));
    const view = await s.view(id);
    expect(view).toMatchObject({ state: 'TIMEOUT', errorCode: 'deadline_exceeded', execMs: 5000 });
  });

  test('whose time is over has its failure stored and told all the same', async () => {
    const s = await setUp([waiting]);
    const { id } = await s.run({ timeoutMs: 5000 });
    await s.seen('started', id);
    await s.clock.advance(4000);
    // The store is away when the time is over, so that the report is made, and made again, under a signal that has ended.
    s.outage.only = ['commit'];
    s.outage.mode = 'down';
    await s.clock.advance(1500);
    expect(await s.seen('settled', id)).toMatchObject({ execMs: 5000 });
    expect((await s.view(id)).state).toBe('RUNNING');
    s.outage.mode = 'up';
    await s.clock.advance(1000);
    await s.seen('committed', id);
    expect(await s.view(id)).toMatchObject({ state: 'TIMEOUT', errorCode: 'deadline_exceeded' });
    await settle();
    expect(resultsOf(s, id)).toMatchObject([
      { payload: { value: { status: JobStatus.TIMEOUT, errorCode: 'deadline_exceeded', workerId: 'w0' } } },
    ]);
  });

  test('has less time when the policy says so', async () => {
    const s = await setUp([waiting]);
    const { id } = await s.run({ timeoutMs: 50_000, constraints: { budgets: { maxRuntimeMs: 300n } } });
    await s.seen('started', id);
    await s.clock.advance(300);
    await s.seen('committed', id);
    expect((await s.view(id)).state).toBe('TIMEOUT');
  });
});

describe('constraints', () => {
  test('that the worker cannot keep to refuse the job by name', async () => {
    const { definition, calls } = createManual();
    const s = await setUp([definition]);
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
    const s = await setUp([waiting]);
    const { id } = await s.run({ constraintText: '{"newer":{"strict":true}}' });
    await s.seen('committed', id);
    expect(await s.view(id)).toMatchObject({ state: 'FAILED', errorCode: 'failed_precondition' });
  });
});
