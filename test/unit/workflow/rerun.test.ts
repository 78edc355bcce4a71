// What a rerun keeps of a run: data in, data out; and a rerun from its begin to its end.
import { expect, test } from 'vitest';
import { z } from 'zod';
import { unwrap } from '#core/result.ts';
import { defineTask, defineWorkflow, type Op, type WorkflowContext } from '#core/workflow/definition.ts';
import { type Line, parseLine } from '#core/workflow/lines.ts';
import { rerunFrom } from '#core/workflow/rerun.ts';
import { until } from '../../helpers/until.ts';
import { makeSteps, tasks, topics, untilStopped } from './flow.ts';
import { makeWorld, type World } from './world.ts';

const begin: Line = { t: 'begin', at: 1, name: 'x', v: '1', req: {} };
const start = (k: string, n = 1): Line => ({ t: 'start', k, n, topic: 'job.a', d: `d-${k}` });
const end = (k: string, s: 'SUCCEEDED' | 'FAILED', n = 1): Line => ({
  ...{ t: 'end', at: 2, k, n, id: `r.${k}.${n}`, s },
  ...(s === 'SUCCEEDED' && { p: `redis://res:r.${k}.${n}` }),
});
const kept = (lines: readonly Line[], from: string): readonly string[] =>
  unwrap(rerunFrom('r', lines, from)).seed.kept.map(({ k }) => k);

test('what succeeded before the step was over is kept, what began after it is not', () => {
  const lines = [
    begin,
    start('a'),
    end('a', 'SUCCEEDED'),
    start('b'),
    start('c'),
    end('c', 'SUCCEEDED'),
    end('b', 'FAILED'),
    start('d'),
    end('d', 'SUCCEEDED'),
  ];
  expect(kept(lines, 'b')).toEqual(['a', 'c']);
  expect(kept(lines, '')).toEqual(['a', 'c']); // b is the first that did not succeed
  expect(kept(lines, 'a')).toEqual([]);
  expect(kept(lines, 'd')).toEqual(['a', 'c']);
});

test('of a step that took two tries the second counts', () => {
  const lines = [
    begin,
    start('a'),
    end('a', 'FAILED'),
    start('a', 2),
    end('a', 'SUCCEEDED', 2),
    start('b'),
    end('b', 'FAILED'),
  ];
  expect(unwrap(rerunFrom('r', lines, '')).seed.kept).toEqual([{ k: 'a', id: 'r.a.2', topic: 'job.a', d: 'd-a' }]);
});

test('nothing is kept of a run that was undone', () => {
  const lines: Line[] = [
    begin,
    start('a'),
    end('a', 'SUCCEEDED'),
    start('b'),
    end('b', 'FAILED'),
    { t: 'undo', c: 'internal', m: '' },
    start('undo-a'),
    end('undo-a', 'SUCCEEDED'),
  ];
  expect(kept(lines, '')).toEqual([]);
  expect(kept(lines, 'b')).toEqual([]);
});

test('a sleep before the step is over, one beside it begins anew', () => {
  const lines: Line[] = [
    begin,
    { t: 'sleep', k: 'nap', until: 5 },
    { t: 'due', at: 5, k: 'nap' },
    start('slow'),
    { t: 'sleep', k: 'limit', until: 9 },
    { t: 'due', at: 9, k: 'limit' },
    { t: 'drop', k: 'slow', n: 1 },
  ];
  expect(unwrap(rerunFrom('r', lines, '')).seed.owed).toEqual([{ n: 0, k: 'nap' }]);
});

test('signals and sleeps stand in order behind the results that were there before them', () => {
  const signal = (i: number, name = 'go'): Line => ({ t: 'signal', at: 1, i, name });
  const lines: Line[] = [
    ...[begin, start('a'), start('b'), start('c'), signal(0)],
    ...[end('b', 'SUCCEEDED'), { t: 'due', at: 2, k: 'nap' } as const, signal(1), end('a', 'SUCCEEDED')],
    ...[signal(2, 'stop'), signal(3), start('last'), end('last', 'FAILED'), signal(4)],
  ];
  const { seed, signals } = unwrap(rerunFrom('r', lines, 'last'));
  expect(seed.kept.map(({ k }) => k)).toEqual(['b', 'a']);
  expect(seed.owed).toEqual([{ n: 0 }, { n: 1, k: 'nap' }, { n: 1 }, { n: 2 }]);
  expect(signals).toEqual([0, 1, 3]);
});

