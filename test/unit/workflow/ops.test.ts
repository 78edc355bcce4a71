// Every operation of a workflow on the real store and scheduler: what it gives, and what it leaves behind.
import { expect, test } from 'vitest';
import { z } from 'zod';
import { isEnd } from '#core/jobs/state.ts';
import { defineTask, defineWorkflow, type Op, type WorkflowContext } from '#core/workflow/definition.ts';
import { parseLine } from '#core/workflow/lines.ts';
import { until } from '../../helpers/until.ts';
import { makeSteps, tasks, topics, untilStopped } from './flow.ts';
import { makeWorld, type WorldOptions } from './world.ts';

const flowOf = (run: (w: WorkflowContext, input: { n: number }) => Op<unknown>, version = '1') =>
  defineWorkflow({
    ...{
      name: 'ops',
      topic: 'job.workflow.ops',
      input: z.object({ n: z.number().default(0) }),
      output: z.unknown(),
      version,
    },
    run: (input, w) => run(w, input),
  });

async function setUp(
  run: (w: WorkflowContext, input: { n: number }) => Op<unknown>,
  options: Partial<WorldOptions> = {},
) {
  const steps = makeSteps();
  const world = await makeWorld({ workflows: [flowOf(run)], topics, ...options });
  await world.work(steps.workers);
  const orchestrator = await world.orchestrate();
  const start = (payload: unknown = {}) => world.submit('job.workflow.ops', payload);
  const lines = async (id: string) => ((await world.journal.lines({ id, tenant: 'default' })) ?? []).map(parseLine);
  return { steps, world, orchestrator, start, lines };
}

test('fan-out keeps its limit and the order of its items', async () => {
  const { steps, world, start } = await setUp((w) =>
    w.map(
      Array.from({ length: 30 }, (_, i) => i),
      { limit: 4 },
      function* (n, i) {
        return (yield* w.run(`n-${i}`, tasks.first, { n })).value.n;
      },
    ),
  );
  let now = 0;
  let most = 0;
  steps.before = async () => {
    most = Math.max(most, ++now);
    await Promise.resolve();
    await new Promise((resolve) => setImmediate(resolve));
    now--;
  };
  const id = await start();
  expect(await world.ended(id)).toMatchObject({ state: 'SUCCEEDED' });
  expect(await world.result(id)).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
  expect(most).toBeLessThanOrEqual(4);
  expect(steps.ran['job.first']).toHaveLength(30);
});

test('the loser of a race is cancelled, down to its handler', async () => {
  const { steps, world, start } = await setUp((w) =>
    w.race({ slow: w.run('slow', tasks.first, { n: 1 }), fast: w.run('fast', tasks.second, { n: 5 }) }),
  );
  let stopped: unknown;
  steps.before = async (topic, { context }) => {
    if (topic !== 'job.first') return;
    await untilStopped(context).catch((error: unknown) => {
      stopped = error;
      throw error;
    });
  };
  const id = await start();
  expect(await world.ended(id)).toMatchObject({ state: 'SUCCEEDED' });
  expect(await world.result(id)).toMatchObject({ name: 'fast', value: { value: { n: 6 } } });
  expect(await world.ended(`${id}.slow.1`)).toMatchObject({
    state: 'CANCELLED',
    errorMessage: `the workflow ${id} does not wait for it any more`,
  });
  await until(() => stopped !== undefined);
});

test('a timeout stops what takes longer, and a sleep wakes by itself', async () => {
  const { world, steps, start, lines } = await setUp(function* (w) {
    yield* w.sleep('nap', 1000);
    try {
      return yield* w.timeout('patience', 1000, w.run('slow', tasks.first, { n: 1 }));
    } catch (error) {
      return error instanceof Error ? error.message : '';
    }
  });
  steps.before = (_, { context }) => untilStopped(context);
  const id = await start();
  expect(await world.ended(id)).toMatchObject({ state: 'SUCCEEDED' });
  expect(await world.result(id)).toBe('patience: it took longer than 1000 ms');
  expect(await world.ended(`${id}.slow.1`)).toMatchObject({ state: 'CANCELLED' });
  const [begin, nap] = await lines(id);
  if (begin?.t !== 'begin' || nap?.t !== 'sleep') throw new Error('it begins and sleeps');
  expect(nap.until).toBe(begin.at + 1000);
});

test('a signal is waited for by event; one that came before is there; the same key twice is one', async () => {
  const { world, start, orchestrator } = await setUp(function* (w) {
    const first = yield* w.signal('go', z.object({ by: z.string() }));
    yield* w.run('first', tasks.first, { n: 1 });
    const second = yield* w.signal('go', z.object({ by: z.string() }));
    return [first.by, second.by];
  });
  const id = await start();
  await orchestrator.seen('run_begun');
  expect(await world.signal(id, 'go', { by: 7 })).toBe('noted'); // refused by the schema
  expect(await world.signal(id, 'go', { by: 'ann' }, 'k1')).toBe('noted');
  expect(await world.signal(id, 'go', { by: 'ann' }, 'k1')).toBe('known');
  expect(await world.signal(id, 'go', { by: 'bob' }, 'k2')).toBe('noted');
  expect(await world.ended(id)).toMatchObject({ state: 'SUCCEEDED' });
  expect(await world.result(id)).toEqual(['ann', 'bob']);
  expect(await world.signal(id, 'go', {})).toBe('ended');
});

