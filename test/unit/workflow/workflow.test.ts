// A workflow from its submission to its end, with the real scheduler and store: what its children are, and what becomes of it.
import { expect, test } from 'vitest';
import { z } from 'zod';
import { CortexError } from '#core/errors.ts';
import { createPromMetrics } from '#core/metrics/prom.node.ts';
import { defineTask, defineWorkflow, type Op, type WorkflowContext } from '#core/workflow/definition.ts';
import { headers, subjects } from '#core/protocol/subjects.ts';
import { JobPriority } from '#proto/cortex/agent/v1/job_pb.ts';
import { until } from '../../helpers/until.ts';
import { flow, makeSteps, topics, untilStopped } from './flow.ts';
import { makeWorld, type WorldOptions } from './world.ts';

async function setUp(options: Partial<WorldOptions> = {}) {
  const steps = makeSteps();
  const world = await makeWorld({ workflows: [flow], topics, ...options });
  await world.work(steps.workers);
  return { steps, world };
}

test('runs its steps one after the other and ends with its own result', async () => {
  const { steps, world } = await setUp();
  const metrics = createPromMetrics({ nodeMetrics: false });
  const { told } = await world.orchestrate(metrics);
  const id = await world.submit(flow.topic, { n: 1 });
  expect(await world.ended(id)).toMatchObject({ state: 'SUCCEEDED', resultPtr: `redis://res:${id}`, attempts: 1 });
  expect(await world.result(id)).toEqual({
    n: 3,
    first: `redis://res:${id}.first.1`,
    second: `redis://res:${id}.second.1`,
  });
  expect(steps.ran['job.second'].map((r) => r.input)).toEqual([{ n: 2, from: `redis://res:${id}.first.1` }]);
  expect(told.map((e) => e.type)).toEqual([
    ...['run_begun', 'step_begun', 'step_ended', 'step_begun', 'step_ended', 'run_over'],
  ]);
  const text = await metrics.read();
  expect(text).toContain('cortex_orchestrator_workflows_started_total{workflow="two"} 1');
  expect(text).toContain('cortex_orchestrator_workflows_completed_total{workflow="two",status="completed"} 1');
  expect(text).toContain('cortex_orchestrator_workflow_duration_seconds_count{workflow="two"} 1');
});

test('children inherit tenant, principal, trace, priority, env and workflow', async () => {
  const { steps, world } = await setUp();
  const { host } = await world.orchestrate();
  const bells: (string | undefined)[] = [];
  await world.bus.subscribe(subjects.submit, ({ header }) => bells.push(header(headers.recorded)));
  const env = { tenant_id: 'acme', memory_id: 'repo:x' };
  const more = { tenant: 'acme', principal: 'bob', priority: JobPriority.CRITICAL, env };
  const id = await world.submit(flow.topic, { n: 1 }, more);
  const parent = await world.ended(id);
  expect(parent.state).toBe('SUCCEEDED');
  for (const topic of topics) {
    const [ran] = steps.ran[topic];
    const child = await world.view(ran?.id ?? '');
    expect(child).toMatchObject({ tenant: 'acme', principal: 'bob', traceId: `trace-${id}`, parentId: id, topic });
    expect(child.deadlineAt - child.createdAt).toBeLessThanOrEqual(30_000);
    const { request } = ran?.context.job ?? {};
    expect(request).toMatchObject({
      ...{ parentJobId: id, workflowId: id, env, priority: JobPriority.CRITICAL, tenantId: 'acme' },
      ...{ principalId: 'bob', contextPtr: `redis://ctx:${child.id}` },
    });
  }
  expect(host.workers.map((w) => w.id)).toEqual([parent.worker]);
  // The parent's own from this test, which says nothing, and those of the children, whose records are there.
  expect(bells).toEqual([undefined, '1', '1']);
  const given = await world.submit(flow.topic, { n: 1 }, { workflowId: 'wf-7' });
  await world.ended(given);
  expect(steps.ran['job.first'][1]?.context.job.request.workflowId).toBe('wf-7');
});

