// What the context engine reads from its environment.
import { contextEnv } from '#core/context/engine-env.ts';
import { memoryEnv } from '#core/context/memory/limits-env.ts';
import { repoLimits } from '#core/context/repo/repos.ts';
import { parseStoreEnv, storeEnv } from '#core/jobs/store-env.ts';
import { assertSendable, modelKeys, modelsPathEnv, readModels } from '#core/model/models-env.ts';
import { type EmbeddingsEntry, parseEmbeddings } from '#core/model/models.ts';
import type { FoundFile } from '#core/process/config-file.ts';
import type { Env, EnvValues } from '#core/process/env.ts';
import { duration, int, text, url } from '#core/process/variables.ts';
import { isSubjectToken } from '#core/protocol/subjects.ts';
import { err, ok } from '#core/result.ts';

/** The port of METRICS_ADDR. */
export const contextMetricsPort = 9094;

export const contextEngineEnv = {
  ...contextEnv,
  ...memoryEnv,
  ...storeEnv,
  redisUrl: url('REDIS_URL', 'redis://localhost:6379', 'the truth about jobs', ['redis', 'rediss']),
  tenant: {
    ...text('TENANT_ID', 'default', 'the tenant of requests that name none'),
    type: 'name of a tenant',
    parse: (value: string) => (isSubjectToken(value) ? ok(value) : err('is not the name of a tenant')),
  },
  modelsPath: modelsPathEnv('the model that compares meanings (`embeddings`); without it none is asked'),
  repoTtl: duration('REPO_INDEX_TTL', '720h', 'how long the index of a repository is kept after it was used last'),
  repoBytes: int(
    'REPO_INDEX_BYTES_PER_TENANT',
    String(repoLimits.bytes),
    'bytes of the indexes and files of one tenant; older commits go, then the repositories that were not used for longest',
    { min: 2 ** 20, max: 2 ** 40 },
  ),
  repoRepositories: int(
    'REPO_INDEXES_PER_TENANT',
    String(repoLimits.repositories),
    'repositories of one tenant whose indexes are kept; those that were not used for longest go',
    { min: 1, max: 1_000_000 },
  ),
  repoCommits: int('REPO_INDEX_COMMITS', String(repoLimits.commits), 'commits of one repository that are kept', {
    min: 1,
    max: 100,
  }),
};

/** The model that compares meanings, with its key; undefined: none. Throws EnvError with every problem. */
export function parseContextEmbeddings(
  { modelsPath }: Pick<ContextEngineConfig, 'modelsPath'>,
  file: FoundFile,
  env: Env,
): (EmbeddingsEntry & { readonly apiKey: string | undefined }) | undefined {
  const key = modelKeys(env);
  const entry = readModels(modelsPath, file, (value) =>
    parseEmbeddings(value ?? {}, (variable) => key(variable) !== undefined),
  );
  if (entry === undefined) return undefined;
  assertSendable([entry.keyEnv], key);
  return { ...entry, apiKey: entry.keyEnv === undefined ? undefined : key(entry.keyEnv) };
}

export type ContextEngineConfig = EnvValues<typeof contextEngineEnv>;

/** Throws EnvError with every problem. */
export function parseContextEngineConfig(env: Env): ContextEngineConfig {
  return parseStoreEnv(contextEngineEnv, env);
}
