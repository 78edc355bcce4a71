// config/models.yaml: what is read, and every slip with the name of its field. And what a provider's failure means.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { faultOf, oneLine, retryAfterMs, statusTold } from '#core/model/fault.ts';
import { parseEmbeddings, parseModels } from '#core/model/models.ts';
import { parseConfigText } from '#core/process/config-file.ts';
import { EnvError } from '#core/process/env.ts';
import { parseContextEmbeddings, parseContextEngineConfig } from '../../../services/context-engine/config.ts';
import { parseWorkerConfig, parseWorkerModels } from '../../../services/worker/config.ts';

const entry = { provider: 'openai-compatible', model: 'm', base_url: 'http://127.0.0.1:1/v1', context: 8_000 };
const ollama = { url: 'http://127.0.0.1:11434', model: 'llama3' };
const read = (value: unknown, place?: typeof ollama) => parseModels(value, place, (name) => name === 'SET_KEY');
const problems = (value: unknown, place?: typeof ollama): readonly string[] => {
  const parsed = read(value, place);
  return parsed.ok ? [] : parsed.error;
};

test('the shipped file names no model', () => {
  const shipped = parseConfigText(readFileSync('config/models.yaml', 'utf8'), (value) => read(value));
  expect(shipped).toEqual({ ok: true, value: { entries: new Map(), default: undefined } });
});

test('an entry with its defaults', () => {
  const parsed = read({ default: 'a', models: { a: { ...entry, base_url: 'http://127.0.0.1:1/v1/' } } });
  expect(parsed.ok && parsed.value.entries.get('a')).toEqual({
    ...{ name: 'a', provider: 'openai-compatible', model: 'm', baseUrl: 'http://127.0.0.1:1/v1', keyEnv: undefined },
    ...{ context: 8_000, maxOutput: 1_024, price: undefined, fallbacks: [], concurrency: 4, patienceMs: 45_000 },
  });
});

test('the model of OLLAMA_URL answers unless the file says otherwise', () => {
  expect(read({}, ollama)).toMatchObject({ ok: true, value: { default: 'ollama' } });
  expect(read({ models: { a: entry } }, ollama)).toMatchObject({ ok: true, value: { default: 'ollama' } });
  expect(read({ default: 'a', models: { a: { ...entry, fallbacks: ['ollama'] } } }, ollama)).toMatchObject({
    ok: true,
    value: { default: 'a' },
  });
});

test.each<[unknown, readonly string[]]>([
  [[], ['must be an object']],
  [{ modles: {} }, ['modles: is not a known field']],
  [{ default: 'a', models: { a: { ...entry, key: 'sk-1' } } }, ['models.a.key: is not a known field']],
  [
    { default: 'a', models: { a: { ...entry, provider: 'x' } } },
    ['models.a.provider: must be one of openai-compatible, anthropic, ollama'],
  ],
  [
    { default: 'a', models: { a: { ...entry, base_url: 'ftp://x', context: 1 } } },
    ['models.a.base_url: must be a URL that begins with http:// or https://', 'models.a.context: must be at least 256'],
  ],
  [
    { default: 'a', models: { a: { ...entry, base_url: 'http://u:p@127.0.0.1/v1' } } },
    ['models.a.base_url: must hold no user or password: name key_env'],
  ],
  [
    { default: 'a', models: { a: { ...entry, base_url: 'http://:p@127.0.0.1/v1' } } },
    ['models.a.base_url: must hold no user or password: name key_env'],
  ],
  ...['?', '?key=1'].map((query): [unknown, string[]] => [
    { default: 'a', models: { a: { ...entry, base_url: `http://127.0.0.1/v1${query}` } } },
    ['models.a.base_url: must hold no query (?)'],
  ]),
  [
    { default: 'a', models: { a: { ...entry, base_url: 'http://127.0.0.1/v1#a' } } },
    ['models.a.base_url: must hold no fragment (#)'],
  ],
  [
    { default: 'a', models: { a: { ...entry, price: { input: -1, output: 1 } } } },
    ['models.a.price.input: must be at least 0'],
  ],
  [
    { default: 'a', models: { a: { ...entry, patience_seconds: 291 } } },
    ['models.a.patience_seconds: must be at most 290'],
  ],
  [
    { default: 'echo', models: { echo: entry, other: entry } },
    [
      'models.echo: is the name of an answer without a model; name it otherwise',
      'models.other: is the name of the sum of models that are too many; name it otherwise',
    ],
  ],
  [{ models: { a: entry } }, ['default: must name one of the models']],
  [{ default: 'b', models: { a: entry } }, ['default: there is no model b']],
  [
    { default: 'a', models: { a: { ...entry, fallbacks: ['a', 'c', 'c'], key_env: 'NO_KEY', max_output: 8_000 } } },
    [
      'models.a.fallbacks[0]: names the model itself',
      'models.a.fallbacks[1]: there is no model c',
      'models.a.fallbacks[2]: names c a second time',
      'models.a.key_env: NO_KEY is not set',
      'models.a.max_output: must be less than context',
    ],
  ],
  [{ default: 'a', models: { a: { ...entry, provider: 'anthropic' } } }, ['models.a.key_env: must name a variable']],
  [{ default: 'a', models: { a: { ...entry, key_env: 'SET_KEY' } } }, []],
])('%j', (value, expected) => {
  expect(problems(value)).toEqual(expected);
});