test('a child that fails by its own fault fails the parent and is not tried again', async () => {
  const { steps, world } = await setUp();
  const { seen } = await world.orchestrate();
  steps.before = () => {
    throw new CortexError('invalid_argument', 'n: is odd', { field: 'n' });
  };
  const id = await world.submit(flow.topic, { n: 1 });
  expect(await world.ended(id)).toMatchObject({
    ...{ state: 'FAILED', errorCode: 'invalid_argument', errorMessage: 'first failed: n: is odd' },
  });
  expect(steps.ran['job.first']).toHaveLength(1);
  expect(await world.store.view(`${id}.second.1`, 'default')).toBeUndefined();
  expect(await seen('run_over')).toMatchObject({ how: 'failed' });
});

test('a child that fails by surprise is tried again under another id', async () => {
  const { steps, world } = await setUp();
  await world.orchestrate();
  steps.before = (_, { id }) => {
    if (id.endsWith('.1')) throw new Error('the disk is full');
  };
  const id = await world.submit(flow.topic, { n: 1 });
  expect(await world.ended(id)).toMatchObject({ state: 'SUCCEEDED' });
  expect(await world.result(id)).toMatchObject({ n: 3, first: `redis://res:${id}.first.2` });
  expect(await world.view(`${id}.first.1`)).toMatchObject({ state: 'FAILED', errorMessage: 'the disk is full' });
});

test('when all tries are used up the parent fails with the last reason', async () => {
  const { steps, world } = await setUp({ limits: { maxRetries: 1 } });
  await world.orchestrate();
  steps.before = (_, { id }) => {
    throw new Error(`not ${id.slice(-7)}`);
  };
  const id = await world.submit(flow.topic, { n: 1 });
  expect(await world.ended(id)).toMatchObject({ state: 'FAILED', errorMessage: 'first failed: not first.2' });
  expect(steps.ran['job.first']).toHaveLength(2);
});

test('a child that the policy denies fails the parent', async () => {
  const { steps, world } = await setUp();
  await world.orchestrate();
  world.checker.setPolicy('tenants: {default: {allow_topics: ["job.*"], deny_topics: ["job.second"]}}');
  const id = await world.submit(flow.topic, { n: 1 });
  expect(await world.ended(id)).toMatchObject({
    state: 'FAILED',
    errorCode: 'permission_denied',
    errorMessage: 'second failed: the policy denied it: topic denied by policy',
  });
  expect(steps.ran['job.second']).toEqual([]);
});

test('a child that somebody cancels ends the wait', async () => {
  const { steps, world } = await setUp();
  const { seen } = await world.orchestrate();
  steps.before = (_, { context }) => untilStopped(context);
  const id = await world.submit(flow.topic, { n: 1 });
  await seen('step_begun', 'first');
  await world.cancel(`${id}.first.1`);
  expect(await world.ended(id)).toMatchObject({
    ...{ state: 'FAILED', errorCode: 'canceled', errorMessage: 'first failed: it was cancelled' },
  });
});

test('a child that takes too long ends the wait, and its second try is no longer than the workflow', async () => {
  const { steps, world } = await setUp({ limits: { childTimeoutMs: 1000, totalTimeoutMs: 1500 } });
  await world.orchestrate();
  steps.before = (_, { context }) => untilStopped(context);
  const id = await world.submit(flow.topic, { n: 1 });
  const parent = await world.ended(id);
  expect(parent).toMatchObject({ state: 'FAILED', errorCode: 'deadline_exceeded' });
  expect(parent.errorMessage).toMatch(/^(first failed: it took too long|the workflow took longer than 1.5 s)/);
  expect(await world.view(`${id}.first.1`)).toMatchObject({ state: 'TIMEOUT' });
});

test('a cancel of the parent reaches the child at work', async () => {
  const { steps, world } = await setUp();
  const { seen } = await world.orchestrate();
  const reasons: unknown[] = [];
  steps.before = async (_, { context }) => {
    try {
      await untilStopped(context);
    } catch (error) {
      reasons.push(error);
      throw error;
    }
  };
  const id = await world.submit(flow.topic, { n: 1 });
  await until(() => steps.ran['job.first'].length === 1);
  await world.cancel(id);
  expect(await world.ended(id)).toMatchObject({ state: 'CANCELLED' });
  expect(await world.ended(`${id}.first.1`)).toMatchObject({
    ...{ state: 'CANCELLED', errorMessage: `the workflow ${id} has ended` },
  });
  await until(() => reasons.length === 1);
  expect(reasons[0]).toMatchObject({ code: 'canceled' });
  expect(await seen('run_over')).toMatchObject({ how: 'cancelled' });
  // The slot comes back once the handler has returned.
  await until(async () => (await world.view(id)).stoppedAt > 0);
});

