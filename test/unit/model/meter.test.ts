// The meter around a driver: each request that went out is told once, with what the provider said it took, and nothing else is told.
import { expect, test } from 'vitest';
import { silentLog } from '#core/log.ts';
import { createMemoryModel, fails, says } from '#core/model/memory.ts';
import { withMeter } from '#core/model/meter.ts';
import { collect, type Model, ModelError, type ModelPart, type Sent } from '#core/model/model.ts';
import { parseModels } from '#core/model/models.ts';
import { serveModels } from '#core/model/serve.ts';
import { createFakeClock } from '../../helpers/clock.ts';
import { broken, hello, text } from './read.ts';

const messages = [{ role: 'user', content: 'hi' }] as const;

function setUp() {
  const inner = createMemoryModel();
  const sent: Sent[] = [];
  const told = (one: Sent): void => void sent.push(one);
  return { inner, sent, told, model: withMeter(inner) };
}

test('an answer is told with its usage before its end is handed on, and once', async () => {
  const { inner, sent, told, model } = setUp();
  inner.play(says('hello'));
  const { signal } = new AbortController();
  for await (const part of model.stream({ messages, signal, told })) {
    expect(sent).toHaveLength(part.type === 'end' ? 1 : 0);
  }
  expect(sent).toEqual([{ model: 'memory', outcome: 'answered', usage: { inputTokens: 3, outputTokens: 2 } }]);
});

test.each([
  { inputTokens: -1, outputTokens: 2 },
  { inputTokens: 1.5, outputTokens: 2 },
  { inputTokens: 1, outputTokens: Number.NaN },
  { inputTokens: 1e300, outputTokens: 2 },
  { inputTokens: 1, outputTokens: 100_000_001 },
  undefined,
])('a usage of %j is none', async (usage) => {
  const { inner, sent, told, model } = setUp();
  const end: ModelPart = { type: 'end', model: 'memory', finish: 'stop', usage };
  inner.play({ parts: [{ type: 'text', text: 'x' }, end] });
  const answer = await collect(model.stream({ ...hello, told }));
  expect(sent).toEqual([{ model: 'memory', outcome: 'answered', usage: undefined }]);
  expect(answer.usage).toBeUndefined();
});

test('what ends in the midst is cut, by whomever', async () => {
  const { inner, sent, told, model } = setUp();
  inner.play({ parts: [{ type: 'text', text: 'half' }] });
  await broken(model, { told });
  inner.play({ parts: [{ type: 'text', text: 'on' }], after: 'again' });
  const { signal } = new AbortController();
  for await (const part of model.stream({ messages, signal, told })) if (part.type === 'text') break;
  expect(sent.map(({ outcome }) => outcome)).toEqual(['cut', 'cut']);
});

test('before anything came: stopped by the caller, silent, or failed', async () => {
  const { inner, sent, told, model } = setUp();
  inner.play({ ...says('never'), hold: new Promise(() => undefined) });
  const stop = new AbortController();
  const asked = text(model, { told, signal: stop.signal });
  stop.abort();
  await expect(asked).rejects.toMatchObject({ code: 'canceled' });
  inner.play(fails(new ModelError('deadline_exceeded', 'nothing')), fails(new ModelError('unavailable', 'no')));
  await broken(model, { told });
  await broken(model, { told });
  expect(sent.map(({ outcome }) => outcome)).toEqual(['stopped', 'silent', 'failed']);
});

test('what the provider had taken is cut, also before a piece of the answer came, and silent where it said nothing', async () => {
  const sent: Sent[] = [];
  const told = (one: Sent): void => void sent.push(one);
  let error = new ModelError('unavailable', 'gone');
  const thinking: Model = {
    name: 'memory',
    // oxlint-disable-next-line require-yield
    async *stream({ alive }) {
      alive?.();
      throw error;
    },
  };
  await broken(withMeter(thinking), { told });
  error = new ModelError('deadline_exceeded', 'nothing');
  await broken(withMeter(thinking), { told });
  expect(sent.map(({ outcome }) => outcome)).toEqual(['cut', 'silent']);
});

test('a request that is stopped before it goes out is none', async () => {
  const { sent, told, model, inner } = setUp();
  await expect(text(model, { told, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'canceled' });
  expect(sent).toEqual([]);
  expect(inner.requests).toEqual([]);
});

test('of the configured models, retries and fallbacks are told each by its own name; what is refused unsent is not', async () => {
  const [fast, slow] = [createMemoryModel('fast'), createMemoryModel('slow')];
  const made = { fast, slow } as Readonly<Record<string, typeof fast>>;
  const one = { provider: 'openai-compatible', model: 'm', base_url: 'http://127.0.0.1:1/v1', context: 300 };
  const config = parseModels(
    {
      default: 'fast',
      models: { fast: { ...one, max_output: 50, fallbacks: ['slow'] }, slow: { ...one, max_output: 50 } },
    },
    undefined,
    () => true,
  );
  if (!config.ok) throw new Error(config.error.join());
  const clock = createFakeClock();
  const driver = ({ name }: { readonly name: string }) => made[name] ?? fast;
  const models = serveModels(config.value, {
    drivers: { 'openai-compatible': driver, anthropic: driver, ollama: driver },
    ...{ clock, log: silentLog, key: () => undefined },
  });
  if (models === undefined) throw new Error('no models');
  const sent: Sent[] = [];
  const told = (request: Sent): void => void sent.push(request);
  for (let i = 0; i < 3; i++) fast.play(fails(new ModelError('unavailable', 'down')));
  slow.play(says('instead', 'slow'));
  expect(await clock.during(text(models.default, { told }))).toBe('instead');
  expect(sent.map(({ model, outcome }) => `${model} ${outcome}`)).toEqual([
    ...['fast failed', 'fast failed', 'fast failed'],
    'slow answered',
  ]);
  sent.length = 0;
  await broken(models.default, { told, messages: [{ role: 'user', content: 'x'.repeat(2_000) }] });
  expect(sent).toEqual([]);
});