test.each<[unknown, readonly string[]]>([
  [
    { embeddings: { model: 'e', base_url: 'ftp://x' } },
    ['embeddings.base_url: must be a URL that begins with http:// or https://'],
  ],
  [{ embeddings: { base_url: 'http://x/v1' } }, ['embeddings.model: must be text']],
  [
    { embeddings: { model: 'e', base_url: 'http://x/v1', dimensions: 0 } },
    ['embeddings.dimensions: must be at least 1'],
  ],
  [{ embeddings: { model: 'e', base_url: 'http://x/v1', key: 'sk-1' } }, ['embeddings.key: is not a known field']],
  [
    { embeddings: { model: 'e', base_url: 'http://x/v1', key_env: 'NO_KEY' } },
    ['embeddings.key_env: NO_KEY is not set'],
  ],
  [{ embedings: {} }, ['embedings: is not a known field']],
])('embeddings: %j', (value, expected) => {
  const parsed = parseEmbeddings(value, (name) => name === 'SET_KEY');
  expect(parsed).toEqual({ ok: false, error: expected });
  // Whose key it is, is for whoever asks by it.
  if (!expected.some((problem) => problem.includes('is not set'))) expect(problems(value)).toEqual(expected);
  else expect(problems(value)).toEqual([]);
});

test('embeddings with their defaults, and without any', () => {
  const one = { model: 'e', base_url: 'http://127.0.0.1:1/v1/', key_env: 'SET_KEY' };
  expect(parseEmbeddings({ models: 'is for workers', embeddings: one }, () => true)).toEqual({
    ok: true,
    value: {
      model: 'e',
      baseUrl: 'http://127.0.0.1:1/v1',
      keyEnv: 'SET_KEY',
      dimensions: undefined,
      maxCharacters: 6_000,
    },
  });
  for (const none of [{}, { embeddings: null }, { models: {}, default: null }])
    expect(parseEmbeddings(none, () => false)).toEqual({ ok: true, value: undefined });
});

test('two models named ollama are one too many', () => {
  expect(problems({ models: { ollama: entry } }, ollama)).toEqual([
    'models.ollama: is the model of OLLAMA_URL; unset that or name this one otherwise',
  ]);
});

test('the worker reads the file and the environment', () => {
  const models = (env: Record<string, string>, text: string | undefined = 'models: {}') =>
    parseWorkerModels(parseWorkerConfig(env), { path: env['MODELS_PATH'] ?? 'config/models.yaml', text }, env);
  expect(models({}).models.default).toBeUndefined();
  expect(models({}, '').models.default).toBeUndefined();
  const place = (env: Record<string, string>) => models(env).models.entries.get('ollama');
  expect(place({ OLLAMA_MODEL: 'tiny' })).toMatchObject({ baseUrl: 'http://127.0.0.1:11434', model: 'tiny' });
  expect(place({ OLLAMA_URL: 'http://ollama:11434/' })).toMatchObject({
    baseUrl: 'http://ollama:11434',
    model: 'llama3',
  });
  const keyed = JSON.stringify({ default: 'a', models: { a: { ...entry, key_env: 'A_KEY' } } });
  expect(() => models({}, keyed)).toThrow(new EnvError(['config/models.yaml: models.a.key_env: A_KEY is not set']));
  expect(() => models({ A_KEY: '“sk-1”' }, keyed)).toThrow(
    new EnvError(['A_KEY: holds a character that no header can, such as a typographic quote']),
  );
  const { models: read1, modelKey } = models({ A_KEY: ' sk-1 ' }, keyed);
  expect(modelKey('A_KEY')).toBe('sk-1');
  expect(JSON.stringify([...read1.entries])).not.toContain('sk-1');
});

