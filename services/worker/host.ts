// Hosts any set of workers in one process: registers them, takes hand-outs on their subjects, never more than they have slots, keeps
// leases and heartbeats, and ends in order. What happens to one hand-out is attempt.ts; what a worker is, define.ts.
// It depends on ports alone; node.ts chooses the drivers.
import type { Bus, Delivery, Subscription } from '#core/bus/bus.ts';
import { CortexError } from '#core/errors.ts';
import { createEvents, type Events } from '#core/events.ts';
import type { JobStore } from '#core/jobs/store.ts';
import type { Log } from '#core/log.ts';
import type { Metrics } from '#core/metrics/metrics.ts';
import { decodePacket } from '#core/protocol/envelope.ts';
import { subjects, workerJobs } from '#core/protocol/subjects.ts';
import type { Clock, Ids } from '#core/system.ts';
import { gatherCalls } from './calls.ts';
import { handBack } from './conclude.ts';
import type { Limits } from './constraints.ts';
import { countEvents } from './counts.ts';
import type { WorkerDefinition } from './define.ts';
import type { HostEvent } from './events.ts';
import { createHeartbeats } from './heartbeat.ts';
import { createIntake } from './intake.ts';
import type { Attempt, AttemptDeps, HostedWorker } from './hosted.ts';
import { createLeases, type Timing, timing as defaultTiming } from './leases.ts';
import { createNews } from './news.ts';
import type { Recording } from './recorder.ts';
import { register } from './register.ts';
import { createThreads } from './threads.ts';
import { createTurns } from './turns.ts';

export interface WorkerToHost {
  /** Unique: a second live process with the same id is refused. */
  readonly id: string;
  readonly definition: WorkerDefinition;
  /** Jobs at once; the definition's number by default. */
  readonly parallel?: number;
}

export interface HostOptions {
  readonly workers: readonly WorkerToHost[];
  readonly bus: Bus;
  readonly store: JobStore;
  /** The same store, for signs of life alone, on a connection of its own: no result stands in line before them. Default: `store`. */
  readonly leases?: JobStore;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly metrics: Metrics;
  /** CPU load of the machine, percent. */
  readonly cpuLoad: () => number;
  /** The host cannot go on (another process took a worker's id over): drain it and end. Called once. */
  readonly onFatal: (error: CortexError) => void;
  readonly limits?: Limits;
  /** Whose exchanges with models are recorded. Default: of no job. */
  readonly recording?: Recording;
  readonly timing?: Timing;
}

export interface DrainOptions {
  /** How long jobs may take to finish by themselves, ms; then they are handed back. */
  readonly finishMs: number;
  /** Ends the waiting early. */
  readonly signal?: AbortSignal;
}

export interface WorkerHost {
  readonly events: Events<HostEvent>;
  /** This process's id, told in heartbeats and compared by the store. */
  readonly instance: string;
  readonly workers: readonly HostedWorker[];
  /**
   * Resolves when hand-outs can come. Throws CortexError: `already_exists` for an id that stays taken, `failed_precondition` when a
   * stream would store hand-outs, `canceled` when it is told to stop, and what bus and store throw.
   */
  start(stopping?: AbortSignal): Promise<void>;
  /** Takes nothing new, lets jobs finish, hands back the rest, says goodbye. Idempotent: the first call's options count. */
  drain(options: DrainOptions): Promise<void>;
}

/** A result of 8 MiB and artifacts of 64 MiB, unless the policy allows less. */
export const defaultLimits: Limits = { resultBytes: 8 * 2 ** 20, artifactBytes: 64 * 2 ** 20 };

/** How long told handlers have at the end before their jobs are handed back over their heads, ms. */
const graceMs = 1000;

