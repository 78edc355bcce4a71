// Meanings in a context engine, from the ingest to the window, on both drivers of repositories and against a server that speaks the wire
// format. Which text means what is scripted: words stand for the idea that this file says.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createMemoryRepos } from '#core/context/memory-repos.ts';
import { createRedisRepos } from '#core/context/redis-repos.ts';
import type { Repos } from '#core/context/repo/repos.ts';
import { createKeys } from '#core/jobs/keys.ts';
import { openAiEmbeddings } from '#core/model/openai-embeddings.ts';
import { script } from '#core/redis/redis.ts';
import { systemClock } from '#core/system.ts';
import { ContextMode } from '#proto/cortex/v1/context_pb.ts';
import { createFakeClock, type FakeClock } from '../helpers/clock.ts';
import { engineHere, type EngineHere } from '../helpers/context/engine.ts';
import { createCountedMetrics } from '../helpers/counted-metrics.ts';
import { type EmbeddingsTurn, type ModelServer, startModelServer } from '../helpers/model-server.ts';
import { redisStage } from '../helpers/redis-job-store.ts';

/** [scripted] Three ideas: keeping what one holds, lining up, and the weather. */
const ideas: readonly (readonly [RegExp, readonly number[]])[] = [
  [/LeaseKeeper|lapsing/, [1, 0, 0.1]],
  [/enqueue/, [0, 1, 0.1]],
  [/cloud/, [0, 0, 1]],
];
const scripted = (text: string): readonly number[] => ideas.find(([words]) => words.test(text))?.[1] ?? [0, 0, -1];

const files = {
  'src/lease.ts': `export class LeaseKeeper {\n  renew(now: number): boolean {\n    return now > 0;\n  }\n}\n`,
  'src/queue.ts': `export function enqueue(job: string): number {\n  return job.length;\n}\n`,
  'src/sky.ts': `export const cloud = 'grey';\n`,
};
/** No word of it is in the file that it is about. */
const question = 'What prevents my reservation from lapsing?';

const stage = redisStage();
const flush = script('flush', `return redis.call('FLUSHALL')`);
const drivers: Readonly<Record<string, () => Promise<Repos>>> = {
  memory: async () => Promise.resolve(createMemoryRepos(Date.now)),
  Redis: async () => {
    await stage.redis().run(flush, [], []);
    return createRedisRepos({ redis: stage.redis(), keys: createKeys(1) });
  },
};

let server: ModelServer;
let engine: EngineHere;
let clock: FakeClock;
let metrics: ReturnType<typeof createCountedMetrics>;

const start = async (repos: Repos, model = 'some-embedding'): Promise<void> => {
  metrics = createCountedMetrics();
  clock = createFakeClock();
  const of = { model, apiKey: undefined, dimensions: undefined, maxCharacters: 6_000 };
  const embeddings = openAiEmbeddings({ ...of, baseUrl: `${server.url}/v1`, clock: systemClock });
  engine = engineHere({ repos, embeddings, clock, metrics });
  return Promise.resolve();
};
beforeEach(async () => {
  server = await startModelServer(scripted);
});
afterEach(async () => {
  await engine.close();
  await server.close();
});

const ingest = async (of: Readonly<Record<string, string>> = files, commit = 'c1') =>
  engine.client.ingestRepo({ repository: 'demo', commit, scanResult: await engine.scanOf(of) });
const search = async (query = question) =>
  (await engine.client.searchRepo({ repository: 'demo', query })).chunks.map(({ path, reason }) => [path, reason]);
const window = (here = engine, prompt = question) =>
  here.client.buildWindow({
    ...{ mode: ContextMode.RAG, model: 'gpt-4o', repository: 'demo', explain: true },
    logicalPayload: new TextEncoder().encode(JSON.stringify({ prompt })),
  });
/** Texts that were asked for, but for the probe of the length. */
const asked = (from = 0): string[] =>
  server.requests
    .slice(from)
    .flatMap(({ body }) => body['input'] as string[])
    .filter((text) => text !== 'length');
const counted = (use: string, outcome: string): number =>
  metrics.read(`cortex_context_embeddings_total{use="${use}",outcome="${outcome}"}`);
const said = (message: string) => engine.lines.filter((line) => line.includes(message));

describe.each(Object.entries(drivers))('meanings (%s)', (_, make) => {
  test('a question finds the file that has none of its words', async () => {
    await start(await make());
    await ingest();
    await engine.meanings.idle();
    expect(await search()).toEqual([
      ['src/lease.ts', 'its meaning is near'],
      ['src/sky.ts', 'its meaning is near'],
      ['src/queue.ts', 'its meaning is near'],
    ]);
    const { parts, messages } = await window();
    expect(parts[0]).toMatchObject({ source: 'src/lease.ts', reason: 'its meaning is near', lines: { first: 1 } });
    expect(messages[0]?.content).toContain('renew(now: number)');
    // Each chunk once, with its path and lines, and the two questions.
    expect(asked()).toHaveLength(5);
    expect(asked()[0]).toBe(`src/lease.ts:1-5\n${files['src/lease.ts'].trimEnd()}`);
    expect([counted('question', 'ok'), said('a repository has its vectors').length]).toEqual([2, 1]);
  });

  test('the index is there at once, and goes by words alone until all vectors are made', async () => {
    await start(await make());
    server.playEmbeddings({ kind: 'silent' });
    await ingest();
    const { closed } = await server.request(0);
    expect(await search()).toEqual([]);
    expect((await search('enqueue'))[0]?.[0]).toBe('src/queue.ts');
    expect(server.requests).toHaveLength(1);
    // The end of the engine ends the request, and what was not made is given up without a word.
    await engine.close();
    expect(await closed).toBe('left');
    expect(said('given up')).toEqual([]);
  });

  test('files that have not changed are not asked for again; after a restart, neither', async () => {
    const repos = await make();
    await start(repos);
    await ingest();
    await engine.meanings.idle();
    const before = server.requests.length;
    await ingest({ ...files, 'src/new.ts': 'export const cloudy = 1;\n' }, 'c2');
    await engine.meanings.idle();
    expect(asked(before)).toEqual(['src/new.ts:1-1\nexport const cloudy = 1;']);
    expect((await search('blue or grey sky: cloud'))[0]?.[0]).toBe('src/sky.ts');
    await engine.close();
    await start(repos);
    expect((await search())[0]?.[0]).toBe('src/lease.ts');
    const then = server.requests.length;
    await ingest(files, 'c3');
    await engine.meanings.idle();
    expect(asked(then)).toEqual([]);
  });

  test('vectors of another model are not compared, and are made anew', async () => {
    const repos = await make();
    await start(repos);
    await ingest();
    await engine.meanings.idle();
    await engine.close();
    await start(repos, 'another-embedding');
    const before = server.requests.length;
    expect(await search()).toEqual([]);
    expect(server.requests).toHaveLength(before);
    await ingest();
    await engine.meanings.idle();
    expect(asked(before)).toHaveLength(3);
    expect((await search())[0]?.[0]).toBe('src/lease.ts');
  });
});

