// The orchestrator dies at every boundary of a run; another one goes on. No step is done twice, and the run ends once.
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineWorkflow } from '#core/workflow/definition.ts';
import { until } from '../../helpers/until.ts';
import { flow, makeSteps, tasks, topics } from './flow.ts';
import { makeWorld, type OrchestratorHere } from './world.ts';

type Call = 'view' | 'create' | 'result' | 'commit';

interface Boundary {
  readonly name: string;
  /** Prepares the first orchestrator; resolves when it has been struck. */
  readonly strike: (one: OrchestratorHere) => Promise<void>;
  /** Steps that are found at work, not begun, by the one that goes on: those that have ended are in the run's memory. */
  readonly found: readonly string[];
}

/** From now on this call hangs, or happens unheard; struck once it was made `n` times in all. */
function atCall(call: Call, mode: 'hung' | 'deaf', n = 1): Boundary['strike'] {
  return async (one) => {
    const { outage } = one;
    if (n === 1) Object.assign(outage, { only: [call], mode });
    else {
      await one.seen('step_begun', 'first');
      Object.assign(outage, { only: [call], mode });
    }
    await until(() => (outage.counts.get(call) ?? 0) >= n, { timeout: 10_000, interval: 1, message: call });
    if (mode === 'deaf') await outage.quiet();
    one.strike();
  };
}

const onEvent =
  (type: 'step_begun' | 'step_ended' | 'run_over', key?: string): Boundary['strike'] =>
  (one) =>
    one.seen(type, key).then(() => one.strike());

const boundaries: readonly Boundary[] = [
  { name: 'before it has read its own job', strike: atCall('view', 'hung'), found: [] },
  { name: 'before the first child is made', strike: atCall('create', 'hung'), found: [] },
  { name: 'after the first child was made, unheard', strike: atCall('create', 'deaf'), found: ['first'] },
  { name: 'while the first child is under way', strike: onEvent('step_begun', 'first'), found: ['first'] },
  { name: 'when the first child has ended', strike: onEvent('step_ended', 'first'), found: ['first'] },
  { name: 'before the second child is made', strike: atCall('create', 'hung', 2), found: [] },
  { name: 'after the second child was made, unheard', strike: atCall('create', 'deaf', 2), found: ['second'] },
  { name: 'while the second child is under way', strike: onEvent('step_begun', 'second'), found: ['second'] },
  { name: 'when the second child has ended', strike: onEvent('step_ended', 'second'), found: ['second'] },
  { name: 'before its result is stored', strike: atCall('commit', 'hung'), found: [] },
];

describe('the orchestrator dies', () => {
  test.each(boundaries)('$name', async ({ strike, found }) => {
    const steps = makeSteps();
    const world = await makeWorld({ workflows: [flow], topics });
    await world.work(steps.workers);
    const one = await world.orchestrate();
    const struck = strike(one);
    const id = await world.submit(flow.topic, { n: 1 });
    await struck;
    const two = await world.orchestrate();
    const view = await world.ended(id);
    expect(view).toMatchObject({ state: 'SUCCEEDED', attempts: 2, losses: 1 });
    expect(await world.result(id)).toMatchObject({ n: 3, second: `redis://res:${id}.second.1` });
    expect(steps.ran['job.first'].map((r) => r.id)).toEqual([`${id}.first.1`]);
    expect(steps.ran['job.second'].map((r) => r.id)).toEqual([`${id}.second.1`]);
    const foundKeys = two.told.flatMap((e) => (e.type === 'step_found' ? [e.key] : []));
    expect(foundKeys).toEqual(found);
    expect(two.told.find((e) => e.type === 'run_begun')).toMatchObject({ replay: true });
    expect(await world.store.trace(`trace-${id}`, 'default')).toHaveLength(3);
  });

  test('after its result was stored, unheard: nothing is left to do', async () => {
    const steps = makeSteps();
    const world = await makeWorld({ workflows: [flow], topics });
    await world.work(steps.workers);
    const one = await world.orchestrate();
    const struck = atCall('commit', 'deaf')(one);
    const id = await world.submit(flow.topic, { n: 1 });
    await struck;
    await world.orchestrate();
    expect(await world.ended(id)).toMatchObject({ state: 'SUCCEEDED', attempts: 1, losses: 0 });
    expect(steps.ran['job.second']).toHaveLength(1);
  });
});

test('a run is handed over when its orchestrator is told to stop, and its child goes on', async () => {
  const steps = makeSteps();
  const gate = Promise.withResolvers<void>();
  steps.before = (topic) => (topic === 'job.first' ? gate.promise : undefined);
  const world = await makeWorld({ workflows: [flow], topics });
  await world.work(steps.workers);
  const one = await world.orchestrate();
  const id = await world.submit(flow.topic, { n: 1 });
  await until(() => steps.ran['job.first'].length === 1);
  const two = await world.orchestrate();
  await one.host.drain({ finishMs: 0 });
  expect(await one.seen('run_over')).toMatchObject({ how: 'left' });
  await two.seen('step_found', 'first');
  gate.resolve();
  expect(await world.ended(id)).toMatchObject({ state: 'SUCCEEDED', attempts: 2, losses: 0 });
  expect(steps.ran['job.first']).toHaveLength(1);
  expect(await world.view(`${id}.first.1`)).toMatchObject({ state: 'SUCCEEDED' });
});

test('tries that failed before are found and not made again', async () => {
  const steps = makeSteps();
  steps.before = (_, { id }) => {
    if (id.endsWith('.first.1')) throw new Error('the first time never works');
  };
  const world = await makeWorld({ workflows: [flow], topics });
  await world.work(steps.workers);
  const one = await world.orchestrate();
  const id = await world.submit(flow.topic, { n: 1 });
  await until(() => one.told.filter((e) => e.type === 'step_begun').length === 2, { interval: 1 });
  one.strike();
  const two = await world.orchestrate();
  expect(await world.ended(id)).toMatchObject({ state: 'SUCCEEDED' });
  expect(steps.ran['job.first'].map((r) => r.id.slice(-2))).toEqual(['.1', '.2']);
  expect(two.told.flatMap((e) => (e.type === 'step_found' ? [e.child.slice(id.length)] : []))).toEqual(['.first.2']);
});

test('a step that changed between two runs is an error that names it', async () => {
  let run = 0;
  const changing = defineWorkflow({
    name: 'changing',
    topic: 'job.workflow.changing',
    input: z.unknown(),
    output: z.unknown(),
    run: (_, w) => w.run('first', tasks.first, { n: ++run }),
  });
  const steps = makeSteps();
  const gate = Promise.withResolvers<void>();
  steps.before = () => gate.promise;
  const world = await makeWorld({ workflows: [changing], topics });
  await world.work(steps.workers);
  const one = await world.orchestrate();
  const id = await world.submit(changing.topic, {});
  await one.seen('step_begun', 'first');
  one.strike();
  await world.orchestrate();
  expect(await world.ended(id)).toMatchObject({
    state: 'FAILED',
    errorMessage:
      'workflow changing changed since the run began, within version 1: the input of step first (job.first) is another',
  });
  gate.resolve();
});
