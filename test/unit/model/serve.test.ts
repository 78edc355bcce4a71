// Fallbacks, the size of the context, and the configured models put together.
import { expect, test } from 'vitest';
import type { ErrorCode } from '#core/errors.ts';
import { answerRoom, costOf } from '#core/model/budget.ts';
import { withFallbacks } from '#core/model/fallbacks.ts';
import { withFit } from '#core/model/fit.ts';
import { createMemoryModel, fails, type MemoryModel, says } from '#core/model/memory.ts';
import { type DriverOptions, ModelError } from '#core/model/model.ts';
import { parseModels } from '#core/model/models.ts';
import { serveModels } from '#core/model/serve.ts';
import { silentLog } from '#core/log.ts';
import { createFakeClock } from '../../helpers/clock.ts';
import { broken, said, text } from './read.ts';

function three() {
  const [a, b, c] = [createMemoryModel('a'), createMemoryModel('b'), createMemoryModel('c')];
  return { a, b, c, model: withFallbacks(a, [b, c], silentLog) };
}

test.each<ErrorCode>(['unavailable', 'resource_exhausted', 'unauthenticated', 'not_found', 'internal', 'out_of_range'])(
  'after %s the next one is asked, in order',
  async (code) => {
    const { a, b, c, model } = three();
    a.play(fails(new ModelError(code, 'no')));
    b.play(fails(new ModelError(code, 'no')));
    c.play(says('third'));
    expect(await text(model)).toBe('third');
    expect([a, b, c].map(({ requests }) => requests.length)).toEqual([1, 1, 1]);
  },
);

test('the last one speaks for all', async () => {
  const { a, b, c, model } = three();
  for (const one of [a, b, c]) one.play(fails(new ModelError('unavailable', `${one.name} is down`)));
  expect((await broken(model)).error).toMatchObject({ message: 'c is down' });
});

test('a wrong request, an answer that is too long, a stop and a surprise ask nobody else', async () => {
  const tooLong = new ModelError('out_of_range', 'too long an answer', { final: true });
  for (const error of [new ModelError('invalid_argument', 'wrong'), tooLong, new Error('surprise')]) {
    const { a, b, model } = three();
    a.play(fails(error));
    expect((await broken(model)).error).toBe(error);
    expect(b.requests).toEqual([]);
  }
  const { a, b, model } = three();
  const stop = new AbortController();
  a.play({ ...says('never'), hold: new Promise(() => undefined) });
  const asked = text(model, { signal: stop.signal });
  stop.abort();
  await expect(asked).rejects.toMatchObject({ code: 'canceled' });
  expect(b.requests).toEqual([]);
});

test('what has begun to be read is not answered by another', async () => {
  const { a, b, model } = three();
  a.play({ parts: [said('half')] });
  expect((await broken(model)).texts).toEqual(['half']);
  expect(b.requests).toEqual([]);
});

test('a prompt that cannot fit is refused unsent; the answer gets what is left', async () => {
  const inner = createMemoryModel();
  const model = withFit(inner, { context: 300, maxOutput: 200 });
  const messages = [{ role: 'user', content: 'x'.repeat(1_200) }] as const;
  await expect(text(model, { messages })).rejects.toMatchObject({
    code: 'out_of_range',
    message: 'about 304 tokens do not fit into the 300 of model memory',
  });
  expect(inner.requests).toEqual([]);
  inner.play(says('a'), says('b'), says('c'));
  await text(model, { messages: [{ role: 'user', content: 'x'.repeat(800) }] });
  await text(model);
  await text(model, { maxTokens: 5 });
  expect(inner.requests.map(({ maxTokens }) => maxTokens)).toEqual([96, 200, 5]);
  const size = { name: 'm', context: 200, maxOutput: 400 };
  expect(answerRoom({ messages: [] }, size)).toEqual({ ok: true, value: 200 });
  const tools = [{ name: 'read', description: 'x'.repeat(800), input: {} }];
  expect(answerRoom({ messages: [], tools }, size)).toMatchObject({ ok: false });
  const toolCalls = [{ id: 'c', name: 'write', input: { text: 'x'.repeat(800) } }];
  expect(answerRoom({ messages: [{ role: 'assistant', content: '', toolCalls }] }, size)).toMatchObject({ ok: false });
});

