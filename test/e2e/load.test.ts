// Load on the whole system without faults: two schedulers, instant workers, our own and one that speaks the bus alone. The original lost
// 11 to 15% of results here.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { capPeer, JobStatus } from '../helpers/e2e/cap.ts';
import { startSystem, type System } from '../helpers/e2e/system.ts';
import { endedOnce, quiet, ran } from '../helpers/e2e/truth.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem({ schedulers: 2 });
  await Promise.all([system.worker('job.test.quick', 'quick-1', 16), system.worker('job.test.quick', 'quick-2', 16)]);
}, 60_000);
afterAll(() => system.stop());

test('3,000 jobs, two schedulers, instant workers: each runs once and ends once', { timeout: 90_000 }, async () => {
  const ids = await system.submitMany('job.test.quick', 3_000);
  expect(ids).toHaveLength(3_000);
  const views = await system.ended(ids, 60_000);
  expect(new Set(views.map((view) => view.state))).toEqual(new Set(['SUCCEEDED']));
  expect(new Set(views.map((view) => view.attempts))).toEqual(new Set([1]));
  await quiet(system);
  await endedOnce(system, ids);
  for (const id of ids) expect(await ran(system, id), id).toHaveLength(1);
  expect(new Set(views.map((view) => view.worker)).size).toBe(2);
});

test('3,000 jobs, two schedulers, an instant worker that speaks the bus alone', { timeout: 90_000 }, async () => {
  const cap = await capPeer(system);
  const taken: string[] = [];
  const told: Promise<void>[] = [];
  // As fast as can be: the result is on the bus in the same turn in which the job came.
  const work = await cap.work('job.test.nobody', 'workers-nobody', ({ jobId }) => {
    taken.push(jobId);
    told.push(cap.report(jobId, JobStatus.SUCCEEDED, { workerId: 'w-instant' }));
  });
  cap.heartbeat('w-instant', 'nobody', 64);
  const beats = setInterval(() => cap.heartbeat('w-instant', 'nobody', 64), 5_000);
  try {
    const ids = await system.submitMany('job.test.nobody', 3_000);
    const views = await system.ended(ids, 60_000);
    expect(new Set(views.map((view) => view.state))).toEqual(new Set(['SUCCEEDED']));
    expect(new Set(views.map((view) => view.attempts))).toEqual(new Set([1]));
    expect(new Set(views.map((view) => view.worker))).toEqual(new Set(['w-instant']));
    await Promise.all(told);
    expect(taken.toSorted()).toEqual(ids.toSorted());
    await quiet(system);
    await endedOnce(system, ids);
  } finally {
    clearInterval(beats);
    await work.close();
    await cap.close();
  }
});