test('nothing is kept of a step that gave no result, or whose result nobody took', () => {
  const none: Line = { t: 'end', at: 2, k: 'a', n: 1, id: 'r.a.1', s: 'SUCCEEDED' };
  const halt: Line = { t: 'halt', k: 'b', n: 1 };
  const lines = [begin, start('a'), none, start('b'), halt, end('b', 'SUCCEEDED'), start('c')];
  expect(kept([...lines, end('c', 'FAILED')], 'c')).toEqual([]);
});

test('a step that is not there is named beside those that are; a run without a step is submitted anew', () => {
  expect(rerunFrom('r', [begin, start('a')], 'z')).toMatchObject({
    ok: false,
    error: { field: 'from', message: 'from: the run has no step "z"; there are a' },
  });
  expect(rerunFrom('r', [begin], '')).toMatchObject({ ok: false, error: { code: 'failed_precondition' } });
});

test('very many steps take no time in their square', () => {
  const lines = [
    begin,
    ...Array.from({ length: 20_000 }, (_, i) => start(`s-${i}`)),
    ...Array.from({ length: 20_000 }, (_, i) => end(`s-${i}`, 'SUCCEEDED')),
  ];
  // In the square of 20,000 this would be minutes; the test's own time-out is the bound.
  expect(kept(lines, 's-19999')).toHaveLength(19_999);
});

async function again(world: World, id: string, from = ''): Promise<string> {
  const lines = ((await world.journal.lines({ id, tenant: 'default' })) ?? []).map(parseLine);
  const { seed, signals } = unwrap(rerunFrom(id, lines, from));
  const next = `again-${id}`;
  const all = await world.journal.signals({ id, tenant: 'default', from: 0 });
  const sent = signals.flatMap((i) => all[i] ?? []);
  await world.journal.seed({ id: next, tenant: 'default', lines: [JSON.stringify(seed)], signals: sent });
  await world.submit((await world.view(id)).topic, {}, { id: next });
  return next;
}

test('kept steps are not done again, and one that was too slow has its time', async () => {
  const flow = defineWorkflow({
    ...{ name: 'slow', topic: 'job.workflow.slow', input: z.unknown(), output: z.unknown() },
    *run(_, w) {
      const { value } = yield* w.run('first', tasks.first, { n: 0 });
      return (yield* w.timeout('limit', 1200, w.run('slow', tasks.second, { n: value.n }))).value.n;
    },
  });
  const steps = makeSteps();
  let well = false;
  steps.before = (topic, { context }) => (topic === 'job.second' && !well ? untilStopped(context) : undefined);
  const world = await makeWorld({ workflows: [flow], topics });
  await world.work(steps.workers);
  await world.orchestrate();
  const id = await world.submit(flow.topic, {});
  expect(await world.ended(id)).toMatchObject({ state: 'FAILED', errorCode: 'deadline_exceeded' });
  well = true;
  const next = await again(world, id);
  expect(await world.ended(next)).toMatchObject({ state: 'SUCCEEDED' });
  expect(await world.result(next)).toBe(2);
  expect(steps.ran['job.first']).toHaveLength(1);
  // Whoever takes it up finds the kept result as it found it first.
  const third = await again(world, next, 'slow');
  expect(await world.ended(third)).toMatchObject({ state: 'SUCCEEDED' });
  expect(steps.ran['job.first']).toHaveLength(1);
});

const flowOf = (run: (w: WorkflowContext) => Op<unknown>) =>
  defineWorkflow({
    ...{ name: 'again', topic: 'job.workflow.again', input: z.unknown(), output: z.unknown() },
    run: (_, w) => run(w),
  });

/** A run that fails because its second worker is broken, which is mended then. */
async function broken(run: (w: WorkflowContext) => Op<unknown>) {
  const flow = flowOf(run);
  const steps = makeSteps();
  const state = { broken: true };
  steps.before = (topic) => {
    if (topic === 'job.second' && state.broken) throw new Error('broken');
  };
  const world = await makeWorld({ workflows: [flow], topics });
  await world.work(steps.workers);
  const orchestrator = await world.orchestrate();
  const id = await world.submit(flow.topic, {});
  return { steps, state, world, orchestrator, id };
}

