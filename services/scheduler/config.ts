// What the scheduler reads: its environment, and the two files that say what goes where and how long it may take.
import { storeEnv } from '#core/jobs/store-env.ts';
import { kernelClientEnv } from '#core/policy/kernel-env.ts';
import { EnvError } from '#core/process/env.ts';
import { path, url } from '#core/process/variables.ts';
import { err, ok, type Result } from '#core/result.ts';
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

/** A file as it was found: its text, undefined when there is none, or why it cannot be read. */
export interface FoundFile {
  readonly path: string;
  readonly text: string | undefined;
  readonly fault?: string;
}

/**
 * Both files. Without one of time-outs the built-in ones hold; without one of pools no job could be placed. Throws EnvError with
 * every problem of both.
 */
export function parseSchedulerFiles(files: { readonly pools: FoundFile; readonly timeouts: FoundFile }): {
  readonly pools: Pools;
  readonly timeouts: Timeouts;
} {
  const problems: string[] = [];
  const read = <T>(
    variable: string,
    { path, text, fault }: FoundFile,
    parseDocument: (value: unknown) => Result<T, readonly string[]>,
    absent: unknown,
  ): T | undefined => {
    if (fault !== undefined) problems.push(`${variable}: ${path} cannot be read: ${fault}`);
    else if (text === undefined && absent === undefined) problems.push(`${variable}: there is no file ${path}`);
    else {
      const document = text === undefined ? ok(absent) : yaml(text);
      const parsed = document.ok ? parseDocument(document.value) : document;
      if (parsed.ok) return parsed.value;
      problems.push(...parsed.error.map((problem) => `${path}: ${problem}`));
    }
    return undefined;
  };
  const pools = read('POOL_CONFIG_PATH', files.pools, parsePools, undefined);
  const timeouts = read('TIMEOUT_CONFIG_PATH', files.timeouts, parseTimeouts, {});
  if (pools === undefined || timeouts === undefined) throw new EnvError(problems);
  return { pools, timeouts };
}

function yaml(text: string): Result<unknown, readonly string[]> {
  try {
    return ok(parse(text));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return err([message.split('\n', 1)[0] ?? message]);
  }
}
