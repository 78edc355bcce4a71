// Redis dies. With appendfsync always nothing that was acknowledged is lost; from an older log (everysec, a failover) what is left is a
// consistent prefix: it ends once, and no attempt from the forgotten window can commit.
import { readdirSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { startSystem, type System } from '../helpers/e2e/system.ts';
import { endedOnce, quiet, ran } from '../helpers/e2e/truth.ts';
import { gateKey } from '../helpers/e2e/workers.ts';
import { until } from '../helpers/until.ts';

let system: System | undefined;
afterEach(async () => {
  await system?.stop();
  system = undefined;
}, 60_000);

test('killed under load with appendfsync always: every accepted job ends once', { timeout: 90_000 }, async () => {
  system = await startSystem({ redis: { appendonly: true, appendfsync: 'always' } });
  await system.worker('job.test.quick', 'quick', 16);
  const accepted: string[] = [];
  const load = system.submitMany('job.test.quick', 1_500, { outstanding: 20, tolerate: true });
  await until(async () => (await doneCount(system as System)) >= 100, { message: 'the load to be under way' });
  await system.redis.kill();
  await system.redis.restart();
  accepted.push(...(await load));
  accepted.push(await eventually(() => (system as System).submit('job.test.quick')));
  expect(accepted.length).toBeGreaterThan(200);
  await system.ended(accepted, 40_000);
  await quiet(system);
  await endedOnce(system, accepted);
});

test('restarted from a log cut back by a second: what is left ends once', { timeout: 90_000 }, async () => {
  system = await startSystem({ redis: { appendonly: true, appendfsync: 'everysec' } });
  await system.worker('job.test.quick', 'quick', 16);
  const lengths: { at: number; bytes: number }[] = [];
  const log = logFile(system.redis.dir);
  const sample = setInterval(() => lengths.push({ at: performance.now(), bytes: statSync(log).size }), 20);
  const load = system.submitMany('job.test.quick', 3_000, { outstanding: 20, tolerate: true });
  await until(
    () => lengths.some(({ at }) => performance.now() - at > 1_200) && doneCount(system as System).then((n) => n >= 100),
    {
      message: 'the load to run for over a second',
    },
  );
  await system.redis.kill();
  const killed = performance.now();
  clearInterval(sample);
  const cut = lengths.findLast(({ at }) => killed - at >= 1_000)?.bytes ?? 0;
  expect(statSync(log).size).toBeGreaterThan(cut);
  truncateSync(log, cut);
  await system.redis.restart();
  const accepted = await load;
  const known: string[] = [];
  for (const id of accepted)
    if ((await eventually(() => (system as System).store.view(id, undefined))) !== undefined) known.push(id);
  expect(known.length, 'some of the last second is forgotten').toBeLessThan(accepted.length);
  const views = await system.ended(known, 40_000);
  await quiet(system);
  // The doorbell of a forgotten job may be on its way: then the job is told FAILED, because its payload is forgotten too.
  await endedOnce(system, known, 'SUCCEEDED', 'FAILED');
  for (const view of views) if (view.state === 'FAILED') expect(view.errorCode).toBe('payload_missing');
  expect(views.filter((view) => view.state === 'SUCCEEDED').length).toBeGreaterThan(100);
});

test('an attempt from the forgotten window cannot commit', { timeout: 90_000 }, async () => {
  system = await startSystem({ redis: { appendonly: true, appendfsync: 'everysec' } });
  const ids = await system.submitMany('job.test.gate', 8);
  for (const id of ids) await system.reach(id, 'SCHEDULED');
  const log = logFile(system.redis.dir);
  const cut = statSync(log).size;
  const worker = await system.worker('job.test.gate', 'unaware', 8);
  for (const id of ids) await system.reach(id, 'RUNNING');
  const forgotten = new Map(
    await Promise.all(ids.map(async (id) => [id, (await (system as System).view(id)).fence] as const)),
  );
  await system.redis.kill();
  truncateSync(log, cut);
  await system.redis.restart();
  await eventually(() => (system as System).db.set(gateKey(), '1'));
  const views = await system.ended(ids, 40_000);
  await quiet(system);
  await endedOnce(system, ids);
  for (const view of views) {
    expect(BigInt(view.fence)).toBeGreaterThan(BigInt(forgotten.get(view.id) ?? '0'));
    expect(JSON.parse((await system.store.result(view.id, 'default')) ?? 'null')).toMatchObject({ fence: view.fence });
    // The handler ran again: at least once is what is promised.
    expect((await ran(system, view.id)).some((line) => line === `end ${view.fence} unaware`)).toBe(true);
  }
  await worker.stop();
});

function logFile(dir: string): string {
  const folder = join(dir, 'appendonlydir');
  const name = readdirSync(folder).findLast((file) => file.endsWith('.incr.aof'));
  if (name === undefined) throw new Error(`no log in ${folder}: ${readdirSync(folder).join(', ')}`);
  return join(folder, name);
}

/** Through the time in which Redis comes back. */
async function eventually<T>(call: () => Promise<T>): Promise<T> {
  let answer: { value: T } | undefined;
  let last: unknown;
  await until(
    async () => {
      try {
        answer = { value: await call() };
      } catch (error) {
        last = error;
      }
      return answer !== undefined;
    },
    { timeout: 15_000, message: () => `Redis to be back: ${String(last)}` },
  );
  return (answer as { value: T }).value;
}

async function doneCount(of: System): Promise<number> {
  const page = await of.store.page({
    ...{ tenant: 'default', limit: 200, cursor: undefined, state: 'SUCCEEDED', topic: undefined },
    ...{ traceId: undefined, updatedAfter: undefined, updatedBefore: undefined },
  });
  return page.jobs.length;
}
