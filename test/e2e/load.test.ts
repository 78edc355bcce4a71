// Load on the whole system without faults: two schedulers, instant workers. The original lost 11 to 15% of results here.
import { afterAll, beforeAll, expect, test } from 'vitest';
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