test('only the file that nobody named may be missing', () => {
  const parse = (env: Record<string, string>) => () =>
    parseWorkerModels(parseWorkerConfig(env), { path: env['MODELS_PATH'] ?? '', text: undefined }, env);
  expect(parse({})()).toMatchObject({ models: { default: undefined } });
  expect(parse({ MODELS_PATH: 'mine.yaml' })).toThrow('MODELS_PATH: there is no file mine.yaml');
});

test('the context engine reads its section alone, and says at once what is wrong there', () => {
  const read1 = (env: Record<string, string>, text: string | undefined) =>
    parseContextEmbeddings(
      parseContextEngineConfig(env),
      { path: env['MODELS_PATH'] ?? 'config/models.yaml', text },
      env,
    );
  const section = (more: object) =>
    JSON.stringify({
      models: { a: { ...entry, key_env: 'OF_THE_WORKER' } },
      embeddings: { model: 'e', base_url: 'http://127.0.0.1:1/v1', ...more },
    });
  expect(read1({}, readFileSync('config/models.yaml', 'utf8'))).toBeUndefined();
  for (const text of [undefined, '', 'embeddings:']) expect(read1({}, text)).toBeUndefined();
  expect(() => read1({ MODELS_PATH: 'mine.yaml' }, undefined)).toThrow('MODELS_PATH: there is no file mine.yaml');
  expect(read1({ E_KEY: ' sk-1 ' }, section({ key_env: 'E_KEY' }))).toMatchObject({ model: 'e', apiKey: 'sk-1' });
  expect(read1({}, section({}))).toMatchObject({ apiKey: undefined });
  expect(() => read1({}, section({ dimensions: 'many' }))).toThrow(
    new EnvError(['config/models.yaml: embeddings.dimensions: must be a number']),
  );
  expect(() => read1({ E_KEY: '“sk-1”' }, section({ key_env: 'E_KEY' }))).toThrow(
    new EnvError(['E_KEY: holds a character that no header can, such as a typographic quote']),
  );
});

const now = Date.parse('2026-11-27T10:00:00Z');

test.each([
  [{}, undefined],
  [{ 'retry-after': '7' }, 7_000],
  [{ 'retry-after': '0.25' }, 250],
  [{ 'retry-after-ms': '120', 'retry-after': '7' }, 120],
  [{ 'retry-after': 'Fri, 27 Nov 2026 10:00:30 GMT' }, 30_000],
  [{ 'retry-after': 'Fri, 27 Nov 2026 09:00:00 GMT' }, 0],
  [{ 'retry-after': 'soon' }, undefined],
  [{ 'retry-after': '-5' }, undefined],
  [{ 'retry-after': '' }, undefined],
])('retry-after %j', (headers, ms) => {
  expect(retryAfterMs(headers, now)).toBe(ms);
});

test.each([
  [{ code: 400 }, 400],
  [{ code: '429' }, 429],
  [{ status: 503 }, 503],
  [{ code: null, type: 'overloaded_error' }, 529],
  [{ code: 'context_length_exceeded', type: 'server_error' }, 400],
  [{ code: 200 }, undefined],
  [{ code: 4000, type: 'constructor' }, undefined],
  [{ code: ['400'] }, undefined],
  [{}, undefined],
])('an error in the midst of an answer that tells %j stands for %s', (error, status) => {
  expect(statusTold(error)).toBe(status);
});

test('what a provider says is one short line, and nothing at all about keys', () => {
  expect(oneLine(` a\n\n b ${'x'.repeat(500)}`)).toMatch(/^a b x{196}\.\.\.$/);
  const leak = { status: 401, headers: {}, message: 'wrong key: sk-secret' };
  const words = { status: 500, headers: {}, message: 'cannot answer "my secret prompt"' };
  expect(faultOf('m', words, now)).toMatchObject({
    message: 'model m answered 500: cannot answer "my secret prompt"',
    brief: 'model m answered 500',
  });
  expect(faultOf('m', leak, now).message).toBe('model m answered 401: it does not take the key that key_env names');
});
