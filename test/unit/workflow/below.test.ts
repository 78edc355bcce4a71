// A run whose step is a run: when the upper one has no use for it any more, the lower one undoes what it did.
import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineTask, defineWorkflow, type Op, type WorkflowContext } from '#core/workflow/definition.ts';
import { defineWorker } from '../../../services/worker/define.ts';
import { until } from '../../helpers/until.ts';
import { makeSteps, tasks, topics, untilStopped } from './flow.ts';
import { makeWorld, type World, type WorldOptions } from './world.ts';

const any = { input: z.unknown(), output: z.unknown() };
const below = defineTask({ topic: 'job.workflow.below', ...any });

const lowerOf = (undo: (w: WorkflowContext) => Op<unknown>) =>
  defineWorkflow({
    ...{ name: 'below', topic: 'job.workflow.below', ...any },
    *run(_, w) {
      yield* w.run('pay', tasks.first, { n: 0 });
      w.compensate(() => undo(w));
      return yield* w.signal('never', z.unknown());
    },
  });
const lower = lowerOf((w) => w.run('refund', tasks.second, { n: 0 }));

const upperOf = (run: (w: WorkflowContext) => Op<unknown>) =>
  defineWorkflow({ ...{ name: 'above', topic: 'job.workflow.above', ...any }, run: (_, w) => run(w) });

async function setUp(run: (w: WorkflowContext) => Op<unknown>, options: Partial<WorldOptions> = {}, other = lower) {
  const steps = makeSteps();
  const upper = upperOf(run);
  const world = await makeWorld({ workflows: [upper, other], topics, ...options });
  await world.work(steps.workers);
  const orchestrator = await world.orchestrate();
  const id = await world.submit(upper.topic, {});
  await paid(world, `${id}.inner.1`);
  return { steps, world, orchestrator, id };
}

/** The lower run has done something, and waits. */
const paid = (world: World, id: string): Promise<unknown> =>
  until(
    async () => ((await world.journal.lines({ id, tenant: 'default' })) ?? []).some((line) => line.includes('"wait"')),
    { timeout: 8000 },
  );

test('the one above is told to stop: it ends when the one below has undone what it did', async () => {
  const { steps, world, id } = await setUp((w) => w.run('inner', below, {}));
  await world.signal(id, 'stop', null);
  expect(await world.ended(id)).toMatchObject({ state: 'FAILED', errorMessage: 'the run was told to stop' });
  expect(steps.ran['job.second'].map((ran) => ran.id)).toEqual([`${id}.inner.1.refund.1`]);
  expect(await world.view(`${id}.inner.1`)).toMatchObject({ state: 'FAILED', errorCode: 'canceled' });
});

test('the one above takes too long: the one below has time to undo what it did', async () => {
  const limits = { totalTimeoutMs: 1500, childTimeoutMs: 5000 };
  const { steps, world, id } = await setUp((w) => w.run('inner', below, {}), { limits });
  expect(await world.ended(id)).toMatchObject({ state: 'FAILED', errorCode: 'deadline_exceeded' });
  expect(steps.ran['job.second']).toHaveLength(1);
});

test('it loses a race: who won goes on when it has undone what it did', async () => {
  const { steps, world, id } = await setUp(function* (w) {
    const { name } = yield* w.race({ inner: w.run('inner', below, {}), go: w.signal('go', z.unknown()) });
    return name;
  });
  await world.signal(id, 'go', 1);
  expect(await world.ended(id)).toMatchObject({ state: 'SUCCEEDED' });
  expect(await world.result(id)).toBe('go');
  expect(steps.ran['job.second']).toHaveLength(1);
});

test.each(['send', 'append'] as const)(
  'the orchestrator dies over it at the next %s: whoever goes on has it stopped, and undone once',
  async (call) => {
    const { steps, world, orchestrator, id } = await setUp((w) => w.run('inner', below, {}), { leaseMs: 400 });
    orchestrator.outage.onCall = (name) => {
      if (name === call) orchestrator.strike();
    };
    await world.signal(id, 'stop', null);
    await until(() => orchestrator.outage.mode === 'hung', { timeout: 8000 });
    await world.orchestrate();
    expect(await world.ended(id)).toMatchObject({ state: 'FAILED', errorMessage: 'the run was told to stop' });
    expect(steps.ran['job.second']).toHaveLength(1);
    expect(steps.ran['job.first']).toHaveLength(1);
  },
);

test('one that does not come to an end is cancelled after the time of a step', async () => {
  const limits = { childTimeoutMs: 1500 };
  const stubborn = lowerOf((w) => w.signal('never', z.unknown()));
  const upper = (w: WorkflowContext) => w.run('inner', below, {}, { timeoutMs: 30_000 });
  const { world, id } = await setUp(upper, { limits }, stubborn);
  await world.signal(id, 'stop', null);
  expect(await world.ended(id)).toMatchObject({ state: 'FAILED', errorMessage: 'the run was told to stop' });
  expect(await world.view(`${id}.inner.1`)).toMatchObject({ state: 'CANCELLED' });
});

test('a worker whose topic is named like that of a workflow knows no signals: it is cancelled at once', async () => {
  const steps = makeSteps();
  const upper = upperOf((w) => w.run('inner', below, {}));
  const world = await makeWorld({ workflows: [upper], topics: [...topics, below.topic] });
  const started = Promise.withResolvers<void>();
  const worker = defineWorker({
    ...{ topic: below.topic, pool: below.topic.slice(4), parallel: 1, input: z.unknown() },
    handle: (_, context) => {
      started.resolve();
      return untilStopped(context);
    },
  });
  await world.work([...steps.workers, worker]);
  await world.orchestrate();
  const id = await world.submit(upper.topic, {});
  await started.promise;
  await world.signal(id, 'stop', null);
  // Sooner than the time of a step, which is half a minute here.
  expect(await world.ended(id)).toMatchObject({ state: 'FAILED', errorMessage: 'the run was told to stop' });
  expect(await world.view(`${id}.inner.1`)).toMatchObject({ state: 'CANCELLED' });
});