test('a signal whose message was lost is found all the same', async () => {
  const { world, start, orchestrator } = await setUp((w) => w.signal('go', z.number()));
  const id = await start();
  await orchestrator.seen('run_begun');
  await world.journal.send({ id, tenant: 'default', name: 'go', value: '7', key: '' });
  expect(await world.ended(id)).toMatchObject({ state: 'SUCCEEDED' });
  expect(await world.result(id)).toBe(7);
});

test('what fails may be gone on from, or tried again as a whole', async () => {
  const { world, steps, start } = await setUp(function* (w) {
    const skipped = yield* w.run('skip', tasks.second, { n: 1 }, { onFailure: 'continue', maxRetries: 0 });
    const got = yield* w.retry('both', { tries: 3 }, function* (attempt) {
      return yield* w.run(`try-${attempt}`, tasks.first, { n: attempt }, { maxRetries: 0 });
    });
    return [skipped === undefined, got.value.n];
  });
  steps.before = (topic, { id }) => {
    if (topic === 'job.second' || id.includes('.try-1.')) throw new Error('no');
  };
  const id = await start();
  expect(await world.ended(id)).toMatchObject({ state: 'SUCCEEDED' });
  expect(await world.result(id)).toEqual([true, 3]);
});

test('what was done is undone when the run fails, and when it is told to stop', async () => {
  const { world, steps, start, orchestrator } = await setUp(function* (w, { n }) {
    yield* w.run('do', tasks.first, { n: 1 });
    w.compensate(() => w.run('undo', tasks.second, { n: 2 }));
    if (n === 1) yield* w.run('fail', tasks.first, { n: -1 }, { maxRetries: 0 });
    return yield* w.signal('never', z.unknown());
  });
  steps.before = (_, { id }) => {
    if (id.includes('.fail.')) throw new Error('it is broken');
  };
  const failed = await start({ n: 1 });
  expect(await world.ended(failed)).toMatchObject({ state: 'FAILED', errorMessage: 'fail failed: it is broken' });
  expect(await world.view(`${failed}.undo.1`)).toMatchObject({ state: 'SUCCEEDED' });
  const stopped = await start();
  await until(() => orchestrator.told.some((e) => e.type === 'step_ended' && e.job === stopped));
  await world.signal(stopped, 'stop', null);
  expect(await world.ended(stopped)).toMatchObject({
    state: 'FAILED',
    errorCode: 'canceled',
    errorMessage: 'the run was told to stop',
  });
  expect(await world.view(`${stopped}.undo.1`)).toMatchObject({ state: 'SUCCEEDED' });
});

test('a run that takes too long is undone before the plane ends it', async () => {
  const { world, start } = await setUp(
    function* (w) {
      yield* w.run('do', tasks.first, { n: 1 });
      w.compensate(() => w.run('undo', tasks.second, { n: 2 }));
      return yield* w.signal('never', z.unknown());
    },
    { limits: { totalTimeoutMs: 1500, childTimeoutMs: 10_000 } },
  );
  const id = await start();
  expect(await world.ended(id)).toMatchObject({ state: 'FAILED', errorCode: 'deadline_exceeded' });
  expect(await world.view(`${id}.undo.1`)).toMatchObject({ state: 'SUCCEEDED' });
});

test('a workflow that is its own step is refused with the way round', async () => {
  const self = defineTask({ topic: 'job.workflow.ops', input: z.unknown(), output: z.unknown() });
  const { world, start } = await setUp((w) => w.run('again', self, {}));
  const id = await start();
  expect(await world.ended(id)).toMatchObject({
    state: 'FAILED',
    errorCode: 'failed_precondition',
    errorMessage: 'again failed: job.workflow.ops > job.workflow.ops is a cycle',
  });
});

test('a way round over another workflow is found as well', async () => {
  const there = defineTask({ topic: 'job.workflow.other', input: z.unknown(), output: z.unknown() });
  const back = defineTask({ topic: 'job.workflow.ops', input: z.unknown(), output: z.unknown() });
  const one = flowOf((w) => w.run('there', there, {}));
  const other = defineWorkflow({
    ...{ name: 'other', topic: 'job.workflow.other', input: z.unknown(), output: z.unknown() },
    run: (_, w) => w.run('back', back, {}),
  });
  const world = await makeWorld({ workflows: [one, other], topics });
  await world.orchestrate();
  const id = await world.submit('job.workflow.ops', {});
  expect((await world.ended(id)).errorMessage).toBe(
    'there failed: back failed: job.workflow.ops > job.workflow.other > job.workflow.ops is a cycle',
  );
});

