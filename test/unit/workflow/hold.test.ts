// A run between two orchestrators, and runs that fail where it is least convenient.
import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineTask, defineWorkflow, type Op, type WorkflowContext } from '#core/workflow/definition.ts';
import { parseLine } from '#core/workflow/lines.ts';
import { systemClock } from '#core/system.ts';
import { until } from '../../helpers/until.ts';
import { makeSteps, tasks, topics, untilStopped } from './flow.ts';
import { makeWorld, type OrchestratorHere, type WorldOptions } from './world.ts';

const flowOf = (run: (w: WorkflowContext) => Op<unknown>, output: z.ZodType = z.unknown()) =>
  defineWorkflow({
    ...{ name: 'hold', topic: 'job.workflow.hold', input: z.unknown(), output },
    run: (_, w) => run(w),
  });
const itself = defineTask({ topic: 'job.workflow.hold', input: z.unknown(), output: z.unknown() });

async function setUp(flow: ReturnType<typeof flowOf>, options: Partial<WorldOptions> = {}) {
  const steps = makeSteps();
  const world = await makeWorld({ workflows: [flow], topics, ...options });
  await world.work(steps.workers);
  return { steps, world };
}

test('who lost its hold without knowing leaves the children to who holds the run now', async () => {
  const flow = flowOf((w) => w.all([w.run('fast', tasks.first, { n: 0 }), w.run('slow', tasks.second, { n: 0 })]));
  const { steps, world } = await setUp(flow, { leaseMs: 8000 });
  const [fast, slow] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  steps.before = (topic, { context }) =>
    topic === 'job.first' ? fast.promise : Promise.race([slow.promise, untilStopped(context)]);
  const one = await world.orchestrate();
  const id = await world.submit(flow.topic, {});
  await until(() => steps.ran['job.first'].length + steps.ran['job.second'].length === 2);
  const { fence } = await world.view(id);
  // Redis gives the run away, as after a jump of its time; the one that held it hears of it with its next call.
  await world.store.requeue([{ id, tenant: 'default', seen: { state: 'RUNNING', fence }, why: 'lost', delayMs: 0 }]);
  const two = await world.orchestrate();
  fast.resolve();
  expect(await one.seen('run_over')).toMatchObject({ how: 'left' });
  await until(() => [...one.told, ...two.told].filter(({ type }) => type === 'run_begun').length === 2, {
    timeout: 10_000,
  });
  slow.resolve();
  expect(await world.ended(id)).toMatchObject({ state: 'SUCCEEDED' });
  expect(steps.ran['job.second']).toHaveLength(1);
});

test('the loser of a race is cancelled by who takes the run up, when the one before died over it', async () => {
  const flow = flowOf(function* (w) {
    yield* w.race({ slow: w.run('slow', tasks.second, { n: 0 }), fast: w.run('fast', tasks.first, { n: 0 }) });
    return yield* w.signal('go', z.unknown());
  });
  const { steps, world } = await setUp(flow, { leaseMs: 400 });
  const fast = Promise.withResolvers<void>();
  steps.before = (topic, { context }) => (topic === 'job.first' ? fast.promise : untilStopped(context));
  const one = await world.orchestrate();
  const id = await world.submit(flow.topic, {});
  await until(() => steps.ran['job.first'].length + steps.ran['job.second'].length === 2);
  one.outage.onCall = (name) => {
    if (name !== 'end') return;
    one.outage.onCall = undefined;
    one.strike();
  };
  fast.resolve();
  await until(() => one.outage.mode === 'hung');
  await world.orchestrate();
  expect(await world.ended(`${id}.slow.1`)).toMatchObject({ state: 'CANCELLED' });
  expect(await world.view(id)).toMatchObject({ state: 'RUNNING' });
});

