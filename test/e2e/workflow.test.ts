// Workflows on real processes: orchestrators that are killed, a fan-out of a thousand steps, a run that nobody holds.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createRedisJournal } from '#core/jobs/redis-journal.ts';
import { isEnd } from '#core/jobs/state.ts';
import { long } from '../helpers/long.ts';
import { startSystem, type System } from '../helpers/e2e/system.ts';
import { type ServiceProcess, startService } from '../helpers/service-process.ts';
import { until } from '../helpers/until.ts';

let system: System;
const started = new Set<ServiceProcess>();

beforeAll(async () => {
  system = await startSystem({ config: 'flows' });
  await start('services/worker/node.ts', { WORKERS: 'echo' });
}, 60_000);
afterAll(async () => {
  for (const one of started) await one.stop();
  await system.stop();
});

async function start(entry: string, env: Record<string, string> = {}): Promise<ServiceProcess> {
  const servers = { NATS_URL: system.nats.url, REDIS_URL: system.redis.url, LOG_LEVEL: 'warn' };
  const process = await startService(entry, { ...servers, ...env }, ['metrics']);
  started.add(process);
  return process;
}
const orchestrate = (id: string) =>
  start('services/orchestrator/node.ts', { WORKFLOWS_PATH: 'test/helpers/e2e/flows/workflows.ts', WORKER_ID: id });

async function kill(process: ServiceProcess): Promise<void> {
  started.delete(process);
  await process.kill();
}

/** Every child of the run: each step once, however often it was taken up. */
async function children(id: string) {
  const run = await system.view(id);
  return (await system.store.trace(run.traceId, 'default')).filter(({ parentId }) => parentId === id);
}

test('orchestrators are killed, one after the other, and the run goes on as if nothing had happened', {
  timeout: 90_000,
}, async () => {
  const journal = createRedisJournal({ redis: system.db });
  let holder = await orchestrate('o-0');
  // More deaths than a job survives, in the long version.
  const [deaths, rounds] = long ? [5, 8] : [2, 4];
  const submitted = await system.http('POST', '/api/v1/jobs', { topic: 'job.workflow.long', context: { rounds } });
  const id = (submitted.body as { job_id: string }).job_id;
  const length = async (): Promise<number> => (await journal.lines({ id, tenant: 'default' }))?.length ?? 0;
  // More often than any job may lose its worker: the run gets on in between.
  for (let i = 1; i <= deaths; i++) {
    const before = await length();
    await until(async () => (await length()) > before, { timeout: 20_000, message: 'the run to get on' });
    const next = orchestrate(`o-${i}`);
    await kill(holder);
    holder = await next;
  }
  await system.http('POST', `/api/v1/workflows/${id}/signals/enough`, 7);
  const run = await system.reach(id, 'SUCCEEDED', 60_000);
  expect(run.losses).toBe(deaths);
  const { body } = await system.http('GET', `/api/v1/jobs/${id}`);
  const expected = Array.from({ length: rounds * 3 }, (_, i) => `${id}.r-${Math.floor(i / 3)}-${i % 3}.1`);
  expect(body).toMatchObject({ result: { ids: expected, said: 7 } });
  const made = await children(id);
  expect(made.map((job) => job.id).toSorted()).toEqual(expected.toSorted());
  for (const job of made) expect(job).toMatchObject({ state: 'SUCCEEDED', attempts: 1 });
  const shown = (await system.http('GET', `/api/v1/workflows/${id}`)).body as { steps: unknown[] };
  expect(shown).toMatchObject({ workflow: 'long', state: 'SUCCEEDED', signals: [{ name: 'enough' }] });
  expect(shown.steps).toHaveLength(rounds * 3);
  await kill(holder);
});

test('a fan-out of a thousand steps, each done once, through a kill in the midst', { timeout: 90_000 }, async () => {
  const first = await orchestrate('m-0');
  const { body } = await system.http('POST', '/api/v1/jobs', { topic: 'job.workflow.many', context: { steps: 1000 } });
  const id = (body as { job_id: string }).job_id;
  await until(async () => (await children(id)).length > 200, { timeout: 20_000, message: 'the run to be under way' });
  const second = orchestrate('m-1');
  await kill(first);
  await system.reach(id, 'SUCCEEDED', 60_000);
  const shown = await system.http('GET', `/api/v1/jobs/${id}`);
  expect(shown.body).toMatchObject({ result: { done: 1000, last: { n: 999 } } });
  const { body: timeline } = await system.http('GET', `/api/v1/workflows/${id}`);
  const { steps } = timeline as { steps: { attempts: { state: string }[] }[] };
  expect(steps).toHaveLength(1000);
  for (const { attempts } of steps) expect(attempts.map(({ state }) => state)).toEqual(['SUCCEEDED']);
  await kill(await second);
});

test('a cancel ends the children of a run whose orchestrator is gone', { timeout: 60_000 }, async () => {
  const holder = await orchestrate('c-0');
  // Nobody does these steps any more: they wait.
  for (const one of started) if (one !== holder) await kill(one);
  const { body } = await system.http('POST', '/api/v1/jobs', { topic: 'job.workflow.many', context: { steps: 500 } });
  const id = (body as { job_id: string }).job_id;
  await until(async () => (await children(id)).length === 64, { timeout: 20_000, message: 'its first steps' });
  await kill(holder);
  await system.http('POST', `/api/v1/jobs/${id}/cancel`);
  await until(async () => (await children(id)).every(({ state }) => isEnd(state)), {
    timeout: 20_000,
    message: 'their ends',
  });
  for (const job of await children(id)) {
    expect(job).toMatchObject({ state: 'CANCELLED', errorMessage: `the workflow ${id} has ended` });
  }
});
