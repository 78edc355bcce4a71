// What the scheduler reads: its environment, and the two files that say what goes where and how long it may take.
import { storeEnv } from '#core/jobs/store-env.ts';
import { kernelClientEnv } from '#core/policy/kernel-env.ts';
import { EnvError } from '#core/process/env.ts';
import { path, url } from '#core/process/variables.ts';
import { type Pools, parsePools } from '#core/routing/pools.ts';
import { parseTimeouts, type Timeouts } from '#core/scheduling/timeouts.ts';
import { parse } from 'yaml';

export const schedulerEnv = {
  ...storeEnv,
  ...kernelClientEnv,
  natsUrl: url('NATS_URL', 'nats://localhost:4222', 'the bus', ['nats', 'tls']),
  redisUrl: url('REDIS_URL', 'redis://localhost:6379', 'the truth about jobs', ['redis', 'rediss']),
  poolsPath: path('POOL_CONFIG_PATH', 'config/pools.yaml', 'which pool does which topic'),
  timeoutsPath: path('TIMEOUT_CONFIG_PATH', 'config/timeouts.yaml', 'how long things may take'),
};

/** The port of METRICS_ADDR. */
export const schedulerMetricsPort = 9090;

/** Both files from their texts; a file of time-outs that is not there means the built-in ones. Throws EnvError with every problem. */
export function parseSchedulerFiles(files: {
  readonly pools: { readonly path: string; readonly text: string };
  readonly timeouts: { readonly path: string; readonly text: string | undefined };
}): { readonly pools: Pools; readonly timeouts: Timeouts } {
  const problems: string[] = [];
  const document = (path: string, text: string): unknown => {
    try {
      return parse(text);
    } catch (error) {
      problems.push(`${path}: ${String(error instanceof Error ? error.message : error).split('\n', 1)[0]}`);
      return undefined;
    }
  };
  const poolsText = document(files.pools.path, files.pools.text);
  const timeoutsText = files.timeouts.text === undefined ? {} : document(files.timeouts.path, files.timeouts.text);
  if (problems.length > 0) throw new EnvError(problems);
  const pools = parsePools(poolsText);
  const timeouts = parseTimeouts(timeoutsText);
  if (!pools.ok) problems.push(...pools.error.map((problem) => `${files.pools.path}: ${problem}`));
  if (!timeouts.ok) problems.push(...timeouts.error.map((problem) => `${files.timeouts.path}: ${problem}`));
  if (!pools.ok || !timeouts.ok) throw new EnvError(problems);
  return { pools: pools.value, timeouts: timeouts.value };
}
