// The small parts by themselves: batches, holds, silences, loops, and the two configuration files together.
import type { FoundFile } from '#core/process/config-file.ts';
import { describe, expect, test } from 'vitest';
import { EnvError } from '#core/process/env.ts';
import { createBatches } from '../../../services/scheduler/batches.ts';
import { parseSchedulerFiles } from '../../../services/scheduler/config.ts';
import { createHolds, longestHoldMs } from '../../../services/scheduler/holds.ts';
import { createLoop, every } from '../../../services/scheduler/loop.ts';
import { createSilences } from '../../../services/scheduler/silence.ts';
import { createFakeClock, settle } from '../../helpers/clock.ts';

describe('batches', () => {
  test('gather a turn, and what comes during a call, in order and one call at a time', async () => {
    const seen: number[][] = [];
    const gates: (() => void)[] = [];
    const batches = createBatches<number>({
      max: 3,
      most: 100,
      run: (items) => {
        seen.push([...items]);
        return new Promise((resolve) => gates.push(resolve));
      },
      onError: () => undefined,
    });
    for (const item of [0, 1]) expect(batches.push(item)).toBe(true);
    expect(seen).toEqual([]);
    await settle();
    for (const item of [2, 3, 4, 5]) batches.push(item);
    await settle();
    expect(seen).toEqual([[0, 1]]);
    const idle = batches.idle();
    for (let i = 0; i < 3; i++) {
      gates[i]?.();
      await settle();
    }
    await idle;
    expect(seen).toEqual([[0, 1], [2, 3, 4], [5]]);
  });

  test('wait for company where nobody waits for them, but not for ever and not at the end', async () => {
    const clock = createFakeClock();
    const seen: (readonly number[])[] = [];
    const batches = createBatches<number>({
      ...{ max: 3, most: 100, linger: { clock, ms: 25 }, onError: () => undefined },
      run: async (items) => void seen.push(items),
    });
    batches.push(0);
    await clock.advance(20);
    batches.push(1);
    expect(seen).toEqual([]);
    await clock.advance(5);
    expect(seen).toEqual([[0, 1]]);
    for (const item of [2, 3, 4]) batches.push(item); // full: nothing to wait for
    await settle();
    expect(seen[1]).toEqual([2, 3, 4]);
    await clock.advance(25);
    batches.push(5);
    await batches.idle();
    expect(seen[2]).toEqual([5]);
    await clock.advance(100);
    expect(seen).toHaveLength(3);
  });

  test('take no more than they may hold, and make room when it is done', async () => {
    let release: () => void = () => undefined;
    const batches = createBatches<number>({
      max: 10,
      most: 100,
      weigh: (n) => n,
      run: () => new Promise((resolve) => (release = resolve)),
      onError: () => undefined,
    });
    expect([60, 30, 20, 10].map((n) => batches.push(n))).toEqual([true, true, false, true]);
    await settle();
    expect(batches.push(1)).toBe(false);
    release();
    await batches.idle();
    expect(batches.push(100)).toBe(true);
  });

  test('go on after a call that failed, and tell which items were in it', async () => {
    const failed: (readonly number[])[] = [];
    const done: number[] = [];
    const batches = createBatches<number>({
      max: 2,
      most: 100,
      async run(items) {
        if (items.includes(0)) throw new Error('no');
        done.push(...items);
      },
      onError: (_error, items) => void failed.push(items),
    });
    for (let i = 0; i < 6; i++) batches.push(i);
    await batches.idle();
    expect(failed).toEqual([[0, 1]]);
    expect(done).toEqual([2, 3, 4, 5]);
    await batches.idle(); // at once
  });
});

test('holds are short for few jobs, longer for many, and short again', async () => {
  const clock = createFakeClock();
  const holds = createHolds(clock);
  expect([holds(0), holds(5_000)]).toEqual([1_000, 5_000]);
  const second = (n: number): number => {
    clock.jump(1_000);
    let last = 0;
    for (let i = 0; i < n; i++) last = holds(0);
    return last;
  };
  expect([second(100), second(3_000), second(3_000), second(3_000)]).toEqual([1_000, 1_000, 2_000, 4_000]);
  for (let i = 0; i < 10; i++) second(3_000);
  expect(second(1)).toBe(longestHoldMs);
  for (let i = 0; i < 10; i++) second(1);
  expect(second(1)).toBe(1_000);
});

