// Cancel in every state, over HTTP: the answer, the record, and the handler that is told to stop.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { JobState } from '#core/jobs/state.ts';
import { script, text } from '#core/redis/redis.ts';
import { startSystem, type System } from '../helpers/e2e/system.ts';
import { endedOnce, path, quiet, ran } from '../helpers/e2e/truth.ts';
import { toldKey } from '../helpers/e2e/workers.ts';
import { until } from '../helpers/until.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
}, 60_000);
afterAll(() => system.stop());

const cancel = (id: string) => system.http('POST', `/api/v1/jobs/${id}/cancel`);

test('PENDING: the kernel is away', { timeout: 30_000 }, async () => {
  await system.safety.kill();
  const id = await system.submit('job.test.gate');
  expect(await cancel(id)).toEqual({ status: 200, body: { id, state: 'CANCELLED' } });
  await system.safety.start();
  await quiet(system);
  expect(await path(system, id)).toEqual(['PENDING', 'CANCELLED']);
  expect((await system.view(id)).stoppedAt).toBeGreaterThan(0);
});

test('SCHEDULED: it waits for a worker, and no worker gets it afterwards', { timeout: 30_000 }, async () => {
  const id = await system.submit('job.test.gate');
  await system.reach(id, 'SCHEDULED');
  expect(await cancel(id)).toEqual({ status: 200, body: { id, state: 'CANCELLED' } });
  expect(await system.store.depths()).toEqual([]);
  const worker = await system.worker('job.test.gate', 'idle');
  const other = await system.submit('job.test.gate');
  await system.reach(other, 'RUNNING');
  expect(await ran(system, id)).toEqual([]);
  await cancel(other);
  await worker.stop();
});

test('DISPATCHED: handed to a worker that has not said yes', { timeout: 30_000 }, async () => {
  const worker = await system.worker('job.test.gate', 'deaf');
  const seen = await system.submit('job.test.gate');
  await system.reach(seen, 'RUNNING');
  await worker.pause();
  const id = await system.submit('job.test.gate');
  await system.reach(id, 'DISPATCHED');
  expect(await cancel(id)).toEqual({ status: 200, body: { id, state: 'CANCELLED' } });
  worker.resume();
  await cancel(seen);
  await quiet(system);
  expect(await ran(system, id)).toEqual([]);
  await endedOnce(system, [id], 'CANCELLED');
  await worker.stop();
});

test('RUNNING: the handler is told at once, and its stop is shown', { timeout: 30_000 }, async () => {
  const worker = await system.worker('job.test.gate', 'busy');
  const id = await system.submit('job.test.gate');
  await until(async () => (await ran(system, id)).length > 0, { message: 'the handler to begin' });
  expect(await cancel(id)).toEqual({ status: 200, body: { id, state: 'CANCELLED' } });
  await until(async () => (await ran(system, id)).some((line) => line.startsWith('stop')), {
    message: 'the handler to stop',
  });
  const view = await until(
    async () => {
      const now = await system.view(id);
      return now.stoppedAt > 0 ? now : undefined;
    },
    { message: 'stopped_at to be shown' },
  );
  expect(view).toMatchObject({ state: 'CANCELLED', resultPtr: '' });
  await quiet(system);
  await endedOnce(system, [id], 'CANCELLED');
  await worker.stop();
});

const leaseOf = script('leaseOf', `return redis.call('ZSCORE',KEYS[1],ARGV[1]) or ''`);

test('RUNNING: the signal comes within 250 ms, by the news and not by the next renewal', {
  timeout: 30_000,
}, async () => {
  const worker = await system.worker('job.test.gate', 'prompt', 1);
  const lease = async (id: string) => text(await system.db.run(leaseOf, ['slots:prompt'], [id]));
  const took: number[] = [];
  // The best of a few: a machine that is busy elsewhere may be late once, a host that does not listen always is.
  while (took.length < 5 && !took.some((ms) => ms < 250)) {
    const id = await system.submit('job.test.gate');
    await until(async () => (await ran(system, id)).length > 0, { message: 'the handler to begin' });
    // Right after a renewal: the next one is a second away and cannot be what tells the handler.
    const before = await lease(id);
    await until(async () => (await lease(id)) !== before, { message: 'the lease to be renewed' });
    expect((await cancel(id)).status).toBe(200);
    const answeredAt = Date.now();
    const toldAt = await until(() => system.db.get(toldKey(id)), { message: 'the handler to be told' });
    took.push(Number(toldAt) - answeredAt);
  }
  expect(Math.min(...took), `ms from the answer to the signal: ${took.join(', ')}`).toBeLessThan(250);
  await quiet(system);
  await worker.stop();
});

test('an end stays what it is', { timeout: 30_000 }, async () => {
  const worker = await system.worker('job.test.quick', 'quick');
  const id = await system.submit('job.test.quick');
  await system.reach(id, 'SUCCEEDED');
  expect(await cancel(id)).toEqual({ status: 200, body: { id, state: 'SUCCEEDED', reason: 'job already terminal' } });
  await quiet(system);
  await endedOnce(system, [id]);
  expect((await cancel('no-such-job')).status).toBe(404);
  await worker.stop();
});

test('a topic that no pool does, and one that the policy denies, end with their reasons', {
  timeout: 30_000,
}, async () => {
  const ends: [string, JobState, string][] = [
    ['job.test.unknown', 'FAILED', 'no_pool'],
    ['job.test.denied', 'DENIED', 'permission_denied'],
  ];
  for (const [topic, state, code] of ends) {
    const id = await system.submit(topic);
    expect(await system.reach(id, state)).toMatchObject({ errorCode: code });
  }
});
