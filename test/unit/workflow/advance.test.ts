// The pure heart: whatever the workflow, whatever the order of what happens to it. A driver that does what a run wants, in any order, and
// writes down what ours writes down; then the same again from what was written down, cut anywhere.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { CortexError } from '#core/errors.ts';
import { advance, newRun, openOf, type Remembered, replay, type Run, sleepsOf } from '#core/workflow/advance.ts';
import { defineWorkflow, type Op, type WorkflowDefinition } from '#core/workflow/definition.ts';
import type { ChildEnd, Command, WorkflowEvent } from '#core/workflow/effects.ts';
import { lineOfCommand, lineOfEvent, parseLine } from '#core/workflow/lines.ts';
import { long } from '../../helpers/long.ts';
import { anyTree, task, type Tree, workflowOf } from './programs.ts';

const runs = long ? 20_000 : 1500;
const defaults = { maxRetries: 0 };

function end(key: string, attempt: number, how: number): ChildEnd {
  const common = { jobId: `run.${key}.${attempt}`, errorMessage: '', final: false, safetyReason: '' };
  if (how < 7)
    return { ...common, state: 'SUCCEEDED', errorCode: '', resultPtr: 'p', result: JSON.stringify(`${key} done`) };
  const [state, errorCode] = (
    [
      ['FAILED', 'unavailable'],
      ['FAILED', 'invalid_argument'],
      ['DENIED', ''],
    ] as const
  )[how - 7] ?? ['TIMEOUT', 'deadline_exceeded'];
  return { ...common, state, errorCode, resultPtr: '', result: null };
}

interface Driven {
  readonly run: Run;
  readonly memory: readonly Remembered[];
  /** What the run wanted, in order. */
  readonly commands: readonly Command[];
  readonly mostOpen: number;
}

/** Lets a run go on, choosing what happens next by the numbers, until it is over or they are used up. */
function drive(definition: WorkflowDefinition, choices: readonly number[], from?: Driven): Driven {
  let run = from?.run ?? newRun(definition, defaults);
  const memory = Array.from(from?.memory ?? []);
  const commands: Command[] = Array.from(from?.commands ?? []);
  let mostOpen = 0;
  let at = 1_000_000 + memory.length;
  let signals = run.signals;
  const tell = (event: WorkflowEvent): void => {
    const next = advance(run, event);
    if (next.commands === undefined) return;
    run = next.run;
    memory.push({ event, wanted: next.commands.flatMap((c) => lineOfCommand(c) ?? []) });
    commands.push(...next.commands);
    mostOpen = Math.max(mostOpen, openOf(run).length);
  };
  if (run.told === 0) tell({ type: 'begin', at, runId: 'run', workflowId: 'run', input: {} });
  for (const choice of choices) {
    if (run.outcome !== undefined) break;
    at++;
    const open = openOf(run);
    const sleeps = sleepsOf(run);
    const all = open.length + sleeps.length + 2;
    const pick = choice % all;
    const how = Math.floor(choice / 1000) % 11;
    const child = open[pick];
    const sleep = sleeps[pick - open.length];
    if (child !== undefined)
      tell({ type: 'end', at, key: child.key, attempt: child.attempt, end: end(child.key, child.attempt, how) });
    else if (sleep !== undefined) tell({ type: 'due', at: Math.max(at, sleep[1]), key: sleep[0] });
    else if (pick === all - 1 && how === 10)
      tell({ type: 'stop', at, error: new CortexError('canceled', 'told to stop') });
    else tell({ type: 'signal', at, index: signals++, name: how % 2 === 0 ? 'a' : 'b', value: how });
  }
  return { run, memory, commands, mostOpen };
}

const anyChoices = fc.array(fc.nat(1_000_000), { maxLength: 60 });

function outcomeOf(run: Run): unknown {
  const { outcome } = run;
  if (outcome === undefined || outcome.ok) return outcome;
  return { ok: false, error: outcome.error instanceof Error ? outcome.error.message : outcome.error };
}

