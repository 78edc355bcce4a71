// A run that moves from one orchestrator to another. That it may die at any call is kill.test.ts.
import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineWorkflow } from '#core/workflow/definition.ts';
import { until } from '../../helpers/until.ts';
import { flow, makeSteps, tasks, topics } from './flow.ts';
import { makeWorld } from './world.ts';

test('after its result was stored, unheard, nothing is left to do', async () => {
  const steps = makeSteps();
  const world = await makeWorld({ workflows: [flow], topics });
  await world.work(steps.workers);
  const one = await world.orchestrate();
  Object.assign(one.outage, { only: ['commit'], mode: 'deaf' });
  const id = await world.submit(flow.topic, { n: 1 });
  await until(() => (one.outage.counts.get('commit') ?? 0) > 0, { timeout: 10_000, interval: 1 });
  await one.outage.quiet();
  one.strike();
  await world.orchestrate();
  expect(await world.ended(id)).toMatchObject({ state: 'SUCCEEDED', attempts: 1, losses: 0 });
  expect(steps.ran['job.second']).toHaveLength(1);
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
