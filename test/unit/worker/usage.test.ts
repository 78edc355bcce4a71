// What the attempts of a job asked of models is counted once each, whatever becomes of the attempt and however often the store is asked.
import { expect, test } from 'vitest';
import { z } from 'zod';
import { abortable } from '#core/deadline.ts';
import { CortexError } from '#core/errors.ts';
import { createMemoryModel, fails, says } from '#core/model/memory.ts';
import { withMeter } from '#core/model/meter.ts';
import { type Model, ModelError } from '#core/model/model.ts';
import type { Models } from '#core/model/serve.ts';
import { dayOf } from '#core/jobs/usage.ts';
import { asking } from '../../../services/worker/asking.ts';
import { defineWorker } from '../../../services/worker/define.ts';
import { createCountedMetrics } from '../../helpers/counted-metrics.ts';
import { type SteppedStage, useStage } from '../../helpers/worker-rig.ts';

const makeStage = useStage();

/** A worker that asks once for each word of its payload, and may fail after that. */
async function setUp({
  cost = () => 0.000_081,
  driver,
}: {
  readonly cost?: Models['cost'];
  readonly driver?: Model;
} = {}) {
  const model = createMemoryModel('fast');
  const models: Models = { default: withMeter(driver ?? model), concurrency: 4, cost };
  const metrics = createCountedMetrics();
  const input = z.object({ asks: z.array(z.string()), fail: z.boolean().default(false) });
  const worker = defineWorker({
    ...{ topic: 'job.test', pool: 'test', parallel: 4, input },
    async handle({ asks, fail }, context) {
      const asked = asking(models, context);
      const texts: string[] = [];
      for (const content of asks) texts.push((await asked.ask({ messages: [{ role: 'user', content }] })).text);
      if (fail) throw new CortexError('unavailable', 'after all that');
      return { texts, ...asked.used() };
    },
  });
  const stage = await makeStage([worker], { host: { metrics } });
  return { stage, model, metrics };
}

const sums = (stage: SteppedStage) => stage.store.usage('default', [dayOf(stage.clock.now())]);

test('each request of an attempt, summed before the job has ended', async () => {
  const { stage, model, metrics } = await setUp();
  model.play(says('a', 'fast'), says('b', 'fast'));
  const { id } = await stage.run({ payload: { asks: ['x', 'y'] } });
  await stage.clock.during(stage.seen('committed', id));
  expect(await sums(stage)).toEqual([
    expect.objectContaining({
      model: 'fast',
      requests: 2,
      unmetered: 0,
      inputTokens: 6,
      outputTokens: 4,
      cost: 162_000,
    }),
  ]);
  expect(stage.outage.counts.get('meter')).toBeGreaterThan(0);
  expect(metrics.read('cortex_worker_model_requests_total{model="fast",outcome="answered"}')).toBe(2);
  expect(metrics.read('cortex_worker_model_tokens_total{model="fast",kind="input"}')).toBe(6);
  expect(metrics.read('cortex_worker_model_tokens_total{model="fast",kind="output"}')).toBe(4);
});

test('a job that asks nothing costs the store nothing', async () => {
  const { stage } = await setUp();
  const { id } = await stage.run({ payload: { asks: [] } });
  await stage.clock.during(stage.seen('done', id));
  expect(stage.outage.counts.get('meter')).toBeUndefined();
  expect(await sums(stage)).toEqual([]);
});

test('of attempts that failed and are tried again, each for itself', async () => {
  const { stage, model } = await setUp({ cost: () => undefined });
  model.play(says('a', 'fast'), says('b', 'fast'));
  const { id } = await stage.run({ payload: { asks: ['x'], fail: true }, maxRetries: 1 });
  await stage.clock.during(stage.seen('committed', id));
  stage.told.length = 0;
  await stage.clock.advance(2_000);
  await stage.store.requeue([
    {
      id,
      tenant: 'default',
      seen: { state: 'SCHEDULED', fence: (await stage.view(id)).fence },
      why: 'ready',
      delayMs: 0,
    },
  ]);
  const { jobs } = await stage.claim();
  if (jobs[0] === undefined) throw new Error('nothing to claim');
  await stage.send(jobs[0]);
  await stage.clock.during(stage.seen('committed', id));
  expect(await stage.view(id)).toMatchObject({ state: 'FAILED', attempts: 2 });
  expect(await sums(stage)).toEqual([expect.objectContaining({ requests: 2, unpriced: 2, inputTokens: 6, cost: 0 })]);
});

