// The worker process's configuration, from its environment.
import { contextEnv } from '#core/context/engine-env.ts';
import { memoryEnv } from '#core/context/memory/limits-env.ts';
import { parseStoreEnv, storeEnv } from '#core/jobs/store-env.ts';
import { assertSendable, modelKeys, modelsPathEnv, readModels } from '#core/model/models-env.ts';
import { baseUrlProblems, type ModelsConfig, parseModels } from '#core/model/models.ts';
import type { FoundFile } from '#core/process/config-file.ts';
import { type Env, EnvError, type EnvValues, type EnvVar } from '#core/process/env.ts';
import { choice, duration, int, list, seconds, text, url } from '#core/process/variables.ts';
import { err, ok } from '#core/result.ts';
import { type WorkerName, workerNames } from './index.ts';
import { recordingOf } from './recorder.ts';
import { repoEnv, repoProblems } from './repo/env.ts';

/** The port of METRICS_ADDR. */
export const workerMetricsPort = 9095;

const known = workerNames.join(', ');

/** WORKERS, checked against what there is; each name once, in our order. */
const hosted: EnvVar<readonly WorkerName[]> = {
  ...list('WORKERS', workerNames.join(','), 'which workers this process hosts'),
  type: `list of ${known}`,
  parse(value) {
    const asked = value.split(',').map((name) => name.trim());
    const stranger = asked.find((name) => name !== '' && !workerNames.some((n) => n === name));
    if (stranger !== undefined) return err(`names ${JSON.stringify(stranger)}; there are ${known}`);
    const chosen = workerNames.filter((name) => asked.includes(name));
    return chosen.length > 0 ? ok(chosen) : err('names no worker');
  },
};

export const workerEnv = {
  ...storeEnv,
  ...contextEnv,
  ...memoryEnv,
  ...repoEnv,
  natsUrl: url('NATS_URL', 'nats://localhost:4222', 'the bus', ['nats', 'tls']),
  redisUrl: url('REDIS_URL', 'redis://localhost:6379', 'the truth about jobs', ['redis', 'rediss']),
  workers: hosted,
  workerId: text(
    'WORKER_ID',
    undefined,
    'the id of its worker, with `-<name>` added when it hosts several; unique among live processes. Unset: a new one each time',
    {
      pattern: /^(?=.{1,100}$)[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/,
      type: 'name of at most 100 letters, digits, "_", "-" and single dots inside',
    },
  ),
  parallel: int('WORKER_PARALLEL', undefined, 'jobs at once of each hosted worker, instead of its own number', {
    min: 1,
    max: 1024,
  }),
  modelsPath: modelsPathEnv('which models there are; without the file: the one of OLLAMA_URL'),
  ollamaUrl: url(
    'OLLAMA_URL',
    undefined,
    'the Ollama that is asked; `http://127.0.0.1:11434` when OLLAMA_MODEL alone is set. With neither it is not asked',
    ['http', 'https'],
  ),
  ollamaModel: text('OLLAMA_MODEL', undefined, 'the model there; `llama3` when OLLAMA_URL alone is set'),
  usageTtlMs: duration(
    'USAGE_TTL',
    '9600h',
    'how long the sums of what models took on a day are kept, from 24h to 87600h; set with the first request of the day',
  ),
  modelRecord: choice(
    'MODEL_RECORD',
    'asked',
    'whose exchanges with models are recorded with the job: of those that ask for it, of all that ask models, or of none',
    recordingOf,
  ),
  drainMs: seconds('DRAIN_SECONDS', '20', 'how long work under way may take to finish after SIGTERM', { max: 3_600 }),
};

export type WorkerConfig = EnvValues<typeof workerEnv>;

/** Throws EnvError with every problem. */
export function parseWorkerConfig(env: Env): WorkerConfig {
  const config = parseStoreEnv(workerEnv, env);
  const problems = [...repoProblems(config), ...usageProblems(config), ...ollamaProblems(config)];
  if (problems.length > 0) throw new EnvError(problems);
  return config;
}

function ollamaProblems({ ollamaUrl = '' }: Pick<WorkerConfig, 'ollamaUrl'>): readonly string[] {
  return baseUrlProblems(ollamaUrl).map((problem) => `${workerEnv.ollamaUrl.name}: ${problem}`);
}

/** A day must not lose its sums while it lasts. */
function usageProblems({ usageTtlMs }: Pick<WorkerConfig, 'usageTtlMs'>): readonly string[] {
  const hours = usageTtlMs / 3_600_000;
  return hours >= 24 && hours <= 87_600 ? [] : [`${workerEnv.usageTtlMs.name}: must be from 24h to 87600h`];
}

/** The models, and their keys, which stay in the environment until they are asked for. Throws EnvError with every problem. */
export function parseWorkerModels(
  { modelsPath, ollamaUrl, ollamaModel }: Pick<WorkerConfig, 'modelsPath' | 'ollamaUrl' | 'ollamaModel'>,
  file: FoundFile,
  env: Env,
): { readonly models: ModelsConfig; readonly modelKey: (variable: string) => string | undefined } {
  const modelKey = modelKeys(env);
  const ollama =
    ollamaUrl === undefined && ollamaModel === undefined
      ? undefined
      : { url: ollamaUrl ?? 'http://127.0.0.1:11434', model: ollamaModel ?? 'llama3' };
  const models = readModels(modelsPath, file, (value) =>
    parseModels(value ?? {}, ollama, (variable) => modelKey(variable) !== undefined),
  );
  assertSendable(
    Array.from(models.entries.values(), ({ keyEnv }) => keyEnv),
    modelKey,
  );
  return { models, modelKey };
}

/** The ids of the hosted workers. `host` is this machine's name, `random` something that no other process has. */
export function workerIds(
  { workerId, workers }: Pick<WorkerConfig, 'workerId' | 'workers'>,
  host: string,
  random: string,
): ReadonlyMap<WorkerName, string> {
  const machine = host
    .replaceAll(/[^A-Za-z0-9_-]/g, '-')
    .slice(-8)
    .replace(/^-+/, '');
  return new Map(
    workers.map((name) => {
      if (workerId === undefined) return [name, `worker-${name}-${machine}-${random.slice(0, 8)}`];
      return [name, workers.length === 1 ? workerId : `${workerId}-${name}`];
    }),
  );
}