export function createHost(options: HostOptions): WorkerHost {
  const { bus, store, clock, log } = options;
  const alive = options.leases ?? store;
  const timing = options.timing ?? defaultTiming;
  const instance = options.ids.random();
  const events = createEvents<HostEvent>();
  const calls = gatherCalls(store);
  const news = createNews(bus, clock);
  const threads = createThreads({ clock, log });
  const hosted: readonly HostedWorker[] = options.workers.map(({ id, definition, parallel }) => {
    return { id, definition, parallel: parallel ?? definition.parallel, attempts: new Map(), active: 0 };
  });
  if (new Set(hosted.map((w) => w.id)).size < hosted.length) throw new RangeError('two workers of a host share an id');
  countEvents(events, options.metrics);

  const registered = new Set<HostedWorker>();
  /** To hand-outs, by worker. */
  const subscriptions = new Map<HostedWorker, Subscription>();
  let cancels: Subscription | undefined;
  let draining: Promise<void> | undefined;

  const unsubscribe = async (subscription: Subscription | undefined): Promise<void> => {
    try {
      await subscription?.close();
    } catch (error) {
      log.debug('could not end a subscription', { error });
    }
  };

  const replaced = (worker: HostedWorker): void => {
    if (!registered.delete(worker)) return;
    events.emit({ type: 'replaced', worker: worker.id });
    for (const attempt of worker.attempts.values()) attempt.stop('replaced');
    void unsubscribe(subscriptions.get(worker));
    subscriptions.delete(worker);
    options.onFatal(new CortexError('aborted', `another process has taken over the worker id ${worker.id}`));
  };
  const isDraining = (): boolean => draining !== undefined;
  const workers = (): readonly HostedWorker[] => Array.from(registered);
  const leases = createLeases({
    ...{ clock, log, events, instance, timing, workers },
    store: alive,
    draining: isDraining,
    onReplaced: replaced,
  });
  const heartbeats = createHeartbeats({
    ...{ bus, clock, instance, workers },
    draining: isDraining,
    cpuLoad: options.cpuLoad,
  });

  const attemptDeps: AttemptDeps = {
    ...{ store, calls, clock, log, events, news, instance },
    limits: options.limits ?? defaultLimits,
    recording: options.recording ?? { of: 'off', model: undefined },
    leaseMs: timing.leaseMs,
    turns: createTurns(),
    run: async ({ run }, input, context) =>
      'here' in run
        ? run.here(input, context)
        : run.finish(await threads.run(run.thread, await run.load(input, context), context), input, context),
    onLeased: leases.watch,
    onDoubt: leases.ask,
    onSlot(worker) {
      const { active, parallel } = worker;
      events.emit({ type: 'slots', worker: worker.id, topic: worker.definition.topic, active, parallel });
      if (active >= parallel - 1) heartbeats.changed();
    },
  };

  const intake = createIntake(attemptDeps, {
    registered: (worker) => registered.has(worker),
    draining: isDraining,
  });

  const onCancel = (message: Delivery): void => {
    const packet = decodePacket(message.data);
    if (!packet.ok || packet.value.payload.case !== 'jobCancel') return;
    const { jobId } = packet.value.payload.value;
    for (const worker of hosted) {
      for (const attempt of worker.attempts.values()) if (attempt.handOut.id === jobId) leases.ask(attempt);
    }
  };

  const start = async (stopping?: AbortSignal): Promise<void> => {
    for (const worker of hosted) {
      const streams = await bus.capturing(workerJobs(worker.id));
      if (streams.length > 0) {
        throw new CortexError(
          'failed_precondition',
          `the stream ${streams[0]} captures ${workerJobs(worker.id)}; hand-outs must not be stored`,
        );
      }
    }
    leases.start();
    cancels = await bus.subscribe(subjects.cancel, onCancel);
    for (const worker of hosted) {
      await register(worker, {
        ...{ store: alive, clock, log, news, instance, stopping },
        aliveMs: timing.aliveMs,
      });
      registered.add(worker);
      subscriptions.set(worker, await bus.subscribe(workerJobs(worker.id), (message) => intake.take(worker, message)));
    }
    heartbeats.start();
    log.info('listening', { workers: hosted.map((w) => w.id), instance });
    events.emit({ type: 'listening', workers: hosted.map((w) => w.id) });
  };

  const running = (): Attempt[] => hosted.flatMap((w) => Array.from(w.attempts.values()));

  const drain = async ({ finishMs, signal }: DrainOptions): Promise<void> => {
    events.emit({ type: 'draining' });
    let handedBack = 0;
    const uncount = events.on((event) => {
      if (event.type === 'handed_back') handedBack++;
    });
    heartbeats.now();
    await leases.renewNow(); // with a capacity of 0: from here on nothing more is claimed for us
    await intake.over(clock, finishMs, signal);
    const late = running();
    if (late.length > 0) {
      log.warn('handing back what could not be finished', { jobs: late.length });
      for (const attempt of late) attempt.stop('shutdown');
      await intake.over(clock, graceMs);
      // Handlers that do not heed their signal end with the process.
      await Promise.all(
        running()
          .filter((a) => a.phase === 'running')
          .map((a) => handBack(a, 'drained', attemptDeps)),
      );
    }
    await goodbye();
    uncount();
    log.info('drained', { handed_back: handedBack });
    events.emit({ type: 'drained', handedBack });
  };

  const goodbye = async (): Promise<void> => {
    leases.stop();
    heartbeats.stop();
    for (const worker of registered) {
      try {
        await alive.unregister(worker.id, instance);
      } catch (error) {
        log.warn('could not unregister; the worker counts as alive for some seconds more', {
          worker: worker.id,
          error,
        });
      }
    }
    for (const subscription of subscriptions.values()) await unsubscribe(subscription);
    await unsubscribe(cancels);
    await threads.close();
  };

  return {
    events,
    instance,
    workers: hosted,
    start,
    drain(drainOptions) {
      if (draining === undefined) {
        // Set before the first step of drain() runs, since the steps ask for it.
        const gate = Promise.withResolvers<void>();
        draining = gate.promise;
        drain(drainOptions).then(gate.resolve, gate.reject);
      }
      return draining;
    },
  };
}
