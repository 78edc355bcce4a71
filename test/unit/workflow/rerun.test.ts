// What a rerun keeps of a run: data in, data out; and a rerun from its begin to its end.
import { expect, test } from 'vitest';
import { z } from 'zod';
import { unwrap } from '#core/result.ts';
import { defineWorkflow } from '#core/workflow/definition.ts';
import { type Line, parseLine } from '#core/workflow/lines.ts';
import { rerunFrom } from '#core/workflow/rerun.ts';
import { makeSteps, tasks, topics, untilStopped } from './flow.ts';
import { makeWorld, type World } from './world.ts';

const begin: Line = { t: 'begin', at: 1, name: 'x', v: '1', req: {} };
const start = (k: string, n = 1): Line => ({ t: 'start', k, n, topic: 'job.a', d: `d-${k}` });
const end = (k: string, s: 'SUCCEEDED' | 'FAILED', n = 1): Line => ({ t: 'end', at: 2, k, n, id: `r.${k}.${n}`, s });
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
  expect(unwrap(rerunFrom('r', lines, '')).seed.slept).toEqual(['nap']);
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
  const { seed } = unwrap(rerunFrom(id, lines, from));
  const next = `again-${id}`;
  await world.journal.seed({ id: next, tenant: 'default', lines: [JSON.stringify(seed)], signals: [] });
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