describe('what goes wrong', () => {
  const twin = () => createMemoryRepos(Date.now);

  test.each<[string, EmbeddingsTurn, string]>([
    ['a failure', { kind: 'status', status: 500 }, 'unavailable'],
    ['garbage', { kind: 'text', text: '<html>' }, 'internal'],
    ['a vector of another length', { kind: 'vectors', vectors: [[1, 2]] }, 'internal'],
    ['silence', { kind: 'silent' }, 'deadline_exceeded'],
  ])('%s: the window is the one without meanings', async (_, turn, code) => {
    const repos = twin();
    await start(repos);
    await ingest();
    await engine.meanings.idle();
    const plain = engineHere({ repos });
    const prompt = 'What does enqueue do about lapsing?';
    const words = await window(plain, prompt);
    await plain.close();
    expect(await window(engine, prompt)).not.toEqual(words);
    server.playEmbeddings(turn);
    const before = server.requests.length;
    const built = window(engine, prompt);
    const { closed } = await server.request(before);
    if (turn.kind === 'silent') await clock.advance(1_500);
    expect(await built).toEqual(words);
    expect(await closed).toBe(turn.kind === 'silent' ? 'left' : 'answered');
    expect([counted('question', code), said('by its words alone').length]).toEqual([1, 1]);
  });

  test('a model that fails three times in a row is left alone for half a minute', async () => {
    await start(twin());
    await ingest();
    await engine.meanings.idle();
    const before = server.requests.length;
    for (let i = 0; i < 4; i++) server.playEmbeddings({ kind: 'status', status: 503 });
    for (let i = 0; i < 6; i++) await search();
    expect(server.requests).toHaveLength(before + 3);
    await clock.advance(30_000);
    expect(await search()).toEqual([]);
    expect(server.requests).toHaveLength(before + 4);
    await clock.advance(30_000);
    expect(await search()).toHaveLength(3);
  });

  test('what may succeed later is asked for again, when the provider says', async () => {
    await start(twin());
    server.playEmbeddings(
      { kind: 'status', status: 429, headers: { 'retry-after': '7' } },
      { kind: 'status', status: 500 },
    );
    await ingest();
    await server.request(0);
    clock.quiet = async () => new Promise((resolve) => setTimeout(resolve, 5));
    await clock.during(engine.meanings.idle(), 1_000);
    expect(clock.monotonic()).toBeGreaterThanOrEqual(11_000);
    expect([counted('chunks', 'resource_exhausted'), counted('chunks', 'unavailable')]).toEqual([1, 1]);
    expect(await search()).toHaveLength(3);
  });

  test('the rest is given up, with a line, and is made with the next ingest', async () => {
    await start(twin());
    server.playEmbeddings({ kind: 'vectors', vectors: [[1, 0, 0]] }, { kind: 'status', status: 401 });
    await ingest();
    await engine.meanings.idle();
    expect(said('the vectors of a repository were given up')).toEqual([expect.stringContaining('unauthenticated')]);
    expect(server.requests).toHaveLength(2);
    expect((await search('enqueue'))[0]?.[0]).toBe('src/queue.ts');
    await ingest();
    await engine.meanings.idle();
    expect(await search()).toHaveLength(3);
  });

  test('a model that changes its length is asked anew for all', async () => {
    await start(twin());
    server.playEmbeddings({ kind: 'vectors', vectors: [[1, 0]] });
    await ingest();
    await engine.meanings.idle();
    expect(said('of another length than 2')).toHaveLength(1);
    await ingest();
    await engine.meanings.idle();
    expect(await search()).toHaveLength(3);
  });

  test('vectors without room are given up, and the index stays', async () => {
    const repos = createMemoryRepos(Date.now, { bytes: 1_000 });
    await start({ ...repos, putVectors: async (item) => repos.putVectors({ ...item, files: item.files.map(larger) }) });
    await ingest();
    await engine.meanings.idle();
    expect(said('leave no room for vectors')).toHaveLength(1);
    expect((await search('enqueue'))[0]?.[0]).toBe('src/queue.ts');
  });
  const larger = ({ print }: { readonly print: string }) => ({ print, bytes: new Uint8Array(9_000) });
});

test('without a model nobody is asked', async () => {
  engine = engineHere();
  await ingest();
  await engine.meanings.idle();
  expect(await search()).toEqual([]);
  expect((await window()).parts.map(({ kind }) => kind)).toEqual(['user']);
  expect(server.requests).toEqual([]);
});
