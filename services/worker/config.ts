// The worker process's configuration, from its environment.
import { type Env, type EnvValues, EnvError, readEnv } from '#core/process/env.ts';
import { int, list, seconds, text, url } from '#core/process/variables.ts';
import { isSubjectToken } from '#core/protocol/subjects.ts';
import { type WorkerName, workerNames } from './index.ts';

export const workerEnv = {
  natsUrl: url('NATS_URL', 'nats://localhost:4222', 'the bus', ['nats', 'tls']),
  redisUrl: url('REDIS_URL', 'redis://localhost:6379', 'the truth about jobs', ['redis', 'rediss']),
  workers: list('WORKERS', workerNames.join(','), `which workers this process hosts: ${workerNames.join(', ')}`),
  workerId: text(
    'WORKER_ID',
    undefined,
    'the id of its worker, with `-<name>` added when it hosts several; unique among live processes. Unset: a new one each time',
  ),
  parallel: int('WORKER_PARALLEL', undefined, 'jobs at once of each hosted worker, instead of its own number', {
    min: 1,
    max: 1024,
  }),
  drainMs: seconds('DRAIN_SECONDS', '20', 'how long work under way may take to finish after SIGTERM', { max: 3_600 }),
};

export interface WorkerConfig extends Omit<EnvValues<typeof workerEnv>, 'workers'> {
  readonly workers: readonly WorkerName[];
}

/** Throws EnvError with every problem. */
export function parseWorkerConfig(env: Env): WorkerConfig {
  const read = readEnv(workerEnv, env);
  const problems = read.ok ? [] : [...read.error];
  const asked = read.ok ? read.value.workers : [];
  const known = workerNames.filter((name) => asked.includes(name));
  for (const name of asked) {
    if (!workerNames.some((n) => n === name))
      problems.push(`WORKERS: there is no worker ${name}, only ${workerNames.join(', ')}`);
  }
  if (read.ok && asked.length === 0) problems.push('WORKERS: names no worker');
  const id = read.ok ? read.value.workerId : undefined;
  if (id !== undefined && (id.length > 100 || !isSubjectToken(id))) {
    problems.push(
      'WORKER_ID: may hold letters, digits, ".", "_" and "-", 100 at most, no dot at an end and no two in a row',
    );
  }
  if (!read.ok || problems.length > 0) throw new EnvError(problems);
  return Object.freeze({ ...read.value, workers: known });
}

/** The ids of the hosted workers. `host` is this machine's name, `random` something that no other process has. */
export function workerIds(config: WorkerConfig, host: string, random: string): ReadonlyMap<WorkerName, string> {
  const { workerId, workers } = config;
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