test('a signal does not win a race that it came too late for', async () => {
  const { state, world, orchestrator, id } = await broken(function* (w) {
    const go = (): Op<unknown> => w.signal('approve', z.unknown());
    const raced = yield* w.race({ early: go(), done: w.run('first', tasks.first, { n: 0 }) });
    const said = raced.name === 'early' ? 'early' : yield* go();
    const nap = yield* w.race({ early: go(), slept: w.sleep('nap', 1000) });
    const late = nap.name === 'early' ? 'early' : yield* go();
    yield* w.run('last', tasks.second, { n: 1 }, { maxRetries: 0 });
    return [raced.name, said, nap.name, late];
  });
  const line = (text: string, n = 1): Promise<unknown> =>
    until(
      async () =>
        ((await world.journal.lines({ id, tenant: 'default' })) ?? []).filter((one) => one.includes(text)).length >= n,
    );
  await line('"wait"', 2);
  await world.signal(id, 'approve', 'yes');
  await line('"due"');
  await world.signal(id, 'approve', 'also');
  expect(await world.ended(id)).toMatchObject({ state: 'FAILED', errorMessage: 'last failed: broken' });
  state.broken = false;
  const next = await again(world, id);
  expect(await world.ended(next)).toMatchObject({ state: 'SUCCEEDED' });
  expect(await world.result(next)).toEqual(['done', 'yes', 'slept', 'also']);
  expect(orchestrator.told.some((e) => e.type === 'step_begun' && e.job === next && e.key === 'first')).toBe(false);
});

test('a signal that came after a step which is not asked for any more is there all the same', async () => {
  let mended = false;
  const { state, world, id } = await broken(function* (w) {
    if (!mended) yield* w.run('first', tasks.first, { n: 0 });
    const said = yield* w.signal('approve', z.unknown());
    yield* w.run('last', tasks.second, { n: 1 }, { maxRetries: 0 });
    return said;
  });
  await world.signal(id, 'approve', 'yes');
  expect(await world.ended(id)).toMatchObject({ state: 'FAILED' });
  [state.broken, mended] = [false, true];
  const next = await again(world, id);
  expect(await world.ended(next)).toMatchObject({ state: 'SUCCEEDED' });
  expect(await world.result(next)).toBe('yes');
});

test('a kept result that is gone is made anew', async () => {
  const { steps, state, world, id } = await broken(function* (w) {
    const { value } = yield* w.run('first', tasks.first, { n: 1 });
    return (yield* w.run('last', tasks.second, { n: value.n }, { maxRetries: 0 })).value.n;
  });
  expect(await world.ended(id)).toMatchObject({ state: 'FAILED' });
  state.broken = false;
  await world.erase(`res:${id}.first.1`);
  const next = await again(world, id);
  expect(await world.ended(next)).toMatchObject({ state: 'SUCCEEDED' });
  expect(await world.result(next)).toBe(3);
  expect(steps.ran['job.first'].map((ran) => ran.id)).toEqual([`${id}.first.1`, `${next}.first.2`]);
});

test('a step that failed for what it gave is done again, also when somebody else takes the run up', async () => {
  const picky = defineTask({ ...tasks.first, output: z.object({ n: z.literal(2) }) });
  const flow = flowOf(function* (w) {
    const { value } = yield* w.run('first', picky, { n: 1 });
    return [value.n, yield* w.signal('go', z.unknown())];
  });
  const steps = makeSteps();
  steps.before = (_, ran) => {
    if (steps.ran['job.first'].length === 1) (ran.input as { n: number }).n = 41;
  };
  const world = await makeWorld({ workflows: [flow], topics });
  await world.work(steps.workers);
  const one = await world.orchestrate();
  const id = await world.submit(flow.topic, {});
  expect((await world.ended(id)).errorMessage).toMatch(/^first failed: n: /);
  const next = await again(world, id);
  await until(async () =>
    ((await world.journal.lines({ id: next, tenant: 'default' })) ?? []).some((text) => text.includes('"wait"')),
  );
  await one.host.drain({ finishMs: 0 });
  await world.orchestrate();
  await world.signal(next, 'go', 7);
  expect(await world.ended(next)).toMatchObject({ state: 'SUCCEEDED' });
  expect(await world.result(next)).toEqual([2, 7]);
  expect(steps.ran['job.first'].map((ran) => ran.id)).toEqual([`${id}.first.1`, `${next}.first.2`]);
});