const names = (run: Run): unknown => [openOf(run).map((c) => `${c.key}.${c.attempt}`), sleepsOf(run)];

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
        for (const c of commands) if (c.type === 'drop') expect(starts).toContain(`${c.key}.${c.attempt}`);
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
        const { run, commands } = drive(workflowOf(tree), choices);
        if (run.outcome === undefined) return;
        expect(run.outcome).toEqual({ ok: true, value: valueOf(tree, 'k') });
        expect(commands.some((c) => c.type === 'undo' || c.type === 'drop')).toBe(false);
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

const flow = (run: Parameters<typeof defineWorkflow>[0]['run']) =>
  defineWorkflow({ name: 'one', topic: 'job.workflow.one', input: z.unknown(), output: z.unknown(), run });

describe('undoing', () => {
  const saga = flow(function* (_, w) {
    for (const name of ['a', 'b', 'c']) {
      yield* w.run(name, task('job.do'), {});
      w.compensate(() => w.run(`undo-${name}`, task('job.undo'), {}));
    }
    return yield* w.run('last', task('job.do'), {});
  });
  /** Ends the open child, and the next, and so on. */
  const script = (...hows: readonly number[]): Pick<Driven, 'run' | 'commands'> => {
    let { run } = drive(saga, []);
    const commands: Command[] = [];
    for (const how of hows) {
      const [child] = openOf(run);
      if (child === undefined) throw new Error('nothing is open');
      const { key, attempt } = child;
      commands.push(child);
      run = advance(run, { type: 'end', at: 2_000_000, key, attempt, end: end(key, attempt, how) }).run;
    }
    return { run, commands };
  };

  test('the last first, with what failed as the failure', () => {
    const { commands, run } = script(0, 0, 0, 8, 0, 0, 0);
    expect(commands.flatMap((c) => (c.type === 'start' ? [c.key] : []))).toEqual([
      'a',
      'b',
      'c',
      'last',
      'undo-c',
      'undo-b',
      'undo-a',
    ]);
    expect(outcomeOf(run)).toMatchObject({ error: expect.stringMatching(/^last failed: /) as string });
  });

  test('one that fails does not keep the others, and is told', () => {
    const { run } = script(0, 0, 0, 8, 0, 8, 0);
    expect(outcomeOf(run)).toMatchObject({
      error: expect.stringMatching(/^last failed: .*; not undone: undo-b failed/) as string,
    });
  });

  test('a stop drops what is under way and undoes what was done', () => {
    const before = script(0, 0);
    const { run, commands } = advance(before.run, {
      type: 'stop',
      at: 2_000_000,
      error: new CortexError('canceled', 'enough'),
    });
    expect(commands?.map((c) => ('key' in c ? `${c.type} ${c.key}` : c.type))).toEqual([
      'drop c',
      'undo',
      'start undo-b',
    ]);
    expect(run.outcome).toBeUndefined();
  });
});

test('a generator that goes round without waiting is stopped', () => {
  const round = flow(function* (_, w) {
    for (;;) yield* w.all([]);
  });
  expect(() =>
    advance(newRun(round, defaults), { type: 'begin', at: 1, runId: 'r', workflowId: 'r', input: {} }),
  ).toThrow('goes round');
});

test('finally blocks of who loses a race are run, and may wait', () => {
  const race = flow(function* (_, w) {
    const slow = function* () {
      try {
        yield* w.run('slow', task('job.do'), {});
      } finally {
        yield* w.run('clean', task('job.clean'), {});
      }
    };
    const { name } = yield* w.race({ fast: w.run('fast', task('job.do'), {}), slow: slow() });
    return name;
  });
  let driven = drive(race, []);
  expect(openOf(driven.run).map((c) => c.key)).toEqual(['fast', 'slow']);
  driven = drive(race, [0], driven);
  expect(openOf(driven.run).map((c) => c.key)).toEqual(['clean']);
  driven = drive(race, [0], driven);
  expect(driven.run.outcome).toEqual({ ok: true, value: 'fast' });
});

