// What single operations come to, told event by event: undoing, stopping, signals, sleeps, and workflows that are wrong.
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { CortexError } from '#core/errors.ts';
import { advance, haltedOf, newRun, openOf, sleepsOf } from '#core/workflow/advance.ts';
import { defineWorkflow, type Op } from '#core/workflow/definition.ts';
import type { Command, WorkflowEvent } from '#core/workflow/effects.ts';
import { defaults, drive, type Driven, end, outcomeOf } from './drive.ts';
import { task } from './programs.ts';

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

const begun = { type: 'begin', at: 1, runId: 'r', workflowId: 'r', input: {} } as const;
/** An end of the run `r`. */
const endIn = (key: string, how: number, attempt = 1): WorkflowEvent => ({
  ...{ type: 'end', at: 4, key, attempt, end: { ...end(key, attempt, how), jobId: `r.${key}.${attempt}` } },
});

test('a generator that goes round without waiting is stopped, and what was done is undone', () => {
  const round = flow(function* (_, w) {
    w.compensate(() => w.run('undo', task('job.undo'), {}));
    for (;;) yield* w.all([]);
  });
  let { run } = advance(newRun(round, defaults), begun);
  expect(openOf(run).map(({ key }) => key)).toEqual(['undo']);
  ({ run } = advance(run, endIn('undo', 0)));
  expect(outcomeOf(run)).toMatchObject({ error: expect.stringContaining('goes round') as string });
});

test('one that goes round while it is undone is given up', () => {
  const round = flow(function* (_, w) {
    w.compensate(function* () {
      for (;;) yield* w.all([]);
    });
    yield* [];
    throw new Error('it failed');
  });
  expect(() => advance(newRun(round, defaults), begun)).toThrow('goes round');
});

test('to wait for what cannot be waited for fails whoever does it, and nobody else', () => {
  const odd = flow(function* (_, w) {
    try {
      yield 7 as never;
    } catch (error) {
      return [error instanceof TypeError, (yield* w.run('on', task('job.do'), {})).value];
    }
    return undefined;
  });
  let { run } = advance(newRun(odd, defaults), begun);
  ({ run } = advance(run, endIn('on', 0)));
  expect(run.outcome).toEqual({ ok: true, value: [true, 'on done'] });
});

describe('a run below this one', () => {
  const below = task('job.workflow.below');

  test('is told to stop where another step is dropped, and waited for before anything is undone', () => {
    const saga = flow(function* (_, w) {
      yield* w.run('a', task('job.do'), {});
      w.compensate(() => w.run('undo-a', task('job.undo'), {}));
      yield* w.all([w.run('inner', below, {}), w.run('other', task('job.do'), {})]);
    });
    let { run } = advance(newRun(saga, defaults), begun);
    ({ run } = advance(run, endIn('a', 0)));
    const stopped = advance(run, { type: 'stop', at: 5, error: new CortexError('canceled', 'enough') });
    expect(stopped.commands?.map((c) => ('key' in c ? `${c.type} ${c.key}` : c.type))).toEqual([
      'halt inner',
      'drop other',
    ]);
    expect(stopped.run.failing).toBe(true);
    expect(openOf(stopped.run).map(({ key }) => key)).toEqual(['inner']);
    expect(Array.from(haltedOf(stopped.run))).toEqual([['inner.1', 5]]);
    const undone = advance(stopped.run, endIn('inner', 8));
    expect(undone.commands?.map((c) => ('key' in c ? `${c.type} ${c.key}` : c.type))).toEqual(['undo', 'start undo-a']);
    ({ run } = advance(undone.run, endIn('undo-a', 0)));
    expect(outcomeOf(run)).toEqual({ ok: false, error: 'enough' });
  });

  test('that loses a race is over before who won goes on, whatever it comes to', () => {
    const race = flow(function* (_, w) {
      const { name } = yield* w.race({ inner: w.run('inner', below, {}), fast: w.run('fast', task('job.do'), {}) });
      return name;
    });
    let { run } = advance(newRun(race, defaults), begun);
    ({ run } = advance(run, endIn('fast', 0)));
    expect(run.outcome).toBeUndefined();
    ({ run } = advance(run, endIn('inner', 0)));
    expect(run.outcome).toEqual({ ok: true, value: 'fast' });
  });
});

test('what is kept of another run and of no use is done again, as the first of its tries', () => {
  const picky = flow(function* (_, w) {
    const number = { ...task('job.do'), output: z.number() };
    return (yield* w.run('a', number, {}, { maxRetries: 1 })).value;
  });
  let { run } = advance(newRun(picky, defaults), begun);
  const kept = { ...end('a', 1, 0), jobId: 'other.a.1', kept: true as const };
  ({ run } = advance(run, { type: 'end', at: 2, key: 'a', attempt: 1, end: kept }));
  expect(openOf(run).map(({ attempt }) => attempt)).toEqual([2]);
  ({ run } = advance(run, endIn('a', 7, 2)));
  expect(sleepsOf(run)).toEqual([['a~2', 1004]]);
  ({ run } = advance(run, { type: 'due', at: 5000, key: 'a~2' }));
  const third = { ...end('a', 3, 0), jobId: 'r.a.3', result: '3' };
  ({ run } = advance(run, { type: 'end', at: 5001, key: 'a', attempt: 3, end: third }));
  expect(run.outcome).toEqual({ ok: true, value: 3 });
});

test('a run that is stopped fails from then on, while its finally blocks are run', () => {
  const cleans = flow(function* (_, w) {
    try {
      return yield* w.signal('never', z.unknown());
    } finally {
      yield* w.run('clean', task('job.clean'), {});
    }
  });
  let { run } = advance(newRun(cleans, defaults), begun);
  expect(run.failing).toBe(false);
  ({ run } = advance(run, { type: 'stop', at: 2, error: new CortexError('canceled', 'enough') }));
  expect(openOf(run).map(({ key }) => key)).toEqual(['clean']);
  expect(run.failing).toBe(true);
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

test('a signal for which the schema throws is passed over as well', () => {
  const waits = flow((_, w) =>
    w.signal(
      'go',
      z.string().transform((text) => new URL(text).host),
    ),
  );
  let { run } = advance(newRun(waits, defaults), begun);
  const refused = advance(run, { type: 'signal', at: 2, index: 0, name: 'go', value: 'no address' });
  expect(refused.commands).toEqual([{ type: 'refuse', index: 0, name: 'go', why: 'Invalid URL' }]);
  ({ run } = advance(refused.run, { type: 'signal', at: 3, index: 1, name: 'go', value: 'http://a/' }));
  expect(run.outcome).toEqual({ ok: true, value: 'a' });
});

test('signals that are given back keep their order', () => {
  const waits = flow(function* (_, w) {
    yield* w.run('first', task('job.do'), {});
    const fails = function* (): Op<void> {
      yield* [];
      throw new CortexError('internal', 'it failed');
    };
    const go = (): Op<unknown> => w.signal('go', z.unknown());
    try {
      yield* w.all([go(), go(), fails()]);
    } catch {
      // Both signals had a taker.
    }
    return [yield* go(), yield* go(), yield* go()];
  });
  let { run } = advance(newRun(waits, defaults), begun);
  for (const [index, value] of ['first', 'second', 'third'].entries()) {
    ({ run } = advance(run, { type: 'signal', at: 2, index, name: 'go', value }));
  }
  ({ run } = advance(run, endIn('first', 0)));
  expect(run.outcome).toEqual({ ok: true, value: ['first', 'second', 'third'] });
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
