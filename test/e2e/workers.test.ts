// Workers that die, freeze or are missing.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startSystem, type System } from '../helpers/e2e/system.ts';
import { endedOnce, path, quiet, ran } from '../helpers/e2e/truth.ts';
import { gateKey } from '../helpers/e2e/workers.ts';
import { until } from '../helpers/until.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
}, 60_000);
afterAll(() => system.stop());

const inHandler = (id: string, worker: string) =>
  until(async () => (await ran(system, id)).some((line) => line.startsWith('begin') && line.endsWith(` ${worker}`)), {
    timeout: 12_000,
    message: () => `${worker} to work on ${id}`,
  });

test('kill -9 a worker in the middle of a job: another finishes it within 10 s', { timeout: 40_000 }, async () => {
  const doomed = await system.worker('job.test.gate', 'doomed', 1);
  const id = await system.submit('job.test.gate');
  await inHandler(id, 'doomed');
  const before = await system.view(id);
  const struck = performance.now();
  await doomed.kill();
  const heir = await system.worker('job.test.gate', 'heir', 1);
  await inHandler(id, 'heir');
  await system.db.set(gateKey(id), '1');
  const after = await system.reach(id, 'SUCCEEDED');
  expect(performance.now() - struck).toBeLessThan(10_000);
  expect(after).toMatchObject({ worker: 'heir', losses: 1, attempts: 2, failures: 0 });
  expect(BigInt(after.fence)).toBeGreaterThan(BigInt(before.fence));
  expect(JSON.parse((await system.store.result(id, 'default')) ?? '')).toEqual({
    job_id: id,
    fence: after.fence,
    worker: 'heir',
  });
  // The dead worker's fence is worth nothing, whoever brings it.
  const [late] = await system.store.commit([
    {
      ...{ id, tenant: 'default', fence: before.fence, attempt: 'guess', worker: 'doomed', status: 'SUCCEEDED' },
      ...{ retryable: false, backoffMs: 0, result: '"late"', execMs: 1, errorCode: '', errorMessage: '' },
    },
  ]);
  expect(late?.outcome).toBe('stale');
  await quiet(system);
  await endedOnce(system, [id]);
  await heir.stop();
});

test('SIGSTOP a worker past its lease, then SIGCONT: its result is refused', { timeout: 40_000 }, async () => {
  const frozen = await system.worker('job.test.gate', 'frozen', 1);
  const id = await system.submit('job.test.gate');
  await inHandler(id, 'frozen');
  await frozen.pause();
  const heir = await system.worker('job.test.gate', 'heir-2', 1);
  await inHandler(id, 'heir-2');
  frozen.resume();
  // Both handlers are in; the frozen one wakes up and must stop by itself.
  await until(async () => (await ran(system, id)).some((line) => line.startsWith('stop') && line.endsWith(' frozen')), {
    message: 'the frozen worker to stop its handler',
  });
  expect((await system.view(id)).worker).toBe('heir-2');
  await system.db.set(gateKey(id), '1');
  const after = await system.reach(id, 'SUCCEEDED');
  expect(after.worker).toBe('heir-2');
  await endedOnce(system, [id]);
  expect((await path(system, id)).filter((state) => state === 'RUNNING')).toHaveLength(2);
  await Promise.all([frozen.stop(), heir.stop()]);
});

test('a job for a pool without workers waits, and runs when one arrives', { timeout: 40_000 }, async () => {
  const id = await system.submit('job.test.quick');
  await system.reach(id, 'SCHEDULED');
  const late = await system.worker('job.test.quick', 'late');
  await system.reach(id, 'SUCCEEDED', 5_000);
  expect(await path(system, id)).toEqual(['PENDING', 'SCHEDULED', 'DISPATCHED', 'RUNNING', 'SUCCEEDED']);
  await late.stop();
});

test('a worker that is told to stop finishes what it does', { timeout: 40_000 }, async () => {
  const polite = await system.worker('job.test.gate', 'polite', 1);
  const id = await system.submit('job.test.gate');
  await inHandler(id, 'polite');
  const stopped = polite.stop();
  await system.db.set(gateKey(id), '1');
  expect(await stopped).toBe(0);
  expect(await system.reach(id, 'SUCCEEDED')).toMatchObject({ worker: 'polite', attempts: 1, losses: 0 });
});
