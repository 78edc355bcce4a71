// A context engine in this process on the twins, asked through its real door; repositories are read by its real thread.
import { createMemoryRepos } from '#core/context/memory-repos.ts';
import { createRpcClient } from '#core/http/connect.ts';
import { createMemoryLog } from '#core/jobs/memory-log.ts';
import { createMemoryStore } from '#core/jobs/memory-store.ts';
import { createLog } from '#core/log.ts';
import { noopMetrics } from '#core/metrics/noop.ts';
import { systemClock } from '#core/system.ts';
import { ContextEngine } from '#proto/cortex/v1/context_pb.ts';
import { createContextApp } from '../../../services/context-engine/app.ts';
import { createIngester } from '../../../services/context-engine/ingest.ts';
import { createMemories } from '../../../services/context-engine/memories.ts';
import { createRepositories } from '../../../services/context-engine/repositories.ts';
import { createWindows } from '../../../services/context-engine/windows.ts';
import { createArchive } from '../../../services/worker/repo/archive.ts';

export type EngineHere = ReturnType<typeof engineHere>;

export function engineHere({ token }: { readonly token?: string } = {}) {
  let count = 0;
  const store = createMemoryStore({ now: Date.now, random: () => String(count++) });
  const memoryLog = createMemoryLog(store.memory);
  const repos = createMemoryRepos(Date.now);
  const lines: string[] = [];
  const log = createLog({ level: 'info', write: (line) => void lines.push(line), now: Date.now, fields: {} });
  const ingester = createIngester();
  const memories = createMemories(memoryLog);
  const repositories = createRepositories({ repos, ingester, log });
  /** By pointer. */
  const archives = new Map<string, Uint8Array>();
  const { app } = createContextApp({
    ...{ tenant: 'default', memoryLog, memories, repositories, log, metrics: noopMetrics, clock: systemClock, token },
    buildWindow: createWindows({ memories, repositories, log }),
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
    archives,
    /** What IngestRepo takes for these files of a tenant. */
    async scanOf(files: Readonly<Record<string, string>>, { tenant = 'default', root = '/repo' } = {}) {
      const archive = createArchive(64 * 2 ** 20);
      const encoder = new TextEncoder();
      for (const [path, text] of Object.entries(files))
        await archive.add({ path, bytes: encoder.encode(text), executable: false });
      const pointer = `redis://res:scan${archives.size}-repo-archive-1`;
      archives.set(`${tenant} ${pointer}`, await archive.finish());
      return encoder.encode(
        JSON.stringify({ repo_root: root, archive_ptr: pointer, files: Object.keys(files).map((path) => ({ path })) }),
      );
    },
    close: () => ingester.close(),
  };
}
