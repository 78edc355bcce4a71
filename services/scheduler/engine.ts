// The scheduler: its parts put together, its subscriptions, its beat. See DESIGN.md for what it guarantees.
import type { Delivery, Subscription } from '#core/bus/bus.ts';
import { CortexError, toCortexError } from '#core/errors.ts';
import { decodePacket } from '#core/protocol/envelope.ts';
import { schedulerGroup, subjects } from '#core/protocol/subjects.ts';
import { createRegistry } from '#core/routing/registry.ts';
import { snapshotTtlMs, writeWorkers } from '#core/routing/snapshot.ts';
import { createAlerts } from './alerts.ts';
import { createAnnouncer } from './announcer.ts';
import type { SchedulerDeps } from './deps.ts';
import { createDispatcher } from './dispatcher.ts';
import { createGatekeeper } from './gatekeeper.ts';
import { createKernel } from './kernel.ts';
import { createLoop, every } from './loop.ts';
import { createReconciler } from './reconciler.ts';
import { createResults } from './results.ts';
import { createSubmissions } from './submissions.ts';

export interface Scheduler {
  /** Subscribes and begins. Throws `failed_precondition` when a stream captures the subjects on which jobs are handed out. */
  start(): Promise<void>;
  /** Takes nothing more and finishes what is under way. */
  stop(): Promise<void>;
  /** For /health: what is away, by name; empty when all is well. */
  troubles(): Readonly<Record<string, string>>;
}

/** How often everything is looked at that no event told, ms: the price of a lost doorbell. */
const beatMs = 1_000;

/** A scheduler on these parts. Nothing happens before `start`. */
export function createScheduler(deps: SchedulerDeps): Scheduler {
  const { bus, redis, clock, log, metrics, pools, timeouts, events } = deps;
  const registry = createRegistry(pools);
  const kernel = createKernel(deps);
  const announcer = createAnnouncer(deps);
  const alerts = createAlerts(bus, clock);
  const gatekeeper = createGatekeeper(deps, kernel, announcer, (pool, lane) => dispatcher.ready(pool, lane));
  const dispatcher = createDispatcher(deps, registry, kernel, (jobs) => {
    gatekeeper.judge(jobs).catch(storeTrouble); // PENDING again and due: the reconciler has them if this fails
  });
  const submissions = createSubmissions(deps, gatekeeper, announcer);
  const results = createResults(deps, kernel, announcer, dispatcher);
  const reconciler = createReconciler(deps, registry, gatekeeper, dispatcher, announcer);

  let storeAway = '';
  let subscriptions: Subscription[] = [];
  const stops: (() => void)[] = [];
  let snapshotAt = Number.NEGATIVE_INFINITY;
  let snapshotText = '';
  let scanAt = Number.NEGATIVE_INFINITY;

  function storeTrouble(error: unknown): void {
    const { message } = toCortexError(error);
    if (storeAway === '') log.warn('the store does not answer', { error });
    storeAway = message;
    alerts.note('store', false, message);
    events.emit({ type: 'trouble', what: 'store', error });
  }
  const storeBack = (): void => {
    if (storeAway === '') return;
    storeAway = '';
    log.info('the store answers again');
    alerts.note('store', true);
  };

  const due = createLoop(async () => {
    await reconciler.run();
    await dispatcher.sweep();
    storeBack();
  }, storeTrouble);

  const saveSnapshot = createLoop(async () => {
    const workers = registry.snapshot(clock.monotonic(), clock.now());
    const text = JSON.stringify(workers.map(({ last_seen: _, ...rest }) => rest));
    const old = clock.monotonic() - snapshotAt > snapshotTtlMs / 3;
    if (text === snapshotText && !old) return;
    await writeWorkers(redis, workers, clock.now());
    snapshotText = text;
    snapshotAt = clock.monotonic();
  }, storeTrouble);

  const onHeartbeat = (delivery: Delivery): void => {
    const decoded = decodePacket(delivery.data);
    if (!decoded.ok || decoded.value.payload.case !== 'heartbeat') {
      metrics.count('cortex_scheduler_submissions_refused_total', { reason: 'undecodable' });
      return;
    }
    const beat = decoded.value.payload.value;
    const known = registry.size;
    const room = registry.beat(beat, clock.monotonic());
    if (registry.size > known) {
      events.emit({ type: 'worker', id: beat.workerId, is: 'seen' });
      saveSnapshot.wake();
      countWorkers();
    }
    if (room) dispatcher.worker(beat.workerId, beat.activeJobs);
  };

  const countWorkers = (): void => {
    const alive = Map.groupBy(registry.snapshot(0, 0), (worker) => worker.pool);
    for (const pool of new Set(pools.topics.values())) {
      metrics.gauge('cortex_scheduler_workers', { pool }, alive.get(pool)?.length ?? 0);
    }
  };

  const beat = (): void => {
    kernel.ask().catch((error: unknown) => events.emit({ type: 'trouble', what: 'kernel', error }));
    alerts.note('kernel', kernel.awayMs() === 0, 'it does not answer, or has no usable policy');
    alerts.check();
    for (const id of registry.expire(clock.monotonic())) {
      events.emit({ type: 'worker', id, is: 'gone' });
      log.info('a worker is gone', { worker: id });
    }
    countWorkers();
    saveSnapshot.wake();
    due.wake();
    if (clock.monotonic() - scanAt >= timeouts.scanIntervalMs) {
      scanAt = clock.monotonic();
      captured().then(
        (problem) => alerts.note('stream', problem === '', problem),
        (error: unknown) => events.emit({ type: 'trouble', what: 'bus', error }),
      );
    }
  };

  /** Streams that would keep hand-outs: their acknowledgement looks like an answer, and what they replay would run twice. */
  const captured = async (): Promise<string> => {
    const found = await Promise.all(['job.>', 'worker.*.jobs'].map(async (s) => [s, await bus.capturing(s)] as const));
    return found
      .filter(([, streams]) => streams.length > 0)
      .map(([subject, streams]) => `the stream ${streams.join(', ')} captures ${subject}`)
      .join('; ');
  };

  return {
    async start() {
      const problem = await captured();
      if (problem !== '') {
        throw new CortexError('failed_precondition', `${problem}; jobs cannot be handed out beside it`);
      }
      scanAt = clock.monotonic();
      await kernel.ask();
      kernel.onChange(() => due.wake());
      const queue = { queue: schedulerGroup };
      subscriptions = await Promise.all([
        bus.subscribe(subjects.heartbeat, onHeartbeat),
        bus.subscribe(subjects.result, results.take, queue),
        bus.subscribe(subjects.submit, submissions.take, queue),
        bus.subscribe(subjects.submitOfTenants, submissions.take, queue),
      ]);
      stops.push(
        bus.onState((state) => {
          alerts.note('bus', state === 'connected', 'the connection is down');
          if (state === 'connected') due.wake();
        }),
        every(clock, beatMs, beat),
      );
      due.wake();
    },

    async stop() {
      for (const stop of stops.splice(0)) stop();
      await Promise.all(subscriptions.splice(0).map((subscription) => subscription.close()));
      await submissions.idle();
      await Promise.all([due.stop(), dispatcher.stop(), saveSnapshot.stop()]);
    },

    troubles() {
      const out: Record<string, string> = {};
      if (storeAway !== '') out['store'] = storeAway;
      if (bus.state !== 'connected') out['bus'] = 'the connection is down';
      if (kernel.awayMs() > 0) out['kernel'] = 'it does not answer, or has no usable policy: jobs wait';
      return out;
    },
  };
}
