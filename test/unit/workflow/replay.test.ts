// A run that moves from one orchestrator to another. That it may die at any call is kill.test.ts.
import { expect, test } from 'vitest';
import { z } from 'zod';
import { systemClock } from '#core/system.ts';
import { defineTask, defineWorkflow } from '#core/workflow/definition.ts';
import { readMemory } from '../../../services/orchestrator/memory.ts';
import { defineWorker } from '../../../services/worker/define.ts';
import { capWorker } from '../../helpers/scripted-worker.ts';
import { until } from '../../helpers/until.ts';
import { flow, makeSteps, tasks, topics } from './flow.ts';
import { makeWorld, type World } from './world.ts';

const waits = async (world: World, id: string): Promise<unknown> =>
  until(
    async () => ((await world.journal.lines({ id, tenant: 'default' })) ?? []).some((line) => line.includes('"wait"')),
    { timeout: 15_000 },
  );

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

test('results are read as the replay gets to them, as many at once as are of a bearable size', async () => {
  const n = 10;
  const large = defineTask({ topic: 'job.first', input: z.object({ i: z.int() }), output: z.object({ i: z.int() }) });
  const many = defineWorkflow({
    ...{ name: 'many', topic: 'job.workflow.many', input: z.unknown(), output: z.unknown() },
    *run(_, w) {
      for (let i = 0; i < n; i++) yield* w.run(`s-${i}`, large, { i });
      return yield* w.signal('go', z.unknown());
    },
  });
  const worker = defineWorker({
    ...{ topic: 'job.first', pool: 'first', parallel: 8, input: z.object({ i: z.int() }) },
    handle: ({ i }) => ({ i, text: 'x'.repeat(1_500_000) }),
  });
  const world = await makeWorld({ workflows: [many], topics, leaseMs: 4000 });
  await world.work([worker]);
  await world.orchestrate();
  const id = await world.submit(many.topic, {});
  await waits(world, id);
  const pages: number[] = [];
  const look: typeof world.store.look = async (jobs) => {
    pages.push(jobs.length);
    return world.store.look(jobs);
  };
  const deps = { store: { look }, journal: world.journal, clock: systemClock };
  const memory = await readMemory({ id, tenant: 'default' }, deps, new AbortController().signal);
  expect(pages).toEqual([]);
  let ends = 0;
  for await (const { event } of memory.remember({ runId: id, workflowId: id, input: {} })) {
    if (event.type !== 'end') continue;
    ends++;
    // Two of these fit: the next two are read when those are used up.
    expect(pages).toEqual(Array.from({ length: Math.ceil(ends / 2) }, () => 2));
    expect(event.end.result?.length).toBeGreaterThan(1_500_000);
  }
  expect(ends).toBe(n);
});

test('more runs than may be taken up at once are all taken up', async () => {
  const waiting = defineWorkflow({
    ...{ name: 'waiting', topic: 'job.workflow.waiting', input: z.unknown(), output: z.unknown() },
    *run(_, w) {
      const { value } = yield* w.run('first', tasks.first, { n: 1 });
      return [value.n, yield* w.signal('go', z.unknown())];
    },
  });
  const steps = makeSteps();
  const world = await makeWorld({ workflows: [waiting], topics });
  await world.work(steps.workers);
  const one = await world.orchestrate();
  const ids = await Promise.all(Array.from({ length: 9 }, () => world.submit(waiting.topic, {})));
  await Promise.all(ids.map((id) => waits(world, id)));
  await one.host.drain({ finishMs: 0 });
  await world.orchestrate();
  for (const id of ids) await world.signal(id, 'go', 7);
  for (const id of ids) {
    expect(await world.ended(id)).toMatchObject({ state: 'SUCCEEDED' });
    expect(await world.result(id)).toEqual([2, 7]);
  }
  expect(steps.ran['job.first']).toHaveLength(9);
});

test('a child that succeeded without a result is told so again', async () => {
  const nothing = defineTask({ topic: 'job.first', input: z.unknown(), output: z.unknown() });
  const goesOn = defineWorkflow({
    ...{ name: 'on', topic: 'job.workflow.on', input: z.unknown(), output: z.unknown() },
    *run(_, w) {
      const skipped = yield* w.run('first', nothing, {}, { onFailure: 'continue' });
      return [skipped === undefined, yield* w.signal('go', z.unknown())];
    },
  });
  const world = await makeWorld({ workflows: [goesOn], topics });
  // A worker of the bus alone: it says SUCCEEDED and names no result.
  const cap = await capWorker({ id: 'cap', topic: 'job.first', pool: 'first' }, { bus: world.bus, clock: systemClock });
  cap.beat();
  const one = await world.orchestrate();
  const id = await world.submit(goesOn.topic, {});
  await waits(world, id);
  await one.host.drain({ finishMs: 0 });
  await world.orchestrate();
  await world.signal(id, 'go', 7);
  expect(await world.ended(id)).toMatchObject({ state: 'SUCCEEDED' });
  expect(await world.result(id)).toEqual([true, 7]);
});