test('input that a step does not take fails it before there is a job', async () => {
  const { world, start } = await setUp((w) => w.run('first', tasks.first, { n: 'x' as never }));
  const id = await start();
  expect(await world.ended(id)).toMatchObject({ state: 'FAILED', errorCode: 'invalid_argument' });
  expect((await world.view(id)).errorMessage).toMatch(/^first failed: n: /);
  expect(await world.store.view(`${id}.first.1`, 'default')).toBeUndefined();
});

test('a run stays with its version; new runs begin with the newest', async () => {
  const v = (version: string) =>
    flowOf(function* (w) {
      const { value } = yield* w.run('first', tasks.first, { n: 1 });
      return [version, value.n];
    }, version);
  const steps = makeSteps();
  const gate = Promise.withResolvers<void>();
  steps.before = () => gate.promise;
  const old = await makeWorld({ workflows: [v('1')], topics });
  await old.work(steps.workers);
  const one = await old.orchestrate();
  const id = await old.submit('job.workflow.ops', {});
  await one.seen('step_begun');
  one.strike();
  await old.orchestrate(undefined, [v('2'), v('1')]);
  const later = await old.submit('job.workflow.ops', {});
  gate.resolve();
  expect(await old.ended(id)).toMatchObject({ state: 'SUCCEEDED' });
  expect([await old.result(id), (await old.ended(later)) && (await old.result(later))]).toEqual([
    ['1', 2],
    ['2', 2],
  ]);
});

test('a run whose version is not here fails and says so', async () => {
  const v = (version: string) => flowOf((w) => w.run('first', tasks.first, { n: 1 }), version);
  const steps = makeSteps();
  steps.before = (_, { context }) => untilStopped(context);
  const world = await makeWorld({ workflows: [v('1')], topics });
  await world.work(steps.workers);
  const one = await world.orchestrate();
  const id = await world.submit('job.workflow.ops', {});
  await one.seen('step_begun');
  one.strike();
  await world.orchestrate(undefined, [v('2')]);
  expect(await world.ended(id)).toMatchObject({
    state: 'FAILED',
    errorMessage: 'the run began with version 1 of ops, which is not here (2)',
  });
});

test('children end with a run that nobody holds', async () => {
  const { world, steps, start, orchestrator } = await setUp((w) =>
    w.all([w.run('first', tasks.first, { n: 1 }), w.run('second', tasks.second, { n: 1 })]),
  );
  steps.before = (topic, { context }) => (topic === 'job.first' ? untilStopped(context) : undefined);
  const id = await start();
  await until(() => steps.ran['job.first'].length === 1 && steps.ran['job.second'].length === 1);
  await world.ended(`${id}.second.1`);
  orchestrator.strike();
  await world.cancel(id);
  expect(await world.ended(`${id}.first.1`)).toMatchObject({
    ...{ state: 'CANCELLED', errorMessage: `the workflow ${id} has ended` },
  });
  expect(await world.view(`${id}.second.1`)).toMatchObject({ state: 'SUCCEEDED' });
  expect(isEnd((await world.view(id)).state)).toBe(true);
});

test('a run that gets on survives more deaths than a job may', async () => {
  const count = 6;
  const { world, steps, start, orchestrator } = await setUp(
    function* (w) {
      let n = 0;
      for (let i = 0; i < count; i++) n = (yield* w.run(`s-${i}`, tasks.first, { n })).value.n;
      return n;
    },
    { leaseMs: 400 },
  );
  const gates = Array.from({ length: count }, () => Promise.withResolvers<void>());
  steps.before = (_, { input }) => gates[(input as { n: number }).n]?.promise;
  let holder = orchestrator;
  const id = await start();
  for (let i = 0; i < count; i++) {
    await until(() => steps.ran['job.first'].length > i, { timeout: 10_000 });
    holder.strike();
    gates[i]?.resolve();
    holder = await world.orchestrate();
  }
  const view = await world.ended(id);
  expect(view).toMatchObject({ state: 'SUCCEEDED' });
  expect(view.losses).toBeGreaterThan(3);
  expect(await world.result(id)).toBe(count);
  expect(steps.ran['job.first']).toHaveLength(count);
});

test('a run that never gets on ends as any job does', async () => {
  const { world, start, orchestrator } = await setUp((w) => w.run('first', tasks.first, { n: 1 }), { leaseMs: 400 });
  let holder = orchestrator;
  const strike = () => Object.assign(holder.outage, { only: ['append'], mode: 'hung' });
  strike();
  const id = await start();
  for (let i = 0; i < 4; i++) {
    await until(() => (holder.outage.counts.get('append') ?? 0) > 0, { timeout: 10_000 });
    holder.strike();
    holder = await world.orchestrate();
    strike();
  }
  expect(await world.ended(id)).toMatchObject({ state: 'FAILED', errorCode: 'worker_lost', losses: 4 });
});