test('of a job that is cancelled in the midst of its second request: the first with its tokens, the second without', async () => {
  const begun = Promise.withResolvers<void>();
  let requests = 0;
  const driver: Model = {
    name: 'fast',
    async *stream({ signal }) {
      yield { type: 'text', text: 'on and ' };
      if (++requests === 1) {
        yield { type: 'end', model: 'fast', finish: 'stop', usage: { inputTokens: 3, outputTokens: 2 } };
        return;
      }
      begun.resolve();
      await abortable(signal, () => new Promise<never>(() => undefined));
    },
  };
  const { stage, metrics } = await setUp({ driver });
  const { id } = await stage.run({ payload: { asks: ['x', 'y'] } });
  await begun.promise;
  await stage.cancel(id);
  await stage.clock.during(stage.seen('done', id));
  expect(await stage.view(id)).toMatchObject({ state: 'CANCELLED' });
  expect(await sums(stage)).toEqual([
    expect.objectContaining({ requests: 2, unmetered: 1, inputTokens: 3, cost: 81_000 }),
  ]);
  expect(metrics.read('cortex_worker_model_requests_total{model="fast",outcome="cut"}')).toBe(1);
});

test('of an attempt whose fence is void: it was paid for', async () => {
  const { stage, model } = await setUp();
  const hold = Promise.withResolvers<void>();
  model.play({ ...says('late', 'fast'), hold: hold.promise });
  const { id, fence } = await stage.run({ payload: { asks: ['x'] } });
  await expect.poll(() => model.open).toBe(1);
  await stage.store.requeue([{ id, tenant: 'default', seen: { state: 'RUNNING', fence }, why: 'lost', delayMs: 0 }]);
  hold.resolve();
  await stage.clock.during(stage.seen('done', id));
  expect(await stage.view(id)).toMatchObject({ state: 'SCHEDULED' });
  expect(await sums(stage)).toEqual([expect.objectContaining({ requests: 1, unmetered: 0, inputTokens: 3 })]);
});

test('once, when answers of the store are lost and the call is repeated', async () => {
  const { stage, model } = await setUp();
  model.play(says('a', 'fast'), says('b', 'fast'));
  stage.outage.only = ['meter'];
  stage.outage.mode = 'deaf';
  const { id } = await stage.run({ payload: { asks: ['x', 'y'] } });
  await stage.clock.during(stage.seen('committed', id));
  await stage.clock.advance(2_000);
  expect(stage.outage.counts.get('meter')).toBeGreaterThan(4);
  stage.outage.mode = 'up';
  await stage.clock.during(stage.seen('done', id));
  expect(await sums(stage)).toEqual([expect.objectContaining({ requests: 2, inputTokens: 6, cost: 162_000 })]);
});

test('a store that is away for it holds no job up, and hears of it later; the drain waits for that', async () => {
  const { stage, model } = await setUp();
  model.play(says('a', 'fast'));
  stage.outage.only = ['meter'];
  stage.outage.mode = 'down';
  const { id } = await stage.run({ payload: { asks: ['x'] } });
  await stage.clock.during(stage.seen('committed', id));
  expect(await stage.view(id)).toMatchObject({ state: 'SUCCEEDED' });
  expect(await sums(stage)).toEqual([]);
  const drained = stage.host.drain({ finishMs: 30_000 });
  await stage.clock.advance(5_000);
  stage.outage.mode = 'up';
  await stage.clock.during(drained);
  expect(await sums(stage)).toEqual([expect.objectContaining({ requests: 1, inputTokens: 3 })]);
});

test('what the provider refused was not paid for', async () => {
  const { stage, model, metrics } = await setUp();
  model.play(fails(new ModelError('unauthenticated', 'no key')));
  const { id } = await stage.run({ payload: { asks: ['x'] } });
  await stage.clock.during(stage.seen('committed', id));
  expect(await stage.view(id)).toMatchObject({ state: 'FAILED' });
  expect(await sums(stage)).toEqual([]);
  expect(metrics.read('cortex_worker_model_requests_total{model="fast",outcome="failed"}')).toBe(1);
});

test('at a cost beyond what is exact: it is counted, with the largest that is', async () => {
  const { stage, model } = await setUp({ cost: () => 99_000_000 });
  model.play(says('a', 'fast', { inputTokens: 99_000_000, outputTokens: 0 }));
  const { id } = await stage.run({ payload: { asks: ['x'] } });
  await stage.clock.during(stage.seen('committed', id));
  expect(await sums(stage)).toEqual([
    expect.objectContaining({ requests: 1, inputTokens: 99_000_000, cost: Number.MAX_SAFE_INTEGER }),
  ]);
});

test("that a provider cannot mean is nobody's, and the job is none the worse", async () => {
  const { stage, model } = await setUp();
  model.play(says('a', 'fast', { inputTokens: -5, outputTokens: 1.5 }), says('b', 'fast'));
  const { id } = await stage.run({ payload: { asks: ['x', 'y'] } });
  await stage.clock.during(stage.seen('committed', id));
  expect(await stage.view(id)).toMatchObject({ state: 'SUCCEEDED' });
  expect(JSON.parse((await stage.store.result(id, 'default')) ?? '')).toMatchObject({
    usage: { input_tokens: 3, output_tokens: 2 },
  });
  expect(await sums(stage)).toEqual([
    expect.objectContaining({ requests: 2, unmetered: 1, inputTokens: 3, outputTokens: 2 }),
  ]);
});