test('a signal that the schema refuses is passed over; one that came early is kept', () => {
  const waits = flow(function* (_, w) {
    yield* w.run('first', task('job.do'), {});
    return yield* w.signal('go', z.object({ n: z.number() }));
  });
  let run = advance(newRun(waits, defaults), { type: 'begin', at: 1, runId: 'r', workflowId: 'r', input: {} }).run;
  const commands: Command[] = [];
  const tell = (event: WorkflowEvent): void => {
    const next = advance(run, event);
    run = next.run;
    commands.push(...(next.commands ?? []));
  };
  tell({ type: 'signal', at: 2, index: 0, name: 'go', value: { n: 'x' } });
  tell({ type: 'signal', at: 3, index: 1, name: 'go', value: { n: 1 } });
  tell({ type: 'end', at: 4, key: 'first', attempt: 1, end: end('first', 1, 0) });
  expect(run.outcome).toEqual({ ok: true, value: { n: 1 } });
  expect(commands.map((c) => c.type)).toEqual(['wait', 'refuse']);
});

test('a signal whose taker is told to stop in the same moment is for the next one', () => {
  const waits = flow(function* (_, w) {
    yield* w.run('first', task('job.do'), {});
    const now = function* (): Op<void> {
      yield* [];
    };
    yield* w.race({ go: w.signal('go', z.unknown()), now: now() });
    return yield* w.signal('go', z.unknown());
  });
  let { run } = advance(newRun(waits, defaults), { type: 'begin', at: 1, runId: 'r', workflowId: 'r', input: {} });
  ({ run } = advance(run, { type: 'signal', at: 2, index: 0, name: 'go', value: 7 }));
  ({ run } = advance(run, { type: 'end', at: 3, key: 'first', attempt: 1, end: end('first', 1, 0) }));
  expect(run.outcome).toEqual({ ok: true, value: 7 });
});

test.each([999, Number.POSITIVE_INFINITY, Number.NaN, 24 * 3_600_000 + 1])('a sleep of %s ms is refused', (ms) => {
  const sleeps = flow((_, w) => w.sleep('nap', ms));
  const { run } = advance(newRun(sleeps, defaults), { type: 'begin', at: 1, runId: 'r', workflowId: 'r', input: {} });
  expect(outcomeOf(run)).toMatchObject({ error: `nap sleeps for ${ms} ms: 1,000 to 86400000 may be` });
});

test('a retry and the step in it may have one key: the pauses of both are apart', () => {
  const retries = flow((_, w) =>
    w.retry('pay', { tries: 3 }, (n) => w.run(n === 1 ? 'pay' : `pay-${n}`, task('job.do'), {}, { maxRetries: 1 })),
  );
  let { run } = advance(newRun(retries, defaults), { type: 'begin', at: 1, runId: 'r', workflowId: 'r', input: {} });
  for (const attempt of [1, 2]) {
    ({ run } = advance(run, { type: 'end', at: 2, key: 'pay', attempt, end: end('pay', attempt, 7) }));
    const [key] = sleepsOf(run)[0] ?? [''];
    ({ run } = advance(run, { type: 'due', at: 5000, key }));
  }
  expect(openOf(run).map(({ key }) => key)).toEqual(['pay-2']);
});

test('very many side by side take no time in their square', () => {
  const n = 20_000;
  const wide = flow((_, w) =>
    w.race({
      a: w.run('a', task('job.do'), {}),
      b: w.all(Array.from({ length: n }, () => w.signal('go', z.unknown()))),
      c: w.all(Array.from({ length: n }, (_x, i) => w.run(`s-${i}`, task('job.do'), {}))),
    }),
  );
  let { run } = advance(newRun(wide, defaults), { type: 'begin', at: 1, runId: 'r', workflowId: 'r', input: {} });
  expect(openOf(run)).toHaveLength(n + 1);
  ({ run } = advance(run, { type: 'end', at: 2, key: 'a', attempt: 1, end: end('a', 1, 0) }));
  expect(run.outcome?.ok).toBe(true);
});
