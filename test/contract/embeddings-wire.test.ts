// The driver of embeddings against a server that speaks the wire format.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CortexError, isRetryable } from '#core/errors.ts';
import { ModelError } from '#core/model/model.ts';
import { type EmbeddingsOptions, openAiEmbeddings } from '#core/model/openai-embeddings.ts';
import { systemClock } from '#core/system.ts';
import { createFakeClock } from '../helpers/clock.ts';
import { type EmbeddingsTurn, type ModelServer, startModelServer } from '../helpers/model-server.ts';

let server: ModelServer;
beforeEach(async () => {
  // Scripted: the length of a text, and one place that no text has.
  server = await startModelServer((text) => [text.length, 0, -1]);
});
afterEach(() => server.close());

const driver = (more: Partial<EmbeddingsOptions> = {}) =>
  openAiEmbeddings({
    ...{ model: 'some-embedding', baseUrl: `${server.url}/v1`, apiKey: 'sk-test', dimensions: undefined },
    ...{ maxCharacters: 1_000, clock: systemClock },
    ...more,
  });
const embed = (
  texts: readonly string[],
  more: Partial<EmbeddingsOptions> = {},
  signal = new AbortController().signal,
) => driver(more).embed(texts, { signal });
const fault = async (work: Promise<unknown>): Promise<ModelError> => {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ModelError);
  return error as ModelError;
};

test('asks in batches, and cuts what is too long', async () => {
  const texts = Array.from({ length: 70 }, (_, i) => 'x'.repeat(i + 1));
  const vectors = await embed([...texts, 'y'.repeat(5_000), `${'z'.repeat(999)}\u{1F600}`]);
  expect(vectors.map(([length]) => length)).toEqual([...texts.map(({ length }) => length), 1_000, 1_000]);
  expect(vectors[0]).toEqual(Float32Array.from([1, 0, -1]));
  expect(server.requests.map(({ body }) => (body['input'] as string[]).length)).toEqual([32, 32, 8]);
  const { path, headers, body } = await server.request(0);
  expect(path).toBe('/v1/embeddings');
  expect(headers['authorization']).toBe('Bearer sk-test');
  expect(body).toEqual({ model: 'some-embedding', encoding_format: 'float', input: texts.slice(0, 32) });
  // Half of a character is none.
  const last = await server.request(2);
  expect((last.body['input'] as string[]).at(-1)).toBe(`${'z'.repeat(999)}\uFFFD`);
  expect(await embed([])).toEqual([]);
  expect(server.requests).toHaveLength(3);
});

test('asks for so many numbers where somebody says how many, and without a key where there is none', async () => {
  expect(await embed(['a'], { dimensions: 3, apiKey: undefined })).toHaveLength(1);
  expect(server.requests[0]?.body['dimensions']).toBe(3);
  expect(server.requests[0]?.headers['authorization']).toBeUndefined();
});

test('an answer in another order says so', async () => {
  server.playEmbeddings({ kind: 'vectors', vectors: [[1], [2], [3]], indexes: [2, 0, 1] });
  expect((await embed(['a', 'b', 'c'])).map(([one]) => one)).toEqual([2, 3, 1]);
});

test.each<[string, EmbeddingsTurn, Partial<EmbeddingsOptions>]>([
  ['no JSON', { kind: 'text', text: '<html>' }, {}],
  ['another JSON', { kind: 'text', text: '{"data":{}}' }, {}],
  ['too few vectors', { kind: 'vectors', vectors: [[1]] }, {}],
  ['too many', { kind: 'vectors', vectors: [[1], [1], [1]] }, {}],
  ['one place twice', { kind: 'vectors', vectors: [[1], [1]], indexes: [0, 0] }, {}],
  ['a place that there is not', { kind: 'vectors', vectors: [[1], [1]], indexes: [0, 1e9] }, {}],
  ['no numbers', { kind: 'vectors', vectors: [['a'], ['b']] }, {}],
  ['numbers that are none', { kind: 'text', text: '{"data":[{"embedding":[1e999]},{"embedding":[1]}]}' }, {}],
  ['empty vectors', { kind: 'vectors', vectors: [[], []] }, {}],
  ['vectors of two lengths', { kind: 'vectors', vectors: [[1, 2], [1]] }, {}],
  [
    'another length than asked for',
    {
      kind: 'vectors',
      vectors: [
        [1, 2],
        [1, 2],
      ],
    },
    { dimensions: 3 },
  ],
])('%s is garbage, and not asked for again', async (_, turn, more) => {
  server.playEmbeddings(turn);
  const error = await fault(embed(['a', 'b'], more));
  expect(error).toMatchObject({ code: 'internal', message: expect.stringContaining('not its protocol') as string });
  expect(isRetryable(error)).toBe(false);
});

test.each([
  [429, 'resource_exhausted', 3_000],
  [500, 'unavailable', undefined],
  [401, 'unauthenticated', undefined],
  [404, 'not_found', undefined],
  [400, 'invalid_argument', undefined],
] as const)('status %i is %s', async (status, code, retryAfterMs) => {
  server.playEmbeddings({ kind: 'status', status, ...(status === 429 && { headers: { 'retry-after': '3' } }) });
  const error = await fault(embed(['a']));
  expect(error).toMatchObject({ code, retryAfterMs });
  expect(error.message).not.toContain('sk-test');
  expect(server.requests).toHaveLength(1);
});

test('a server that is not there may be asked again', async () => {
  await server.close();
  expect(isRetryable(await fault(embed(['a'])))).toBe(true);
});

test('whoever stops ends the request, and a server that says nothing is given up', async () => {
  server.playEmbeddings({ kind: 'silent' }, { kind: 'silent' });
  const stop = new AbortController();
  const stopped = embed(['a'], {}, stop.signal);
  const first = await server.request(0);
  stop.abort(new CortexError('canceled', 'enough'));
  await expect(stopped).rejects.toMatchObject({ code: 'canceled', message: 'enough' });
  expect(await first.closed).toBe('left');
  const clock = createFakeClock();
  const late = fault(embed(['a'], { clock }));
  const second = await server.request(1);
  await clock.advance(60_000);
  expect(await late).toMatchObject({ code: 'deadline_exceeded' });
  expect(await second.closed).toBe('left');
  await expect(embed(['a'], {}, stop.signal)).rejects.toMatchObject({ code: 'canceled' });
  expect(server.requests).toHaveLength(2);
});