test('costs are exact', () => {
  expect(costOf({ inputTokens: 11, outputTokens: 7 }, { input: 0.15, output: 0.6 })).toBe(0.000_005_85);
  expect(costOf({ inputTokens: 1_000_000, outputTokens: 3_000_000 }, { input: 3, output: 15 })).toBe(48);
  expect(costOf({ inputTokens: 5, outputTokens: 5 }, { input: 0, output: 0 })).toBe(0);
});

test('the configured models, with their keys, retries, breaker and fallbacks', async () => {
  const made = new Map<string, { readonly options: DriverOptions; readonly model: MemoryModel }>();
  const driver = (options: DriverOptions): MemoryModel => {
    const model = createMemoryModel(options.name);
    made.set(options.name, { options, model });
    return model;
  };
  const config = parseModels(
    {
      default: 'fast',
      models: {
        fast: {
          ...{
            provider: 'anthropic',
            model: 'm-1',
            base_url: 'http://127.0.0.1:1/v1/',
            key_env: 'FAST_KEY',
            context: 2_000,
          },
          ...{ fallbacks: ['ollama'], concurrency: 3 },
        },
      },
    },
    { url: 'http://127.0.0.1:2', model: 'llama3' },
    () => true,
  );
  if (!config.ok) throw new Error(config.error.join());
  const clock = createFakeClock();
  const models = serveModels(config.value, {
    ...{ clock, log: silentLog, key: (name: string) => `value of ${name}` },
    drivers: { 'openai-compatible': driver, anthropic: driver, ollama: driver },
  });
  expect(models?.concurrency).toBe(3);
  const [fast, ollama] = [made.get('fast'), made.get('ollama')];
  if (models === undefined || fast === undefined || ollama === undefined) throw new Error('not made');
  expect(fast.options).toMatchObject({ model: 'm-1', baseUrl: 'http://127.0.0.1:1/v1', apiKey: 'value of FAST_KEY' });
  expect(ollama.options).toMatchObject({ model: 'llama3', baseUrl: 'http://127.0.0.1:2', apiKey: undefined });

  const usage = { inputTokens: 1_000, outputTokens: 0 };
  expect([models.cost('fast', usage), models.cost('ollama', usage)]).toEqual([undefined, 0]);

  // Two jobs: the first uses up its three attempts, the second two of its own until the breaker opens.
  fast.model.play(...Array.from({ length: 5 }, () => fails(new ModelError('unavailable', 'down'))));
  ollama.model.play(says('for the first'), says('for the second'), says('for the third'));
  expect(await clock.during(text(models.default))).toBe('for the first');
  expect(await clock.during(text(models.default))).toBe('for the second');
  expect(fast.model.requests).toHaveLength(5);
  expect(await text(models.default)).toBe('for the third'); // at once, and without asking
  expect(fast.model.requests).toHaveLength(5);
  await clock.advance(30_000);
  fast.model.play(says('back'));
  expect(await text(models.default)).toBe('back');
});

test('without a model there is nothing to ask', () => {
  const config = parseModels({ models: {} }, undefined, () => false);
  expect(config).toMatchObject({ ok: true, value: { default: undefined } });
  const drivers = { 'openai-compatible': createMemoryModel, anthropic: createMemoryModel, ollama: createMemoryModel };
  const deps = { clock: createFakeClock(), log: silentLog, key: () => undefined, drivers: drivers as never };
  expect(config.ok && serveModels(config.value, deps)).toBeUndefined();
});