test('a silent topic is tried by one job at a time, less and less often, until one is not refused', async () => {
  const clock = createFakeClock();
  let woken = 0;
  const silences = createSilences(clock, () => woken++);
  const topic = 'topic:job.a';
  expect(silences.allowed(topic)).toBe(Number.POSITIVE_INFINITY);
  for (let i = 0; i < 5; i++) silences.none(topic); // five went out together
  const pauses: number[] = [];
  for (let i = 0; i < 5; i++) {
    const from = clock.monotonic();
    while (silences.allowed(topic) === 0) await clock.advance(100);
    pauses.push(clock.monotonic() - from);
    expect(silences.allowed(topic)).toBe(1);
    silences.tried(topic);
    expect(silences.allowed(topic)).toBe(0);
    await clock.advance(1);
    silences.none(topic);
  }
  expect(pauses).toEqual([1_000, 2_000, 4_000, 5_000, 5_000]);
  expect(woken).toBe(5);
  await clock.advance(5_000);
  silences.tried(topic);
  await clock.advance(250);
  expect(silences.allowed(topic)).toBe(Number.POSITIVE_INFINITY);
  silences.none(topic);
  silences.over(['job.b', 'job.a']);
  expect(silences.allowed(topic)).toBe(Number.POSITIVE_INFINITY);
});

describe('a loop', () => {
  test('runs once for many wakes, once more for wakes during a run, and never twice at once', async () => {
    let runs = 0;
    let inside = 0;
    let release: () => void = () => undefined;
    const loop = createLoop(
      async () => {
        runs++;
        expect(++inside).toBe(1);
        await new Promise<void>((resolve) => (release = resolve));
        inside--;
      },
      () => undefined,
    );
    for (let i = 0; i < 5; i++) loop.wake();
    await settle();
    expect(runs).toBe(1);
    for (let i = 0; i < 5; i++) loop.wake();
    release();
    await settle();
    expect(runs).toBe(2);
    const stopped = loop.stop();
    loop.wake();
    release();
    await stopped;
    await settle();
    expect(runs).toBe(2);
  });

  test('goes on after what a run throws', async () => {
    const errors: unknown[] = [];
    let runs = 0;
    const loop = createLoop(
      () => (runs++ === 0 ? Promise.reject(new Error('no')) : Promise.resolve()),
      (error) => void errors.push(error),
    );
    loop.wake();
    await settle();
    loop.wake();
    await settle();
    expect([runs, errors.length]).toEqual([2, 1]);
  });

  test('a beat beats until it is stopped', async () => {
    const clock = createFakeClock();
    let beats = 0;
    const stop = every(clock, 1_000, () => beats++);
    await clock.advance(3_500);
    expect(beats).toBe(3);
    stop();
    await clock.advance(5_000);
    expect(beats).toBe(3);
    expect(clock.waiting).toBe(0);
  });
});

describe('the two files', () => {
  const good = { path: 'p.yaml', text: 'topics: {job.a: p}' };

  test('a file of time-outs that is not there means the built-in ones', () => {
    const files = parseSchedulerFiles({ pools: good, timeouts: { path: 't.yaml', text: undefined } });
    expect(files.timeouts.scanIntervalMs).toBe(30_000);
    expect(files.pools.topics.get('job.a')).toBe('p');
  });

  const absent: FoundFile = { path: 't.yaml', text: undefined };
  const file = (path: string, text: string | undefined, fault?: string): FoundFile => ({
    path,
    text,
    ...(fault !== undefined && { fault }),
  });
  test.each<readonly [string, FoundFile, FoundFile, readonly RegExp[]]>([
    [
      'slips in both',
      file('p.yaml', 'topics: {job.a: ""}'),
      file('t.yaml', 'reconciler: {x: 1}'),
      [/^p\.yaml: topics\.job\.a: /, /^t\.yaml: reconciler\.x: /],
    ],
    ['no YAML', file('p.yaml', 'topics: {a: ['), file('t.yaml', 'x: {'), [/^p\.yaml: /, /^t\.yaml: /]],
    ['an empty file of pools', file('p.yaml', ''), file('t.yaml', ''), [/^p\.yaml: /]],
    ['no file of pools', file('p.yaml', undefined), absent, [/^POOL_CONFIG_PATH: there is no file p\.yaml/]],
    [
      'files that cannot be read',
      file('p.yaml', undefined, 'EISDIR'),
      file('t.yaml', undefined, 'EACCES'),
      [/^POOL_CONFIG_PATH: p\.yaml cannot be read: EISDIR/, /^TIMEOUT_CONFIG_PATH: t\.yaml cannot be read: EACCES/],
    ],
  ])('%s: every problem, with its file', (_name, pools, timeouts, problems) => {
    let thrown: unknown;
    try {
      parseSchedulerFiles({ pools, timeouts });
    } catch (error) {
      thrown = error;
    }
    if (!(thrown instanceof EnvError)) throw new Error('nothing was thrown');
    expect(thrown.problems).toHaveLength(problems.length);
    for (const [i, problem] of problems.entries()) {
      expect(thrown.problems[i]).toMatch(problem);
      expect(thrown.problems[i]).not.toContain('\n');
    }
  });
});
