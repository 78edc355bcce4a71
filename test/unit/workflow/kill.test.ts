// An orchestrator dies at every single call that it makes to store or journal (in the short version at every fifth), before the call or after
// it: of a workflow with every kind of operation, and of one that fails and is undone. Whoever goes on finishes it: no step is done twice,
// nothing is left open, and what it comes to is the same.
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { isEnd } from '#core/jobs/state.ts';
import { defineWorkflow } from '#core/workflow/definition.ts';
import { long } from '../../helpers/long.ts';
import { until } from '../../helpers/until.ts';
import { makeSteps, tasks, topics, untilStopped } from './flow.ts';
import { makeWorld, type OrchestratorHere } from './world.ts';

const everything = defineWorkflow({
  ...{ name: 'everything', topic: 'job.workflow.everything', input: z.unknown(), output: z.unknown() },
  *run(_, w) {
    const first = yield* w.run('first', tasks.first, { n: 0 });
    w.compensate(() => w.run('undo', tasks.second, { n: 0 }));
    const many = yield* w.map([1, 2, 3], { limit: 2 }, (n, i) => w.run(`many-${i}`, tasks.first, { n }));
    const raced = yield* w.race({
      slow: w.run('slow', tasks.second, { n: 1 }),
      fast: w.run('fast', tasks.first, { n: 5 }),
    });
    const said = yield* w.signal('go', z.number());
    try {
      yield* w.run('fails', tasks.first, { n: 9 }, { maxRetries: 1 });
    } catch {
      // The second try fails as well.
    }
    return [first.value.n, many.map(({ value }) => value.n), raced.name, raced.value.value.n, said];
  },
});
const result = [1, [2, 3, 4], 'fast', 6, 7];

/** What it did is undone, while a step is under way and another one cleans up. */
const undone = defineWorkflow({
  ...{ name: 'undone', topic: 'job.workflow.undone', input: z.unknown(), output: z.unknown() },
  *run(_, w) {
    for (const k of ['a', 'b']) {
      yield* w.run(k, tasks.first, { n: 0 });
      w.compensate(() => w.run(`undo-${k}`, tasks.second, { n: 0 }));
    }
    try {
      yield* w.all([w.run('slow', tasks.first, { n: 1 }), w.run('fails', tasks.second, { n: 0 }, { maxRetries: 0 })]);
    } finally {
      yield* w.run('clean', tasks.second, { n: 0 });
    }
  },
});

/** What they come to, and the children that each of them has had done, once. */
const cases = [
  {
    ...{ workflow: everything, end: { state: 'SUCCEEDED' }, comesTo: result },
    ran: ['first.1', 'many-0.1', 'many-1.1', 'many-2.1', 'slow.1', 'fast.1', 'fails.1', 'fails.2'],
  },
  {
    ...{ workflow: undone, end: { state: 'FAILED', errorMessage: 'fails failed: it never works' }, comesTo: null },
    ran: ['a.1', 'b.1', 'slow.1', 'fails.1', 'clean.1', 'undo-b.1', 'undo-a.1'],
  },
];
type Case = (typeof cases)[number];

/** The calls that a run is made of; renewals and the like go on meanwhile. */
const calls = ['view', 'lines', 'signals', 'append', 'create', 'look', 'end', 'commit'] as const;
const made = ({ outage }: OrchestratorHere): number =>
  calls.reduce((sum, name) => sum + (outage.counts.get(name) ?? 0), 0);

async function setUp({ workflow }: Case) {
  const steps = makeSteps();
  const slow = Promise.withResolvers<void>();
  steps.before = async (_, { id, context }) => {
    if (id.includes('.slow.')) {
      slow.resolve();
      await untilStopped(context);
    }
    // What ends it waits until it has begun.
    if (id.includes('.fails.') || id.includes('.fast.')) await slow.promise;
    if (id.includes('.fails.')) throw new Error('it never works');
  };
  const world = await makeWorld({ workflows: [workflow], topics, leaseMs: 400 });
  await world.work(steps.workers);
  return { steps, world };
}

async function check({ end, comesTo, ran }: Case, { steps, world }: Here, id: string): Promise<void> {
  expect(await world.ended(id)).toMatchObject(end);
  expect(await world.result(id)).toEqual(comesTo);
  const done = [...steps.ran['job.first'], ...steps.ran['job.second']].map((one) => one.id.slice(id.length + 1));
  expect(done.toSorted()).toEqual(ran.toSorted());
  await until(async () => (await world.store.trace(`trace-${id}`, 'default')).every(({ state }) => isEnd(state)));
  expect(await world.view(`${id}.slow.1`)).toMatchObject({ state: 'CANCELLED' });
}
type Here = Awaited<ReturnType<typeof setUp>>;

describe.each(['hung', 'deaf'] as const)('%s', (mode) => {
  // One run cannot tell how many calls there are; it ends when an orchestrator got to the end without being struck.
  test.each(cases)(
    'at its first call, at its second, and so on: $workflow.name',
    async (which) => {
      const step = long ? 1 : 5;
      for (let n = 1; ; n += step) {
        const here = await setUp(which);
        const { world } = here;
        const one = await world.orchestrate();
        const id = await world.submit(which.workflow.topic, {});
        await world.signal(id, 'go', 7);
        // Counted in the call itself, so that the strike is exact.
        one.outage.onCall = (name) => {
          if (!(calls as readonly string[]).includes(name) || made(one) < n) return;
          one.outage.onCall = undefined;
          Object.assign(one.outage, { only: mode === 'deaf' ? calls : undefined, mode });
        };
        const struck = until(() => one.outage.mode === mode, { timeout: 10_000, interval: 1, message: 'the strike' });
        const over = world.ended(id);
        await Promise.race([struck, over]);
        if (one.outage.mode !== mode) {
          expect(n).toBeGreaterThan(20);
          return;
        }
        if (mode === 'deaf') await one.outage.quiet();
        one.strike();
        await world.orchestrate();
        await check(which, here, id);
        await world.close();
      }
    },
    long ? 300_000 : 120_000,
  );
});