test('a run whose result is wrong is undone', async () => {
  const flow = flowOf(function* (w) {
    yield* w.run('first', tasks.first, { n: 0 });
    w.compensate(() => w.run('undo', tasks.second, { n: 0 }));
    return 'no number';
  }, z.number());
  const { steps, world } = await setUp(flow);
  await world.orchestrate();
  const id = await world.submit(flow.topic, {});
  expect(await world.ended(id)).toMatchObject({
    state: 'FAILED',
    errorMessage: expect.stringMatching(/^the workflow's result is wrong/) as string,
  });
  expect(steps.ran['job.second']).toHaveLength(1);
});

test('a step that cannot be made is one that failed: its policy holds, and undoing goes on', async () => {
  const flow = flowOf(function* (w) {
    const skipped = yield* w.run('self', itself, {}, { onFailure: 'continue' });
    yield* w.run('first', tasks.first, { n: 0 });
    w.compensate(() => w.run('undo-a', tasks.second, { n: 0 }));
    w.compensate(() => w.run('undo-b', itself, {}));
    throw new Error(skipped === undefined ? 'it went on' : 'it did not');
  });
  const { steps, world } = await setUp(flow);
  await world.orchestrate();
  const view = await world.ended(await world.submit(flow.topic, {}));
  expect(view.errorMessage).toMatch(/^it went on; not undone: undo-b failed: .* is a cycle$/);
  expect(steps.ran['job.second']).toHaveLength(1);
});

test('the retries of steps are those that were configured when the run began', async () => {
  const flow = flowOf(function* (w) {
    yield* w.run('first', tasks.first, { n: 0 });
    return yield* w.signal('go', z.unknown());
  });
  const { steps, world } = await setUp(flow, { limits: { maxRetries: 1 } });
  steps.before = (_, { id }) => {
    if (id.endsWith('.1')) throw new Error('once');
  };
  const one = await world.orchestrate();
  const id = await world.submit(flow.topic, {});
  await until(async () =>
    ((await world.journal.lines({ id, tenant: 'default' })) ?? []).some((line) => line.includes('"wait"')),
  );
  await one.host.drain({ finishMs: 0 });
  await world.orchestrate(undefined, [flow], { maxRetries: 0 });
  await world.signal(id, 'go', 1);
  expect(await world.ended(id)).toMatchObject({ state: 'SUCCEEDED' });
});

test('what is undone shortly before the total is over has the time of a step', async () => {
  const flow = flowOf(function* (w) {
    yield* w.run('first', tasks.first, { n: 0 });
    w.compensate(() => w.run('undo', tasks.second, { n: 0 }));
    yield* w.sleep('nap', 1000);
    throw new Error('late');
  });
  const gate = Promise.withResolvers<void>();
  const { steps, world } = await setUp(flow, { limits: { totalTimeoutMs: 1400, childTimeoutMs: 5000, maxRetries: 0 } });
  steps.before = (topic, { context }) =>
    topic === 'job.second' ? Promise.race([gate.promise, untilStopped(context)]) : undefined;
  await world.orchestrate();
  const id = await world.submit(flow.topic, {});
  await until(() => steps.ran['job.second'].length === 1, { timeout: 10_000 });
  const { deadlineAt, createdAt } = await world.view(`${id}.undo.1`);
  expect(deadlineAt - createdAt).toBe(5000);
  gate.resolve();
  expect(await world.ended(id)).toMatchObject({ state: 'FAILED', errorMessage: 'late' });
});

test('many steps of a megabyte are made in calls of a size that Redis can take', { timeout: 40_000 }, async () => {
  const n = 20;
  const flow = flowOf(function* (w) {
    const big = 'y'.repeat(1_000_000);
    const done = yield* w.map(Array.from({ length: n }), { limit: n }, (_, i) =>
      w.run(`b-${i}`, tasks.first, { n: 1, big }),
    );
    return done.length;
  });
  const { steps, world } = await setUp(flow, { leaseMs: 4000 });
  const one = await world.orchestrate();
  const id = await world.submit(flow.topic, {});
  await until(() => steps.ran['job.first'].length === n, { timeout: 30_000, message: 'all steps' });
  expect(await world.ended(id)).toMatchObject({ state: 'SUCCEEDED' });
  expect(one.outage.counts.get('create')).toBe(n);
});

test('no step has more time than is left of the total', async () => {
  const flow = flowOf(function* (w) {
    yield* w.sleep('nap', 1000);
    return yield* w.run('slow', tasks.first, { n: 0 });
  });
  const { steps, world } = await setUp(flow, { limits: { totalTimeoutMs: 3000, childTimeoutMs: 30_000 } });
  steps.before = (_, { context }) => untilStopped(context);
  await world.orchestrate();
  const id = await world.submit(flow.topic, {});
  await until(() => steps.ran['job.first'].length === 1, { timeout: 10_000 });
  const { deadlineAt, createdAt } = await world.view(`${id}.slow.1`);
  expect(deadlineAt - createdAt).toBeLessThanOrEqual(2000);
  expect(await world.ended(id)).toMatchObject({ state: 'FAILED', errorCode: 'deadline_exceeded' });
});

test('the time of a run goes forward, whatever the clock of who takes it up says', async () => {
  const flow = flowOf(function* (w) {
    const before = w.now();
    yield* w.run('first', tasks.first, { n: 0 });
    return w.now() >= before;
  });
  const { steps, world } = await setUp(flow);
  const gate = Promise.withResolvers<void>();
  steps.before = () => gate.promise;
  const one = await world.orchestrate();
  const id = await world.submit(flow.topic, {});
  await one.seen('step_begun');
  await one.host.drain({ finishMs: 0 });
  await world.orchestrate(undefined, [flow], {}, { ...systemClock, now: () => systemClock.now() - 3_600_000 });
  gate.resolve();
  expect(await world.ended(id)).toMatchObject({ state: 'SUCCEEDED' });
  expect(await world.result(id)).toBe(true);
});

test('what stands in finally has the time of a step when the total is over', async () => {
  const flow = flowOf(function* (w) {
    try {
      return yield* w.signal('never', z.unknown());
    } finally {
      yield* w.run('release', tasks.second, { n: 0 });
    }
  });
  const { steps, world } = await setUp(flow, { limits: { totalTimeoutMs: 1500, childTimeoutMs: 5000, maxRetries: 0 } });
  await world.orchestrate();
  const id = await world.submit(flow.topic, {});
  expect(await world.ended(id)).toMatchObject({ state: 'FAILED', errorCode: 'deadline_exceeded' });
  const { state, deadlineAt, createdAt } = await world.view(`${id}.release.1`);
  expect([state, deadlineAt - createdAt]).toEqual(['SUCCEEDED', 5000]);
  expect(steps.ran['job.second']).toHaveLength(1);
});

test('a run that kills whoever takes it up ends with the fourth, also when a sleep is over each time', async () => {
  let holder: OrchestratorHere | undefined;
  let deaths = 0;
  const deadly = defineTask({
    ...{ topic: 'job.first', input: z.unknown() },
    output: z.unknown().refine(() => {
      deaths++;
      holder?.strike();
      return true;
    }),
  });
  const flow = flowOf(function* (w) {
    const tick = function* (): Op<never> {
      for (let i = 0; ; i++) yield* w.sleep(`tick-${i}`, 1000);
    };
    return yield* w.race({ step: w.run('step', deadly, { n: 1 }), tick: tick() });
  });
  const { world } = await setUp(flow, { leaseMs: 400 });
  holder = await world.orchestrate();
  const id = await world.submit(flow.topic, {});
  for (let i = 1; i <= 4; i++) {
    await until(() => deaths === i, { timeout: 8000 });
    // Whoever takes it up next finds a sleep that is over, and writes that down first.
    const lines = ((await world.journal.lines({ id, tenant: 'default' })) ?? []).map(parseLine);
    const dueAt = lines.reduce((most, line) => (line.t === 'sleep' ? line.until : most), 0);
    await until(() => Date.now() > dueAt);
    if (i < 4) holder = await world.orchestrate();
  }
  expect(await world.ended(id)).toMatchObject({ state: 'FAILED', errorCode: 'worker_lost', losses: 4 });
  const lines = ((await world.journal.lines({ id, tenant: 'default' })) ?? []).map(parseLine);
  expect(lines.filter(({ t }) => t === 'due').length).toBeGreaterThanOrEqual(3);
});
