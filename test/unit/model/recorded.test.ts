// Models made of a recording: they answer what was asked then, word for word, and nothing else.
import { expect, test } from 'vitest';
import { collect, type ModelRequest } from '#core/model/model.ts';
import { recordedModels } from '#core/model/recorded.ts';
import { firstDifference, parseRecording, type RecordedExchange } from '#core/model/recording.ts';

const asked = (content: string): RecordedExchange['request'] => ({ messages: [{ role: 'user', content }] });
const answered = (content: string, text: string): RecordedExchange => ({
  type: 'exchange',
  request: asked(content),
  parts: [
    { type: 'text', text: text.slice(0, 2) },
    { type: 'text', text: text.slice(2) },
    { type: 'end', model: 'fast', finish: 'stop', usage: { inputTokens: 3, outputTokens: 2 }, cost: 0.25 },
  ],
});
const { signal } = new AbortController();

function setUp(...exchanges: readonly RecordedExchange[]) {
  const recorded = recordedModels('fast', exchanges);
  const ask = (request: unknown) =>
    collect(recorded.models.default.stream({ ...(request as ModelRequest), signal, told: () => undefined }));
  return { recorded, ask };
}

test('answers in order, with the usage and the costs of then', async () => {
  const { recorded, ask } = setUp(answered('a', 'one'), answered('b', 'two'));
  const usage = { inputTokens: 3, outputTokens: 2 };
  expect(await ask(asked('a'))).toEqual({ model: 'fast', text: 'one', toolCalls: [], finish: 'stop', usage });
  expect(recorded.divergence(true)).toEqual({ exchange: 2, kind: 'fewer', difference: undefined });
  expect(recorded.divergence(false)).toBeUndefined();
  expect((await ask(asked('b'))).text).toBe('two');
  expect(recorded.divergence(true)).toBeUndefined();
  expect(recorded.models.cost('fast', usage)).toBe(0.25);
  expect(recorded.models.cost('slow', usage)).toBeUndefined();
});

test('other words are a divergence, the first one is told, and from then on nothing is answered', async () => {
  const { recorded, ask } = setUp(answered('hello there', 'one'), answered('b', 'two'));
  const wrong = { code: 'failed_precondition', message: 'exchange 1 is not the recorded one' };
  await expect(ask(asked('hello here'))).rejects.toMatchObject(wrong);
  await expect(ask(asked('b'))).rejects.toMatchObject({ code: 'failed_precondition' });
  expect(recorded.divergence(true)).toEqual({
    ...{ exchange: 1, kind: 'request' },
    difference: { path: 'messages[0].content', recorded: 'hello there', replayed: 'hello here', at: 6 },
  });
});

test('a tool answers what it answered then, or fails as it failed, and other input is a divergence', async () => {
  const use = { tool: 'git diff', input: { path: 'a', result: 'one\n' } };
  const said: RecordedExchange = { type: 'exchange', request: use, parts: [{ type: 'text', text: 'the diff' }] };
  const error = { code: 'unavailable', message: 'no git' } as const;
  const { recorded, ask } = setUp(answered('a', 'one'), said, { ...said, parts: [], error }, said);
  await ask(asked('a'));
  expect(await recorded.tool(use)).toBe('the diff');
  await expect(recorded.tool(use)).rejects.toMatchObject(error);
  await expect(recorded.tool({ ...use, input: { path: 'a', result: 'two\n' } })).rejects.toMatchObject({
    code: 'failed_precondition',
  });
  expect(recorded.divergence(true)).toEqual({
    ...{ exchange: 4, kind: 'request' },
    difference: { path: 'input.result', recorded: 'one\n', replayed: 'two\n', at: 0 },
  });
});

test('so is an exchange more', async () => {
  const { recorded, ask } = setUp();
  await expect(ask(asked('a'))).rejects.toMatchObject({ code: 'failed_precondition' });
  expect(recorded.divergence(true)).toEqual({ exchange: 1, kind: 'more', difference: undefined });
});

test('fails as it failed then, after what came before', async () => {
  const error = { code: 'deadline_exceeded', message: 'model fast said nothing for 45 s' } as const;
  const { ask } = setUp({ ...answered('a', 'one'), parts: [{ type: 'text', text: 'half' }], error });
  await expect(ask(asked('a'))).rejects.toMatchObject(error);
  const left = setUp({ ...answered('a', 'one'), parts: [] });
  await expect(left.ask(asked('a'))).rejects.toMatchObject({
    message: expect.stringContaining('read no further') as string,
  });
});

test.each([
  [{ a: 1 }, { a: 1 }, undefined],
  [{ a: 1, b: 2 }, { b: 2, a: 1 }, undefined],
  [{ a: [1, { b: 'xyz' }] }, { a: [1, { b: 'xz' }] }, { path: 'a[1].b', recorded: 'xyz', replayed: 'xz', at: 1 }],
  [{ a: [1] }, { a: [1, 2] }, { path: 'a[1]', recorded: undefined, replayed: '2', at: 0 }],
  [{ a: 1 }, {}, { path: 'a', recorded: '1', replayed: undefined, at: 0 }],
  [{ a: 1 }, { a: '1' }, { path: 'a', recorded: '1', replayed: '1', at: 1 }],
  [{ a: [] }, { a: {} }, { path: 'a', recorded: '[]', replayed: '{}', at: 0 }],
  ['ab', 'abc', { path: '', recorded: 'ab', replayed: 'abc', at: 2 }],
])('the first difference of %j and %j', (recorded, replayed, difference) => {
  expect(firstDifference(recorded, replayed)).toEqual(difference);
});

test.each(['', '{', '{"type":"attempt"}', '[]\n[]\n'])('%j is no recording', (text) => {
  expect(parseRecording(text)).toMatchObject({ ok: false });
});
