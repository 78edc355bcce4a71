// Handlers that compute, in real time: in a thread they starve nothing, and an abort ends them.
import { afterEach, expect, test } from 'vitest';
import { z } from 'zod';
import { systemClock } from '#core/system.ts';
import { defineWorker, type WorkerDefinition } from '../../../services/worker/define.ts';
import { createStage, type Stage } from '../../helpers/worker-stage.ts';
import { makeStore } from '../../helpers/worker-store.ts';

const base = { topic: 'job.test', pool: 'test', parallel: 2, input: z.object({ ms: z.number().optional() }) };
const inThread = defineWorker({
  ...base,
  output: z.object({ turns: z.number() }),
  thread: new URL('../../helpers/workers/spinner.thread.ts', import.meta.url),
});
const inLoop = defineWorker({
  ...base,
  handle: ({ ms = 0 }) => {
    const until = performance.now() + ms;
    let turns = 0;
    while (performance.now() < until) turns++;
    return { turns };
  },
});

// A quarter of the real times, so that the test need not last long.
const timing = { leaseMs: 1000, renewMs: 250, marginMs: 125, aliveMs: 1000 };

let stage: Stage | undefined;
afterEach(async () => {
  await stage?.close();
  stage = undefined;
});

async function setUp(definition: WorkerDefinition): Promise<Stage> {
  const store = await makeStore();
  stage = await createStage({ store, clock: systemClock, definitions: [definition], host: { timing } });
  return stage;
}

test('two that compute for longer than the lease keep it', async () => {
  const s = await setUp(inThread);
  const jobs = [await s.run({ payload: { ms: 1800 } }), await s.run({ payload: { ms: 1800 } })];
  for (const { id } of jobs) await s.seen('committed', id);
  for (const { id } of jobs) {
    const view = await s.view(id);
    expect(view).toMatchObject({ state: 'SUCCEEDED', attempts: 1, losses: 0 });
    expect(view.execMs).toBeGreaterThanOrEqual(1800);
  }
  const types = s.told.map((e) => e.type);
  expect(types).not.toContain('aborted');
  expect(types.filter((t) => t === 'renewed').length).toBeGreaterThanOrEqual(4);
});

test('one in the loop itself is noticed', async () => {
  const s = await setUp(inLoop);
  const { id } = await s.run({ payload: { ms: 900 } });
  await s.seen('stalled');
  await s.seen('done', id);
});

test('a cancel ends one that never looks up', async () => {
  const s = await setUp(inThread);
  const { id } = await s.run({ payload: {} });
  await s.seen('started', id);
  // Its first progress says that it computes.
  while ((await s.view(id)).progress === undefined) await s.host.events.next('renewed');
  await s.cancel(id);
  await s.seen('aborted', id);
  await s.seen('done', id);
  const view = await s.view(id);
  expect(view.state).toBe('CANCELLED');
  expect(view.stoppedAt).toBeGreaterThan(0);
  expect(s.host.workers[0]?.active).toBe(0);
});

test('a time-out ends one that never looks up', async () => {
  const s = await setUp(inThread);
  const { id } = await s.run({ payload: {}, timeoutMs: 600 });
  await s.seen('committed', id);
  expect((await s.view(id)).state).toBe('TIMEOUT');
});
