// Every pair of states of the table, by every operation that leads to the second one: what the table allows happens, what it does not
// allow is refused and changes nothing, and a second time nothing happens twice.
import { describe, expect, test } from 'vitest';
import { edges, isEnd, type JobState, mayGo, states } from '#core/jobs/state.ts';
import type { Rig, Subject } from './rig.ts';
import { bring, steps } from './steps.ts';

const registrationOf = ({ worker, instance, pool }: Subject) => ({
  worker,
  instance,
  pool,
  capacity: 1,
  aliveMs: 10_000,
});

/** What changes no state, on a job in which it has something to do, `waitMs` after it came there. Steps of the table are in steps.ts. */
const words: Readonly<
  Record<string, { from: JobState; waitMs: number; say: (rig: Rig, job: Subject) => Promise<unknown> }>
> = {
  renew: {
    ...{ from: 'RUNNING', waitMs: 500 },
    say: (rig, job) => rig.store.renew([{ ...registrationOf(job), leaseMs: 4000, jobs: [rig.keyOf(job)] }]),
  },
  progress: {
    ...{ from: 'RUNNING', waitMs: 0 },
    say: (rig, job) => rig.store.progress([{ ...rig.keyOf(job), percent: 50, message: 'half' }]),
  },
  output: {
    ...{ from: 'RUNNING', waitMs: 0 },
    say: (rig, job) => rig.store.output([{ ...rig.keyOf(job), at: 0, text: 'a word' }]),
  },
  stopped: {
    ...{ from: 'CANCELLED', waitMs: 500 },
    say: (rig, job) => rig.store.stopped([{ ...rig.keyOf(job), worker: job.worker }]),
  },
  register: { from: 'SCHEDULED', waitMs: 0, say: (rig, job) => rig.store.register(registrationOf(job)) },
  unregister: { from: 'RUNNING', waitMs: 0, say: (rig, job) => rig.store.unregister(job.worker, job.instance) },
  due: { from: 'RUNNING', waitMs: 5000, say: (rig) => rig.store.due(10, 1000) },
  announced: { from: 'SUCCEEDED', waitMs: 0, say: (rig, job) => rig.store.announced([job]) },
};

export function pairs(open: () => Promise<Rig>): void {
  describe('the table', () => {
    test('every edge has an operation, and no operation is meant where there is no edge', () => {
      const meant = steps.flatMap(({ to, from }) => from.map((f) => `${f}>${to}`));
      const allowed = Object.entries(edges).flatMap(([from, tos]) => tos.map((to) => `${from}>${to}`));
      expect(allowed.filter((edge) => !meant.includes(edge))).toEqual([]);
      expect(meant.filter((edge) => !allowed.includes(edge))).toEqual([]);
    });

    test.each(['none', ...states] as const)('from %s', async (from: JobState | 'none') => {
      for (const step of steps) {
        const rig = await open();
        const job = await bring(rig, step, from);
        expect(await rig.stateOf(job), step.name).toBe(from);
        const before = await rig.snapshot();
        const told = rig.events.length;
        const done = await step.run(rig, job, from);
        const after = await rig.stateOf(job);
        if (step.from.includes(from)) {
          expect({ step: step.name, done, after }).toEqual({ step: step.name, done: true, after: step.to });
          expect(mayGo(from, step.to)).toBe(true);
          expect(rig.events.slice(told).map(({ job: id, state }) => ({ id, state }))).toEqual([
            { id: job.id, state: step.to },
          ]);
        } else {
          // The same step again may be answered as done; anything else is refused.
          if (from !== step.to) expect({ step: step.name, done }).toEqual({ step: step.name, done: false });
          expect(await rig.snapshot(), step.name).toBe(before);
          expect(rig.events.length, step.name).toBe(told);
        }
      }
    });

    test.each(steps.filter(({ from }) => from.length > 0).map((step) => [step.name, step] as const))(
      'twice: %s',
      async (_, step) => {
        for (const from of step.from) {
          const rig = await open();
          const job = await bring(rig, step, from);
          const again = { ...job };
          expect(await step.run(rig, job, from)).toBe(true);
          const state = await rig.stateOf(job);
          const snapshot = await rig.snapshot(true);
          await step.run(rig, again, from);
          expect(await rig.stateOf(job)).toBe(state);
          expect(await rig.snapshot(true)).toBe(snapshot);
        }
      },
    );

    test.each(Object.entries(words))('said twice: %s', async (_, { from, waitMs, say }) => {
      const rig = await open();
      const job = await rig.in(from);
      rig.advance(waitMs);
      const before = await rig.snapshot(true);
      await say(rig, job);
      const once = await rig.snapshot(true);
      expect(once, 'the first time it does something').not.toBe(before);
      const told = rig.events.length;
      // The clock stands still, so that not even times may differ.
      await say(rig, job);
      expect(await rig.snapshot(true)).toBe(once);
      expect(rig.events.length).toBe(told);
    });

    test('an end is the end: one event, no live key left, and the store says how it ended', async () => {
      const rig = await open();
      for (const to of states.filter(isEnd)) {
        const job = await rig.in(to);
        const ended = rig.one(await rig.store.end([rig.endOf(job, 'CANCELLED')]));
        expect(ended).toMatchObject({ outcome: 'already', state: to, end: { id: job.id, state: to } });
        expect(rig.events.filter((e) => e.job === job.id && isEnd(e.state))).toHaveLength(1);
      }
    });
  });
}
