// Parts of the plane that die under work: scheduler, bus, kernel. Nothing is lost, doubled or stuck.
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { JobState } from '#core/jobs/state.ts';
import { startSystem, type System } from '../helpers/e2e/system.ts';
import { endedOnce, quiet } from '../helpers/e2e/truth.ts';
import { gateKey } from '../helpers/e2e/workers.ts';
import { until } from '../helpers/until.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem({ nats: { args: ['-js', '-sd', '{dir}/store'] } });
}, 60_000);
afterAll(() => system.stop());

test('kill -9 the scheduler with 200 jobs in flight', { timeout: 60_000 }, async () => {
  const worker = await system.worker('job.test.gate', 'steady', 50);
  const ids = await system.submitMany('job.test.gate', 200);
  // In flight in every sense: with the worker, and in the queue behind it.
  await until(async () => (await inState(ids, 'RUNNING')) === 50 && (await inState(ids, 'SCHEDULED')) > 0, {
    message: 'the worker to be full and jobs to wait for it',
  });
  await system.schedulers[0]?.kill();
  await system.db.set(gateKey(), '1');
  await system.schedulers[0]?.start();
  await system.ended(ids, 30_000);
  await quiet(system);
  await endedOnce(system, ids);
  await system.db.set(gateKey(), '1', { ttlMs: 1 });
  await worker.stop();
});

test('kill -9 nats-server and delete its store with 500 accepted jobs waiting', { timeout: 60_000 }, async () => {
  const ids = await system.submitMany('job.test.quick', 500);
  await system.nats.kill();
  const store = join(system.nats.dir, 'store');
  expect(existsSync(join(store, 'jetstream'))).toBe(true);
  rmSync(store, { recursive: true });
  // Accepted without a bus, too: the record is what counts.
  ids.push(await system.submit('job.test.quick'));
  await system.nats.restart();
  const worker = await system.worker('job.test.quick', 'after-bus', 16);
  await system.ended(ids, 30_000);
  await quiet(system);
  await endedOnce(system, ids);
  await worker.stop();
});

test('the bus goes away while jobs run: what was accepted ends', { timeout: 60_000 }, async () => {
  const worker = await system.worker('job.test.quick', 'through', 16);
  const load = system.submitMany('job.test.quick', 400, { outstanding: 10 });
  await until(async () => (await count()) > 50, { message: 'the load to be under way' });
  await system.nats.kill();
  const ids = await load;
  await system.nats.restart();
  await system.ended(ids, 30_000);
  await quiet(system);
  await endedOnce(system, ids);
  await worker.stop();
});

// Thousands wait by then, more on a faster machine; afterwards they are judged and run while their neighbours take half of it.
test('the kernel is away for 5 s under load: jobs wait, visibly, and go on', { timeout: 120_000 }, async () => {
  const worker = await system.worker('job.test.quick', 'patient', 16);
  const first = await system.submitMany('job.test.quick', 50);
  await system.safety.kill();
  const away = performance.now();
  const held: string[] = [];
  // Load goes on all the while.
  while (performance.now() - away < 5_000)
    held.push(...(await system.submitMany('job.test.quick', 20, { outstanding: 5 })));
  const last = held.at(-1) as string;
  const waiting = await until(
    async () => {
      const view = await system.view(last);
      return view.safetyReason === '' ? undefined : view;
    },
    { message: 'the reason to be shown' },
  );
  expect(waiting.state).toBe('PENDING');
  expect(waiting.safetyReason).toContain('safety kernel');
  const states = await Promise.all(held.slice(-20).map(async (id) => (await system.view(id)).state));
  expect(new Set(states)).toEqual(new Set(['PENDING']));
  await system.safety.start();
  await system.ended([...first, ...held], 60_000);
  await quiet(system);
  await endedOnce(system, [...first, ...held]);
  await worker.stop();
});

async function inState(ids: readonly string[], state: JobState): Promise<number> {
  const views = await Promise.all(ids.map((id) => system.view(id)));
  return views.filter((view) => view.state === state).length;
}

async function count(): Promise<number> {
  const page = await system.store.page({
    ...{ tenant: 'default', limit: 100, cursor: undefined, state: 'SUCCEEDED', topic: 'job.test.quick' },
    ...{ traceId: undefined, updatedAfter: undefined, updatedBefore: undefined },
  });
  return page.jobs.length;
}
