// Every pair of states of the table, by every operation that leads to the second one: what the table allows happens, what it does not
// allow is refused and changes nothing, and a second time nothing happens twice.
import { describe, expect, test } from 'vitest';
import { edges, isEnd, type JobState, mayGo, states } from '#core/jobs/state.ts';
import type { Rig } from './rig.ts';
import { bring, steps } from './steps.ts';

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
