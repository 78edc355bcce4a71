// Progress is thinned out: four a second at most, one under way at a time, the newest wins, the last always goes.
import { expect, test } from 'vitest';
import { createProgress, type ProgressReport } from '../../../services/worker/progress.ts';
import { createFakeClock, settle } from '../../helpers/clock.ts';

function setUp(send: () => Promise<void> = () => Promise.resolve()) {
  const clock = createFakeClock();
  const sent: [number, ProgressReport][] = [];
  const progress = createProgress({
    clock,
    send: (report) => {
      sent.push([clock.monotonic(), report]);
      return send();
    },
  });
  return { clock, sent, progress };
}

test('the first goes at once, then the newest every 250 ms', async () => {
  const { clock, sent, progress } = setUp();
  for (let ms = 0; ms <= 1000; ms += 10) {
    progress.report(ms / 10, `at ${ms}`);
    await clock.advance(10);
  }
  expect(sent.map(([at, { percent }]) => [at, percent])).toEqual([
    [0, 0],
    [250, 24],
    [500, 49],
    [750, 74],
    [1000, 99],
  ]);
});

test('the last one goes at the flush, and nothing after it', async () => {
  const { clock, sent, progress } = setUp();
  for (const percent of [1, 2, 100]) progress.report(percent, '');
  await progress.flush();
  progress.report(5, 'too late');
  await clock.advance(1000);
  expect(sent.map(([, { percent }]) => percent)).toEqual([1, 100]);
  expect(clock.waiting).toBe(0);
});

test('while one is under way the others wait, and the flush waits for it', async () => {
  const gate = Promise.withResolvers<void>();
  const { clock, sent, progress } = setUp(() => gate.promise);
  progress.report(1, '');
  await clock.advance(1000);
  progress.report(2, '');
  progress.report(3, '');
  let flushed = false;
  const flush = progress.flush().then(() => {
    flushed = true;
  });
  await settle();
  expect([sent.length, flushed]).toEqual([1, false]);
  gate.resolve();
  await flush;
  expect(sent.map(([, { percent }]) => percent)).toEqual([1, 3]);
});

test('closing drops what waits', async () => {
  const { clock, sent, progress } = setUp();
  progress.report(1, '');
  progress.report(2, '');
  progress.close();
  await clock.advance(1000);
  expect([sent.length, clock.waiting]).toEqual([1, 0]);
});

test.each([
  [-3, 0],
  [33.4, 33],
  [1e9, 100],
  [Number.NaN, 0],
])('%d percent is told as %d', async (percent, told) => {
  const { sent, progress } = setUp();
  progress.report(percent, 'm'.repeat(600));
  await progress.flush();
  expect(sent.map(([, report]) => report)).toEqual([{ percent: told, message: 'm'.repeat(500) }]);
});
