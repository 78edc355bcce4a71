// Redis is restarted under a run that goes on, and has forgotten what it was told last: `appendfsync everysec` allows that. What is left is a
// consistent prefix; the run goes on from there.
import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineWorkflow, type Op, type WorkflowContext } from '#core/workflow/definition.ts';
import { until } from '../../helpers/until.ts';
import { makeSteps, tasks, topics } from './flow.ts';
import { makeWorld } from './world.ts';

const flowOf = (run: (w: WorkflowContext) => Op<unknown>) =>
  defineWorkflow({
    ...{ name: 'forgetful', topic: 'job.workflow.forgetful', input: z.unknown(), output: z.unknown() },
    run: (_, w) => run(w),
  });

test.each(['append', 'create'] as const)(
  'what follows the second %s is forgotten: the run does it again',
  async (call) => {
    const flow = flowOf(function* (w) {
      yield* w.run('first', tasks.first, { n: 0 });
      w.compensate(() => w.run('undo', tasks.first, { n: 5 }));
      return (yield* w.run('second', tasks.second, { n: 1 })).value.n;
    });
    const steps = makeSteps();
    const world = await makeWorld({ workflows: [flow], topics, leaseMs: 8000 });
    await world.work(steps.workers);
    const one = await world.orchestrate();
    const gate = Promise.withResolvers<void>();
    steps.before = (topic) => (topic === 'job.second' ? gate.promise : undefined);
    let calls = 0;
    one.outage.onCall = (name) => {
      if (name === call && ++calls === 2) Object.assign(one.outage, { only: [call], mode: 'hung' });
    };
    const id = await world.submit(flow.topic, {});
    await until(() => one.outage.mode === 'hung', { timeout: 8000 });
    await world.remember();
    one.outage.onCall = undefined;
    one.outage.mode = 'up';
    one.outage.release();
    await until(() => steps.ran['job.second'].length === 1, { timeout: 8000 });
    await world.forget();
    gate.resolve();
    expect(await world.ended(id)).toMatchObject({ state: 'SUCCEEDED', attempts: 1 });
    expect(await world.result(id)).toBe(2);
    // What was committed before stays: once. What was forgotten was done again, and nothing was undone.
    expect(steps.ran['job.first'].map((ran) => ran.id)).toEqual([`${id}.first.1`]);
    expect(steps.ran['job.second'].map((ran) => ran.id)).toEqual([`${id}.second.1`, `${id}.second.1`]);
  },
  40_000,
);

test('a signal that was forgotten with what followed is waited for again', { timeout: 40_000 }, async () => {
  const flow = flowOf(function* (w) {
    const first = yield* w.signal('go', z.unknown());
    return [first, yield* w.signal('go', z.unknown())];
  });
  const world = await makeWorld({ workflows: [flow], topics, leaseMs: 8000 });
  await world.orchestrate();
  const id = await world.submit(flow.topic, {});
  const lines = async (): Promise<number> => ((await world.journal.lines({ id, tenant: 'default' })) ?? []).length;
  await until(async () => (await lines()) === 2);
  await world.remember();
  await world.signal(id, 'go', 'forgotten');
  await until(async () => (await lines()) === 4);
  await world.forget();
  // At once, so that there are as many as the run knows.
  await until(() => world.signal(id, 'go', 'a').then((sent) => sent === 'noted'), { timeout: 8000 });
  await until(async () => (await lines()) === 4, { timeout: 8000 });
  await world.signal(id, 'go', 'b');
  expect(await world.ended(id)).toMatchObject({ state: 'SUCCEEDED' });
  expect(await world.result(id)).toEqual(['a', 'b']);
});
