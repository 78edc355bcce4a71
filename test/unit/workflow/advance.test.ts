// The pure heart: whatever the workflow, whatever the order of what happens to it; then the same again from what was written down, cut
// anywhere. What single operations do is machine.test.ts.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CortexError } from '#core/errors.ts';
import { advance, haltedOf, newRun, openOf, replay, type Run, sleepsOf } from '#core/workflow/advance.ts';
import { lineOfEvent, parseLine } from '#core/workflow/lines.ts';
import { long } from '../../helpers/long.ts';
import { defaults, drive, finish, outcomeOf } from './drive.ts';
import { anyTree, type Tree, workflowOf } from './programs.ts';

const runs = long ? 20_000 : 1500;

const anyChoices = fc.array(fc.nat(1_000_000), { maxLength: 60 });

const names = (run: Run): unknown => [
  openOf(run).map((c) => `${c.key}.${c.attempt}`),
  Array.from(haltedOf(run)),
  sleepsOf(run),
];

describe('any workflow, any order of events', () => {
  test('the same run and event give the same, however often and whenever they are asked', () => {
    fc.assert(
      fc.property(anyTree, anyChoices, anyChoices, (tree, one, two) => {
        const definition = workflowOf(tree);
        const first = drive(definition, one);
        // Two ways from one run: neither disturbs the other, and each is what it is from the begin.
        const left = drive(definition, two, first);
        const right = drive(definition, two.toReversed(), first);
        const again = drive(definition, two, first);
        expect(outcomeOf(again.run)).toEqual(outcomeOf(left.run));
        expect(again.commands).toEqual(left.commands);
        expect(names(again.run)).toEqual(names(left.run));
        expect(right.memory.slice(0, first.memory.length)).toEqual(first.memory);
      }),
      { numRuns: runs },
    );
  });

  test('a replay from what was written down, cut anywhere, goes on as the run itself did', () => {
    fc.assert(
      fc.property(anyTree, anyChoices, anyChoices, fc.nat(), (tree, one, two, cut) => {
        const definition = workflowOf(tree);
        const whole = drive(definition, one);
        const written = whole.memory.slice(0, 1 + (cut % whole.memory.length));
        const replayed = replay(newRun(workflowOf(tree), defaults), written);
        if (!replayed.ok) throw replayed.error;
        const live = written.reduce((run, { event }) => advance(run, event).run, newRun(definition, defaults));
        expect(names(replayed.value)).toEqual(names(live));
        const [a, b] = [replayed.value, live].map((run) =>
          drive(definition, two, { run, memory: written, commands: [], mostOpen: 0 }),
        );
        expect(a?.commands).toEqual(b?.commands);
        expect(outcomeOf(a?.run as Run)).toEqual(outcomeOf(b?.run as Run));
      }),
      { numRuns: runs },
    );
  });

  test('no child is wanted twice, none after the end, and none is left open by it', () => {
    fc.assert(
      fc.property(anyTree, anyChoices, (tree, choices) => {
        const { run, commands } = drive(workflowOf(tree), choices);
        const starts = commands.flatMap((c) => (c.type === 'start' ? [`${c.key}.${c.attempt}`] : []));
        expect(new Set(starts).size).toBe(starts.length);
        for (const c of commands) {
          if (c.type === 'drop' || c.type === 'halt') expect(starts).toContain(`${c.key}.${c.attempt}`);
        }
        const open = openOf(run).map(({ key, attempt }) => `${key}.${attempt}`);
        for (const name of haltedOf(run).keys()) expect(open).toContain(name);
        if (run.outcome === undefined) return;
        expect(openOf(run)).toEqual([]);
        expect(sleepsOf(run)).toEqual([]);
        const late = advance(run, { type: 'stop', at: 9_999_999, error: new CortexError('canceled', '') });
        expect(late.commands).toBeUndefined();
      }),
      { numRuns: runs },
    );
  });

  test('with nothing but success it comes to what its tree says', () => {
    const noRace = anyTree.filter((tree) => !has(tree, ['race', 'timeout']));
    fc.assert(
      fc.property(noRace, fc.array(fc.nat(999), { minLength: 300, maxLength: 300 }), (tree, choices) => {
        // Numbers below 1,000 end every child well; signals come as often as they are needed.
        const definition = workflowOf(tree);
        const { run, commands } = finish(definition, drive(definition, choices));
        expect(run.outcome).toEqual({ ok: true, value: valueOf(tree, 'k') });
        expect(commands.some((c) => ['undo', 'drop', 'halt'].includes(c.type))).toBe(false);
      }),
      { numRuns: runs },
    );
  });

  test('a map has no more under way than its limit', () => {
    const map = fc.record({ limit: fc.integer({ min: 1, max: 5 }), n: fc.integer({ min: 0, max: 30 }) });
    fc.assert(
      fc.property(map, anyChoices, ({ limit, n }, choices) => {
        const of = Array.from({ length: n }, () => ({ op: 'run', retries: 0, go: true }) as const);
        expect(drive(workflowOf({ op: 'map', limit, of }), choices).mostOpen).toBeLessThanOrEqual(limit);
      }),
    );
  });

  test('a step that changed is named when the run is replayed', () => {
    fc.assert(
      fc.property(anyTree, anyChoices, fc.nat(), fc.boolean(), (tree, choices, which, topic) => {
        const { memory, commands } = drive(workflowOf(tree), choices);
        const keys = commands.flatMap((c) => (c.type === 'start' && c.topic === 'job.step' ? [c.key] : []));
        const key = keys[which % Math.max(1, keys.length)];
        if (key === undefined) return;
        const change = topic ? { key, topic: 'job.other' } : { key, input: 'another' };
        const replayed = replay(newRun(workflowOf(tree, change), defaults), memory);
        expect(replayed.ok).toBe(false);
        if (!replayed.ok) expect(replayed.error.message).toContain(`step ${key} (job.step)`);
      }),
      { numRuns: runs },
    );
  });

  test('what is written down is read as it was', () => {
    fc.assert(
      fc.property(anyTree, anyChoices, (tree, choices) => {
        for (const { event, wanted } of drive(workflowOf(tree), choices).memory) {
          for (const line of wanted) expect(parseLine(JSON.stringify(line))).toEqual(line);
          if (event.type === 'begin') continue;
          const line = lineOfEvent(event);
          expect(parseLine(JSON.stringify(line))).toEqual(line);
        }
      }),
      { numRuns: 300 },
    );
  });
});

function has(tree: Tree, ops: readonly string[]): boolean {
  if (ops.includes(tree.op)) return true;
  if (!('of' in tree)) return false;
  return (Array.isArray(tree.of) ? (tree.of as Tree[]) : [tree.of as Tree]).some((one) => has(one, ops));
}

/** What a tree comes to when all goes well; a signal's value is whatever was sent. */
function valueOf(tree: Tree, key: string): unknown {
  switch (tree.op) {
    case 'run':
      return `${key} done`;
    case 'sleep':
      return `${key} slept`;
    case 'signal':
      return expect.anything();
    case 'try':
    case 'undo':
    case 'timeout':
      return valueOf(tree.of, `${key}-0`);
    default:
      return tree.of.map((one, i) => valueOf(one, `${key}-${i}`));
  }
}
