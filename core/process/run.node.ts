// The life of every Node process of ours: configuration, resources in order, health and metrics, work; one signal drains, a second
// one forces; the exit code tells the truth (0 as asked, 1 something failed or was cut, 128 + n forced by signal n).
// It starts no child and restarts nothing: that is the business of whoever runs it.
import { writeSync } from 'node:fs';
import { constants } from 'node:os';
import { CortexError } from '#core/errors.ts';
import { createLog, type Log, logLevels } from '#core/log.ts';
import type { Metrics, ReadableMetrics } from '#core/metrics/metrics.ts';
import { type Clock, systemClock } from '#core/system.ts';
import { announceListening } from './announce.node.ts';
import { type Env, EnvError, type EnvValues, readEnv } from './env.ts';
import { createHealth, type Health } from './health.ts';
import { serveHttp } from './http.node.ts';
import { createStdoutWriter } from './log.node.ts';
import { createObserveHandler } from './observe.ts';
import { createResources, type Resources, within } from './resources.ts';
import { address, choice, seconds } from './variables.ts';

/** The variables that every process reads; the port of METRICS_ADDR is the service's own. */
export function processEnv(metricsPort: number) {
  return {
    metricsAddr: address('METRICS_ADDR', `127.0.0.1:${metricsPort}`, 'where GET /health and GET /metrics answer'),
    logLevel: choice('LOG_LEVEL', 'info', 'the least important lines that are written', logLevels),
    drainMs: seconds('DRAIN_SECONDS', '20', 'how long work under way may take to finish after SIGTERM', { max: 3_600 }),
  };
}

export interface ProcessContext<C> {
  readonly config: C;
  readonly log: Log;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Add checks here; the process is healthy once `start` has returned. */
  readonly health: Health;
  /** What is acquired here is released in reverse, after the drain. */
  readonly resources: Resources;
  /** Aborts when the process has been asked to stop: take nothing new. */
  readonly stopping: AbortSignal;
  /** For a background task that died: logs, drains and exits 1. Idempotent. */
  readonly fail: (error: unknown) => void;
}

export interface Running {
  /** Finishes what is under way. The signal aborts at the deadline: let go then. */
  readonly drain?: (deadline: AbortSignal) => Promise<void>;
}

export interface ProcessSpec<C> {
  /** `cortex-scheduler`: in each log line and in /health. */
  readonly name: string;
  readonly metricsPort: number;
  /** Parses the environment. Throws EnvError with every problem. */
  readonly config: (env: Env) => C | Promise<C>;
  /** The driver that the entry chose: what /metrics shows. */
  readonly metrics: ReadableMetrics | ((config: C) => ReadableMetrics);
  /** Acquires what the service needs and starts it; resolves when it does its work. */
  readonly start: (context: ProcessContext<C>) => Promise<Running> | Promise<void>;
}

