// The kernel as the scheduler sees it: how old a version may be, which of two is in force, and one answer that fails.
import { expect, test } from 'vitest';
import { CortexError } from '#core/errors.ts';
import { createEvents } from '#core/events.ts';
import type { PolicyVersion } from '#core/jobs/job.ts';
import { silentLog } from '#core/log.ts';
import { noopMetrics } from '#core/metrics/noop.ts';
import type { Checker } from '#core/policy/checker.ts';
import type { SchedulerEvent } from '../../../services/scheduler/deps.ts';
import { adoptMs, createKernel, freshMs } from '../../../services/scheduler/kernel.ts';
import { createFakeClock } from '../../helpers/clock.ts';

const version = (sequence: number, hash = `h${sequence}`): PolicyVersion => ({ sequence, hash });

function open(first: PolicyVersion | undefined = version(5)) {
  const clock = createFakeClock();
  let answer: (() => Promise<PolicyVersion>) | undefined = first && (() => Promise.resolve(first));
  let asked = 0;
  const checker: Checker = {
    async check(inputs) {
      asked++;
      if (answer === undefined) throw new CortexError('unavailable', 'nobody is there');
      return { policy: await answer(), verdicts: inputs.map(() => ({}) as never) };
    },
  };
  const events = createEvents<SchedulerEvent>();
  const kernel = createKernel({ checker, clock, events, log: silentLog, metrics: noopMetrics });
  let changes = 0;
  kernel.onChange(() => changes++);
  return {
    ...{ clock, kernel },
    asked: () => asked,
    changes: () => changes,
    say: (next: PolicyVersion | undefined) => void (answer = next && (() => Promise.resolve(next))),
    hang(): (next: PolicyVersion) => void {
      let resolve: (next: PolicyVersion) => void = () => undefined;
      const promise = new Promise<PolicyVersion>((done) => (resolve = done));
      answer = () => promise;
      return resolve;
    },
  };
}

test('it is asked three times a second, and names a version that is never older than a second', async () => {
  const { kernel, clock, asked, say } = open();
  expect(kernel.policy()).toBeUndefined();
  expect(kernel.problem()).toContain('not answered yet');
  await kernel.start();
  expect(kernel.policy()).toEqual(version(5));
  expect(kernel.problem()).toBe('');
  await clock.advance(10_000);
  expect(asked()).toBeGreaterThanOrEqual(30);
  expect(asked()).toBeLessThanOrEqual(36);
  say(undefined);
  await clock.advance(freshMs - 200);
  expect(kernel.problem()).toBe('nobody is there');
  await clock.advance(500);
  expect(kernel.policy()).toBeUndefined();
  expect(kernel.lastPolicy()).toEqual(version(5));
  kernel.stop();
});

test('a judgement tells the version as well: nobody asks beside a steady stream of them', async () => {
  const { kernel, clock, asked } = open();
  await kernel.start();
  for (let i = 0; i < 50; i++) {
    await kernel.judge([{} as never]);
    await clock.advance(100);
  }
  expect(asked()).toBe(51);
  kernel.stop();
});

test('while it is away a batch is told so at once, and nobody waits for a time-out of its own', async () => {
  const { kernel, clock, say, asked } = open();
  await kernel.start();
  say(undefined);
  expect(await kernel.judge([{} as never])).toEqual({ away: 'nobody is there' });
  const before = asked();
  expect(await kernel.judge([{} as never])).toEqual({ away: 'nobody is there' });
  expect(asked()).toBe(before);
  say(version(5));
  await clock.advance(600);
  expect(await kernel.judge([{} as never])).toEqual({ verdicts: [{}] });
  kernel.stop();
});

test('a question that hangs is not asked again beside itself; its answer is as old as the question', async () => {
  const { kernel, clock, hang, asked, say, changes } = open();
  await kernel.start();
  const answer = hang();
  await clock.advance(3_000);
  expect(asked()).toBe(2);
  expect(kernel.policy()).toBeUndefined();
  expect(kernel.problem()).toContain('for more than a second');
  answer(version(5));
  await clock.quiet();
  expect(kernel.policy()).toBeUndefined();
  say(version(5));
  const before = changes();
  await clock.advance(500);
  expect(kernel.policy()).toEqual(version(5));
  expect(changes()).toBeGreaterThan(before); // what waited for it is woken
  kernel.stop();
});

test('of two kernels behind one address the newer policy counts, and the older one confirms nothing', async () => {
  const { kernel, clock, say } = open(version(5));
  await kernel.start();
  say(version(6));
  await clock.advance(500);
  expect(kernel.policy()).toEqual(version(6));
  expect(kernel.outdated(version(5))).toBe(true);
  expect(kernel.outdated(version(5, 'h6'))).toBe(false);
  expect(kernel.outdated(version(6))).toBe(false);
  say(version(5));
  await clock.advance(freshMs + 200);
  expect(kernel.policy()).toBeUndefined();
  expect(kernel.lastPolicy()).toEqual(version(6));
  say(version(4, 'h6')); // another process with the same text
  await clock.advance(500);
  expect(kernel.policy()).toEqual(version(6));
  kernel.stop();
});

test('an older policy that alone is told for long enough is the one in force: the kernel was put back', async () => {
  const { kernel, clock, say } = open(version(9));
  await kernel.start();
  say(version(3));
  await clock.advance(adoptMs - 500);
  expect(kernel.policy()).toBeUndefined();
  await clock.advance(1_500);
  expect(kernel.policy()).toEqual(version(3));
  kernel.stop();
});

test('a foreign kernel, whose versions have no order, counts as it speaks', async () => {
  const { kernel, clock, say } = open(version(9));
  await kernel.start();
  say(version(0, 'theirs'));
  await clock.advance(500);
  expect(kernel.policy()).toEqual(version(0, 'theirs'));
  say(version(0, 'changed'));
  await clock.advance(500);
  expect(kernel.policy()).toEqual(version(0, 'changed'));
  kernel.stop();
});
