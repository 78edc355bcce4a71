// The orchestrator's configuration: its environment, and the file that says how long workflows may take.
import { storeEnv } from '#core/jobs/store-env.ts';
import { type FoundFile, parseConfigFile } from '#core/process/config-file.ts';
import { EnvError } from '#core/process/env.ts';
import { bool, int, path, seconds, text, url } from '#core/process/variables.ts';
import { isTopic } from '#core/protocol/subjects.ts';
import { err, ok } from '#core/result.ts';
import { parseTimeouts, type Timeouts } from '#core/scheduling/timeouts.ts';

/** The port of METRICS_ADDR. */
export const orchestratorMetricsPort = 9091;

export const orchestratorEnv = {
  ...storeEnv,
  natsUrl: url('NATS_URL', 'nats://localhost:4222', 'the bus', ['nats', 'tls']),
  redisUrl: url('REDIS_URL', 'redis://localhost:6379', 'the truth about jobs', ['redis', 'rediss']),
  timeoutsPath: path(
    'TIMEOUT_CONFIG_PATH',
    'config/timeouts.yaml',
    'how long things may take; `redis`: what `cortex config push` put there',
  ),
  workerId: text(
    'WORKER_ID',
    undefined,
    'the beginning of the ids of its workers, unique among live processes. Unset: a new one each time',
    {
      pattern: /^(?=.{1,100}$)[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/,
      type: 'name of at most 100 letters, digits, "_", "-" and single dots inside',
    },
  ),
  parallel: int('WORKER_PARALLEL', '256', 'runs at once of each workflow', { min: 1, max: 1024 }),
  workflowsPath: text(
    'WORKFLOWS_PATH',
    undefined,
    'a module of this checkout with workflows of yours: docs/workflows.md',
  ),
  usePlanner: bool('USE_PLANNER', 'false', 'whether the demo workflow asks a planner for its steps; `true` exactly', {
    otherwise: 'false',
  }),
  plannerTopic: {
    ...text('PLANNER_TOPIC', 'job.workflow.plan', 'where that planner listens'),
    type: 'topic: job.<name>',
    parse: (value: string) => (isTopic(value) ? ok(value) : err('is not a topic: job.<name>')),
  },
  drainMs: seconds('DRAIN_SECONDS', '20', 'how long work under way may take to finish after SIGTERM', { max: 3_600 }),
};

/** The file's text as time-outs; without a file, the built-in ones. Throws EnvError with every problem. */
export function parseTimeoutsText(file: FoundFile): Timeouts {
  const timeouts = parseConfigFile('TIMEOUT_CONFIG_PATH', file, parseTimeouts, {});
  if (timeouts.ok) return timeouts.value;
  throw new EnvError(timeouts.error);
}

/** The id of a hosted workflow's worker: `host` is this machine's name, `random` something that no other process has. */
export function workerIdOf(name: string, workerId: string | undefined, host: string, random: string): string {
  if (workerId !== undefined) return `${workerId}-${name}`;
  const machine = host
    .replaceAll(/[^A-Za-z0-9_-]/g, '-')
    .slice(-8)
    .replace(/^-+/, '');
  return `worker-${name}-${machine}-${random.slice(0, 8)}`;
}