/** Runs a service until it is told to stop. Resolves when it is up; what ends it ends the process. */
export async function runProcess<C>(spec: ProcessSpec<C>): Promise<void> {
  const tooOld = nodeProblem(process.versions.node);
  if (tooOld !== undefined) {
    complain(spec.name, [tooOld]);
    process.exit(1);
  }
  const { base, config } = await readConfig(spec, process.env);
  const metrics = typeof spec.metrics === 'function' ? spec.metrics(config) : spec.metrics;
  const writer = createStdoutWriter();
  const clock = systemClock;
  const log = createLog({
    level: base.logLevel,
    write: writer.write,
    now: () => clock.now(),
    fields: { service: spec.name },
  });
  const health = createHealth(spec.name, clock);
  const resources = createResources({ log });
  const stopping = new AbortController();
  let starting: Promise<Running | void> = Promise.resolve();
  let ending = false;
  let exitCode = 0;

  const exit = (): never => {
    writer.flush();
    process.exit(exitCode);
  };
  const wrong = (message: string, error?: unknown): void => {
    exitCode = 1;
    log.error(message, error === undefined ? {} : { error });
  };
  /** The one way out. `polite` lets work finish; after a crash nobody knows what the work would do. */
  const end = async (polite: boolean): Promise<void> => {
    if (ending) return;
    ending = true;
    health.enter('stopping');
    stopping.abort(new CortexError('canceled', 'the process is stopping'));
    const deadline = new AbortController();
    const timer = setTimeout(
      () => deadline.abort(new CortexError('deadline_exceeded', 'time to drain is up')),
      base.drainMs,
    );
    try {
      // A little longer than the deadline, for a drain that heeds its signal.
      if (polite) await within(base.drainMs + 1_000, async () => (await starting)?.drain?.(deadline.signal));
    } catch (error) {
      // A start that gave up because it was told to is no failure.
      if (!(error instanceof CortexError && error.code === 'canceled'))
        wrong('could not finish what was under way', error);
    }
    clearTimeout(timer);
    if (deadline.signal.aborted) wrong('work was cut off at the deadline');
    await release();
    log.info('stopped', { code: exitCode });
    exit();
  };
  const release = async (): Promise<void> => {
    try {
      const failed = await within(15_000, () => resources.releaseAll());
      if (failed.length > 0) exitCode = 1;
    } catch (error) {
      wrong('could not release everything', error);
    }
  };
  const endSafely = (polite: boolean): void => {
    end(polite).catch((error: unknown) => {
      wrong('could not end as planned', error);
      exit();
    });
  };

  let signals = 0;
  const onSignal = (signal: 'SIGINT' | 'SIGTERM'): void => {
    if (++signals > 1) {
      log.warn('ended at once by a second signal', { signal });
      exitCode = 128 + constants.signals[signal];
      exit();
    }
    log.info('stopping', { signal });
    endSafely(true);
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  process.on('uncaughtException', (error) => {
    wrong('uncaught exception', error);
    endSafely(false);
  });
  process.on('unhandledRejection', (reason) => {
    wrong('unhandled rejection', reason);
    endSafely(false);
  });

  const begin = async (): Promise<Running | void> => {
    const observed = await resources.use(
      'health and metrics',
      () =>
        serveHttp({
          fetch: createObserveHandler(health, metrics, base.metricsAddr),
          addr: base.metricsAddr,
          log,
          variable: 'METRICS_ADDR',
        }),
      (server) => server.close(500),
    );
    announceListening('metrics', observed.url);
    const fail = (error: unknown): void => {
      wrong('cannot go on', error);
      endSafely(true);
    };
    return spec.start({
      config,
      log,
      clock,
      metrics,
      health,
      resources,
      stopping: stopping.signal,
      fail,
    });
  };
  try {
    starting = begin();
    await starting;
  } catch (error) {
    if (stopping.signal.aborted) return; // told to stop while starting: `end` is at work
    ending = true;
    exitCode = 1;
    // Told once: in one line when it was foreseen, with its stack in the log when nobody did.
    if (error instanceof CortexError) complain(spec.name, error instanceof EnvError ? error.problems : [error.message]);
    else wrong('could not start', error);
    await release();
    exit();
  }
  if (stopping.signal.aborted) return;
  health.enter('running');
  log.info('ready', { ms: Math.round(process.uptime() * 1_000) });
}

const wantedNode = 24;

/** Why this version of Node cannot run us, or undefined. */
export function nodeProblem(version: string): string | undefined {
  if (Number.parseInt(version, 10) >= wantedNode) return undefined;
  return `needs Node ${wantedNode}, this is v${version}: npm start brings it, as node_modules/.bin/node`;
}

/** Both halves of the configuration, or every problem on stderr and the end. */
async function readConfig<C>(
  spec: ProcessSpec<C>,
  env: Env,
): Promise<{ readonly base: EnvValues<ReturnType<typeof processEnv>>; readonly config: C }> {
  const base = readEnv(processEnv(spec.metricsPort), env);
  const problems = base.ok ? [] : [...base.error];
  try {
    const config = await spec.config(env);
    if (base.ok) return { base: base.value, config };
  } catch (error) {
    if (!(error instanceof CortexError)) throw error;
    problems.push(...(error instanceof EnvError ? error.problems : [error.message]));
  }
  // A variable that both halves read is wrong in both.
  complain(spec.name, [...new Set(problems)]);
  process.exit(1);
}

/** One line each on stderr, for the person who started it. */
function complain(name: string, problems: readonly string[]): void {
  writeSync(2, problems.map((problem) => `${name}: ${problem.replaceAll('\n', ' ')}\n`).join(''));
}
