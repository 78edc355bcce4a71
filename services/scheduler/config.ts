// What the scheduler reads: its environment, and the two files that say what goes where and how long it may take.
import { storeEnv } from '#core/jobs/store-env.ts';
import { kernelClientEnv } from '#core/policy/kernel-env.ts';
import { type FoundFile, parseConfigFile } from '#core/process/config-file.ts';
import { EnvError } from '#core/process/env.ts';
import { path, url } from '#core/process/variables.ts';
import { type Pools, parsePools } from '#core/routing/pools.ts';
import { parseTimeouts, type Timeouts } from '#core/scheduling/timeouts.ts';

export const schedulerEnv = {
  ...storeEnv,
  ...kernelClientEnv,
  natsUrl: url('NATS_URL', 'nats://localhost:4222', 'the bus', ['nats', 'tls']),
  redisUrl: url('REDIS_URL', 'redis://localhost:6379', 'the truth about jobs', ['redis', 'rediss']),
  poolsPath: path(
    'POOL_CONFIG_PATH',
    'config/pools.yaml',
    'which pool does which topic; `redis`: what `cortex config push` put there',
  ),
  timeoutsPath: path(
    'TIMEOUT_CONFIG_PATH',
    'config/timeouts.yaml',
    'how long things may take; `redis`: what `cortex config push` put there',
  ),
};

/** The port of METRICS_ADDR. */
export const schedulerMetricsPort = 9090;

/**
 * Both files. Without one of time-outs the built-in ones hold; without one of pools no job could be placed. Throws EnvError with
 * every problem of both.
 */
export function parseSchedulerFiles(files: { readonly pools: FoundFile; readonly timeouts: FoundFile }): {
  readonly pools: Pools;
  readonly timeouts: Timeouts;
} {
  const pools = parseConfigFile('POOL_CONFIG_PATH', files.pools, parsePools, undefined);
  const timeouts = parseConfigFile('TIMEOUT_CONFIG_PATH', files.timeouts, parseTimeouts, {});
  if (pools.ok && timeouts.ok) return { pools: pools.value, timeouts: timeouts.value };
  throw new EnvError([pools, timeouts].flatMap((read) => (read.ok ? [] : read.error)));
}