test('a cancel of the parent reaches a child that waits for a worker', async () => {
  const world = await makeWorld({ workflows: [flow], topics });
  const { seen } = await world.orchestrate();
  const id = await world.submit(flow.topic, { n: 1 });
  await seen('step_begun', 'first');
  await world.cancel(id);
  expect(await world.ended(`${id}.first.1`)).toMatchObject({ state: 'CANCELLED' });
});

const odd = (run: (w: WorkflowContext) => Op<unknown>) =>
  defineWorkflow({
    ...{
      name: 'odd',
      topic: 'job.workflow.odd',
      input: z.unknown(),
      output: z.object({ ok: z.boolean() }) as z.ZodType,
    },
    run: (_, w) => run(w),
  });
const task = (topic: string, output: z.ZodType = z.unknown()) => defineTask({ topic, input: z.unknown(), output });
const any = task('job.first');

test.each([
  [odd((w) => w.run('first', task('job.first', z.string()), { n: 1 })), 'internal', /^first failed: result: /],
  [
    odd(function* (w) {
      yield* w.all([]);
      return { ok: 1 };
    }),
    'internal',
    /the workflow's result is wrong: ok: /,
  ],
  [
    odd((w) => w.all([w.run('one', any, { n: 1 }), w.run('one', any, { n: 1 })])),
    'internal',
    /two steps have the key one/,
  ],
  [odd((w) => w.run('No', any, {})), 'internal', /"No" is not a key for a step/],
  [odd((w) => w.run('one', task('job.nowhere'), {})), 'internal', /^one failed: .*job\.nowhere/],
])('a workflow that is wrong fails with the place: %o', async (workflow, code, message) => {
  const { world } = await setUp({ workflows: [workflow] });
  const { seen } = await world.orchestrate();
  const id = await world.submit('job.workflow.odd', {});
  const view = await world.ended(id);
  expect(view).toMatchObject({ state: 'FAILED', errorCode: code });
  expect(view.errorMessage).toMatch(message);
  expect(await seen('run_over')).toMatchObject({ how: 'failed' });
});

test('children that nobody waits for are cancelled when the run fails', async () => {
  const both = odd((w) => w.all([w.run('one', any, { n: 1 }), w.run('two', task('job.first', z.never()), { n: 1 })]));
  const { steps, world } = await setUp({ workflows: [both] });
  await world.orchestrate();
  steps.before = (_, { id, context }) => (id.includes('.one.') ? untilStopped(context) : undefined);
  const id = await world.submit('job.workflow.odd', {});
  expect(await world.ended(id)).toMatchObject({ state: 'FAILED' });
  expect(await world.ended(`${id}.one.1`)).toMatchObject({ state: 'CANCELLED' });
});

test("a job that took a child's name before is not taken for the child", async () => {
  const { steps, world } = await setUp();
  await world.orchestrate();
  const id = crypto.randomUUID();
  await world.submit('job.first', { n: 77 }, { id: `${id}.first.1`, tenant: 'mallory' });
  await world.ended(`${id}.first.1`);
  await world.submit(flow.topic, { n: 1 }, { id });
  expect(await world.ended(id)).toMatchObject({
    state: 'FAILED',
    errorCode: 'failed_precondition',
    errorMessage: `first failed: the job ${id}.first.1 exists already and is another one`,
  });
  expect(steps.ran['job.second']).toEqual([]);
});

test('an end that no event tells is found all the same', async () => {
  const { steps, world } = await setUp();
  const { seen } = await world.orchestrate();
  steps.before = (_, { context }) => untilStopped(context);
  const id = await world.submit(flow.topic, { n: 1 });
  await seen('step_begun', 'first');
  await until(() => steps.ran['job.first'].length === 1);
  // Another process ends it, and nothing of it comes over the bus.
  const why = { seen: undefined, errorCode: 'x', errorMessage: 'unheard' };
  await world.silentStore.end([{ id: `${id}.first.1`, tenant: 'default', to: 'DENIED', ...why }]);
  expect(await world.ended(id)).toMatchObject({ state: 'FAILED', errorMessage: /unheard|denied/ });
});
