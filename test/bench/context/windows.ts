// `npm run bench -- context`, second part: windows from a real context engine over Connect, with an index of 10,000 chunks on a real Redis,
// warm and cold, beside minisearch asked the same in this process, turn and turn about.
import MiniSearch from 'minisearch';
import { createRedisRepos } from '#core/context/redis-repos.ts';
import { encodeIndex } from '#core/context/repo/blob.ts';
import { textOf } from '#core/context/repo/chunk.ts';
import { loadOutliner } from '#core/context/repo/grammars.node.ts';
import { chunkAt, indexFiles, type RepoIndex } from '#core/context/repo/repo-index.ts';
import { createRpcClient } from '#core/http/connect.ts';
import { connectRedis } from '#core/redis/ioredis.node.ts';
import { ContextEngine, ContextMode } from '#proto/cortex/v1/context_pb.ts';
import { packFile } from '../../../services/context-engine/pack.ts';
import { startRedis } from '../../helpers/servers.ts';
import { startService } from '../../helpers/service-process.ts';
import { quantile } from '../path/stats.ts';
import { type Corpus, questionsOf, readCorpus } from './corpus.ts';

/** More indexes than an engine keeps at hand: asked in turn, each is read anew. */
const cold = 20;
const fields = ['path', 'definitions', 'text'];

export async function benchWindows({
  chunks,
  questions: most,
  rounds,
}: Readonly<Record<'chunks' | 'questions' | 'rounds', number>>) {
  const outliner = await loadOutliner(['javascript', 'typescript']);
  const corpus = readCorpus(chunks, outliner);
  const questions = questionsOf(corpus, most);
  const index = indexFiles(corpus.files, outliner);
  const server = await startRedis();
  const redis = await connectRedis({
    url: server.url,
    name: 'bench',
    onError: () => undefined,
    commandTimeoutMs: 60_000,
  });
  const engine = await startService(
    'services/context-engine/node.ts',
    { REDIS_URL: server.url, CONTEXT_ENGINE_ADDR: '127.0.0.1:0', LOG_LEVEL: 'warn' },
    ['rpc', 'metrics'],
  );
  const client = createRpcClient(ContextEngine, { baseUrl: engine.urls['rpc'] ?? '' });
  const ask = (repository: string, prompt: string) =>
    client.buildWindow({
      ...{ mode: ContextMode.RAG, model: 'gpt-4o', repository, maxInputTokens: 8_000 },
      logicalPayload: new TextEncoder().encode(JSON.stringify({ prompt })),
    });
  try {
    await fill(corpus, index, createRedisRepos({ redis, limits: { bytes: 2 ** 40 } }));
    const { json, mini } = miniOf(corpus, index);
    const times: Record<string, number[]> = {};
    const timed = async (name: string, run: () => unknown): Promise<void> => {
      const began = performance.now();
      await run();
      (times[name] ??= []).push(performance.now() - began);
    };
    for (const prompt of questions.slice(0, 50)) await ask('r0', prompt);
    for (let round = 0; round < rounds; round++) {
      for (const [i, prompt] of questions.entries()) {
        await timed('window, warm', () => ask('r0', prompt));
        if (i % 10 === 0) await timed('minisearch: query alone, warm', () => mini.search(prompt).slice(0, 80));
      }
      for (let i = 0; i < cold; i++) {
        const prompt = questions[(round * cold + i) % questions.length] ?? '';
        await timed('window, cold', () => ask(`r${i}`, prompt));
        if (i % 4 === 0)
          await timed('minisearch: load and query, cold', () =>
            MiniSearch.loadJSON(json, { fields }).search(prompt).slice(0, 80),
          );
      }
    }
    for (const [name, all] of Object.entries(times)) {
      const [p50, p99] = [quantile(all, 0.5), quantile(all, 0.99)];
      console.log(
        `${name.padEnd(36)} ${String(all.length).padStart(5)}   p50 ${p50.toFixed(1)} ms   p99 ${p99.toFixed(1)} ms`,
      );
    }
  } finally {
    await engine.stop();
    await redis.close();
    await server.stop();
  }
}

async function fill(corpus: Corpus, index: RepoIndex, repos: ReturnType<typeof createRedisRepos>): Promise<void> {
  const blob = encodeIndex(index);
  const bytes = new Map(corpus.files.map((file) => [file.path, file.bytes]));
  const files = index.files
    .filter(({ chunks }) => chunks.length > 0)
    .map(({ path, fingerprint }) => ({ print: fingerprint, bytes: packFile(bytes.get(path) ?? new Uint8Array(0)) }));
  const prints = [...new Set(files.map(({ print }) => print))];
  for (let i = 0; i < cold; i++) {
    const name = { tenant: 'default', repository: `r${i}` };
    await repos.putFiles({ ...name, files });
    if ((await repos.putIndex({ ...name, commit: 'c', blob, prints })) !== 'ok')
      throw new Error('an index was not taken');
  }
}

function miniOf({ files }: Corpus, index: RepoIndex) {
  const bytes = new Map(files.map((file) => [file.path, file.bytes]));
  const mini = new MiniSearch({ fields });
  mini.addAll(
    Array.from(index.fileOf, (_, id) => {
      const { file, chunk } = chunkAt(index, id);
      const text = textOf(bytes.get(file.path) ?? new Uint8Array(0), chunk.start, chunk.end);
      return { id, path: file.path, definitions: chunk.definitions.map(({ name }) => name).join(' '), text };
    }),
  );
  return { mini, json: JSON.stringify(mini) };
}
