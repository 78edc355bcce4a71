// A context engine in this process on the twins, asked through its real door; repositories are read by its real thread.
import type { Embeddings } from '#core/context/repo/embeddings.ts';
import type { Repos } from '#core/context/repo/repos.ts';
import { createMemoryRepos } from '#core/context/memory-repos.ts';
import { createRpcClient } from '#core/http/connect.ts';
import { createMemoryLog } from '#core/jobs/memory-log.ts';
import { createMemoryStore } from '#core/jobs/memory-store.ts';
import { createLog } from '#core/log.ts';
import type { Metrics } from '#core/metrics/metrics.ts';
import { noopMetrics } from '#core/metrics/noop.ts';
import { type Clock, systemClock } from '#core/system.ts';
import { ContextEngine } from '#proto/cortex/v1/context_pb.ts';
import { createContextApp } from '../../../services/context-engine/app.ts';
import { createIngester } from '../../../services/context-engine/ingest.ts';
import { createMeanings, noMeanings } from '../../../services/context-engine/meanings.ts';
import { createMemories } from '../../../services/context-engine/memories.ts';
import { createRepositories } from '../../../services/context-engine/repositories.ts';
import { createWindows } from '../../../services/context-engine/windows.ts';
import { createArchive } from '../../../services/worker/repo/archive.ts';

export type EngineHere = ReturnType<typeof engineHere>;

export interface EngineHereOptions {
  readonly token?: string;
  /** What compares meanings; without it nobody does. */
  readonly embeddings?: Embeddings;
  readonly repos?: Repos;
  readonly clock?: Clock;
  readonly metrics?: Metrics;
}

export function engineHere({
  token,
  embeddings,
  repos = createMemoryRepos(Date.now),
  clock = systemClock,
  metrics = noopMetrics,
}: EngineHereOptions = {}) {
  let count = 0;
  const store = createMemoryStore({ now: Date.now, random: () => String(count++) });
  const memoryLog = createMemoryLog(store.memory);
  const lines: string[] = [];
  const log = createLog({ level: 'info', write: (line) => void lines.push(line), now: Date.now, fields: {} });
  const ingester = createIngester();
  const memories = createMemories(memoryLog);
  const repositories = createRepositories({ repos, ingester, log });
  const meanings =
    embeddings === undefined ? noMeanings : createMeanings({ repos, repositories, embeddings, clock, log, metrics });
  /** By pointer. */
  const archives = new Map<string, Uint8Array>();
  const { app } = createContextApp({
    ...{ tenant: 'default', memoryLog, memories, repositories, meanings, log, metrics, clock, token },
    buildWindow: createWindows({ memories, repositories, meanings, log }),
    readArchive: async (pointer, tenant) => {
      const archive = archives.get(`${tenant} ${pointer}`);
      if (archive === undefined) throw new Error(`no archive ${pointer} of ${tenant}`);
      return Promise.resolve(archive.slice());
    },
  });
  const clientWith = (its: string | undefined) =>
    createRpcClient(ContextEngine, {
      baseUrl: 'http://engine',
      fetch: (input, init) => app.fetch(new Request(input, init)),
      ...(its !== undefined && { token: its }),
    });
  const client = clientWith(token);
  return {
    app,
    client,
    clientWith,
    store,
    memoryLog,
    repos,
    lines,
    meanings,
    archives,
    /** What IngestRepo takes for these files of a tenant. */
    async scanOf(files: Readonly<Record<string, string>>, { tenant = 'default', root = '/repo' } = {}) {
      const pointer = `redis://res:scan${archives.size}-repo-archive-1`;
      archives.set(`${tenant} ${pointer}`, await archiveOf(files));
      return new TextEncoder().encode(
        JSON.stringify({ repo_root: root, archive_ptr: pointer, files: Object.keys(files).map((path) => ({ path })) }),
      );
    },
    async close() {
      await meanings.close();
      await ingester.close();
    },
  };
}

/** As a scan packs these files. */
export async function archiveOf(files: Readonly<Record<string, string>>): Promise<Uint8Array> {
  const archive = createArchive(64 * 2 ** 20);
  const encoder = new TextEncoder();
  for (const [path, text] of Object.entries(files))
    await archive.add({ path, bytes: encoder.encode(text), executable: false });
  return archive.finish();
}
