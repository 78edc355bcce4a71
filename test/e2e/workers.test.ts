// Workers that die, freeze or are missing.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { JobView } from '#core/jobs/job.ts';
import { script, text } from '#core/redis/redis.ts';
import { readMetrics } from '../helpers/e2e/metrics.ts';
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

const attemptOf = script('attemptOf', `return redis.call('HGET',KEYS[1],'attempt')`);

/** What a worker would send that finished the job under this hand-out. */
const commitOf = async (job: JobView) => ({
  ...{ id: job.id, tenant: 'default', fence: job.fence, worker: job.worker, status: 'SUCCEEDED' as const },
  ...{ attempt: text(await system.db.run(attemptOf, [`job:meta:${job.id}`], [])), retryable: false, backoffMs: 0 },
  ...{ result: '"late"', execMs: 1, errorCode: '', errorMessage: '' },
});

test('kill -9 a worker in the middle of a job: another finishes it within 10 s', { timeout: 40_000 }, async () => {
  const doomed = await system.worker('job.test.gate', 'doomed', 1);
  const id = await system.submit('job.test.gate');
  await inHandler(id, 'doomed');
  const before = await system.view(id);
  const late = await commitOf(before);
  const struck = performance.now();
  await doomed.kill();
  const heir = await system.worker('job.test.gate', 'heir', 1);
  await inHandler(id, 'heir');
  // The dead worker's fence is worth nothing, whoever brings it: with its own attempt, or one half of it with the living one's other half.
  const running = await system.view(id);
  expect(running).toMatchObject({ state: 'RUNNING', worker: 'heir' });
  const halves = [
    { ...late, fence: running.fence },
    { ...(await commitOf(running)), fence: late.fence },
  ];
  const answers = await system.store.commit([late, ...halves]);
  expect(answers.map((answer) => answer.outcome)).toEqual(['stale', 'stale', 'stale']);
  expect(await system.view(id)).toEqual(running);
  expect(await system.store.result(id, 'default')).toBeNull();
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
  await quiet(system);
  await endedOnce(system, [id]);
  await heir.stop();
});

test('SIGSTOP a worker past its lease, then SIGCONT: its result is refused', { timeout: 40_000 }, async () => {
  const frozen = await system.worker('job.test.deaf', 'frozen', 1);
  const id = await system.submit('job.test.deaf');
  await inHandler(id, 'frozen');
  await frozen.pause();
  const heir = await system.worker('job.test.deaf', 'heir-2', 1);
  await inHandler(id, 'heir-2');
  // What the handler says as it begins is stored a moment later.
  const running = await until(
    async () => {
      const seen = await system.view(id);
      return seen.progress === undefined ? undefined : seen;
    },
    { message: 'the progress of the second worker' },
  );
  expect(running).toMatchObject({ state: 'RUNNING', worker: 'heir-2', attempts: 2 });
  // Both handlers are in. The frozen one does not heed its signal: it finishes, and its host sends the result under the old fence.
  frozen.resume();
  await system.db.set(gateKey(id, 'frozen'), '1');
  const refused = 'cortex_fence_rejections_total{operation="commit"}';
  await until(async () => (await readMetrics(frozen)).get(refused) === 1, { message: 'the late result to be refused' });
  expect((await ran(system, id)).at(-1)).toMatch(/^end \d+ frozen$/);
  expect(await system.view(id)).toEqual(running);
  expect(await system.store.result(id, 'default')).toBeNull();
  await system.db.set(gateKey(id, 'heir-2'), '1');
  const after = await system.reach(id, 'SUCCEEDED');
  expect(after.worker).toBe('heir-2');
  expect(JSON.parse((await system.store.result(id, 'default')) ?? '')).toMatchObject({ worker: 'heir-2' });
  await endedOnce(system, [id]);
  expect((await path(system, id)).filter((state) => state === 'RUNNING')).toHaveLength(2);
  await Promise.all([frozen.stop(), heir.stop()]);
});

test('SIGSTOP a worker past its lease: a handler that heeds its signal stops by itself', {
  timeout: 40_000,
}, async () => {
  const frozen = await system.worker('job.test.gate', 'frozen-2', 1);
  const id = await system.submit('job.test.gate');
  await inHandler(id, 'frozen-2');
  await frozen.pause();
  const heir = await system.worker('job.test.gate', 'heir-3', 1);
  await inHandler(id, 'heir-3');
  frozen.resume();
  await until(async () => (await ran(system, id)).some((line) => /^stop \d+ frozen-2$/.test(line)), {
    message: 'the frozen worker to stop its handler',
  });
  await system.db.set(gateKey(id), '1');
  expect(await system.reach(id, 'SUCCEEDED')).toMatchObject({ worker: 'heir-3' });
  await endedOnce(system, [id]);
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
