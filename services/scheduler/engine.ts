// The scheduler: its parts put together, its subscriptions, its beat. See DESIGN.md for what it guarantees.
import type { Subscription } from '#core/bus/bus.ts';
import { CortexError } from '#core/errors.ts';
import type { PendingJob } from '#core/jobs/store.ts';
import { schedulerGroup, subjects } from '#core/protocol/subjects.ts';
import { createRegistry } from '#core/routing/registry.ts';
import { createAnnouncer } from './announcer.ts';
import { acceptMs, type SchedulerDeps } from './deps.ts';
import { createDispatcher } from './dispatcher.ts';
import { createGatekeeper, gateJobOf } from './gatekeeper.ts';
import { createKernel } from './kernel.ts';
import { createLoop, every } from './loop.ts';
import { createProgresses } from './progress.ts';
import { createReconciler } from './reconciler.ts';
import { createResults } from './results.ts';
import { createSubmissions } from './submissions.ts';
import { createTroubles } from './troubles.ts';
import { createWorkers } from './workers.ts';

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
/** Jobs sent back to the gate that are judged at once; with more of them the reconciler deals, a second later. */
const maxRegates = 1_024;

/** A scheduler on these parts. Nothing happens before `start`. */
export function createScheduler(deps: SchedulerDeps): Scheduler {
  const { bus, clock, log, pools, timeouts, events } = deps;
  const troubles = createTroubles(deps);
  const registry = createRegistry(pools);
  const kernel = createKernel(deps);
  const announcer = createAnnouncer(deps, troubles);
  const gatekeeper = createGatekeeper(deps, kernel, announcer, (pool, lane) => dispatcher.ready(pool, lane));
  const dispatcher = createDispatcher(deps, registry, kernel, troubles, (jobs) => void regate(jobs));
  const workers = createWorkers(deps, registry, dispatcher, troubles);
  const submissions = createSubmissions(deps, gatekeeper, announcer, troubles);
  const results = createResults(deps, kernel, announcer, dispatcher, troubles);
  const progresses = createProgresses(deps, troubles);
  const reconciler = createReconciler(deps, gatekeeper, dispatcher, announcer, suspect);

  const subscriptions: Subscription[] = [];
  const stops: (() => void)[] = [];
  let scanAt = Number.NEGATIVE_INFINITY;
  let regating = 0;

  const regate = async (jobs: readonly PendingJob[]): Promise<void> => {
    if (regating + jobs.length > maxRegates) return;
    regating += jobs.length;
    try {
      await gatekeeper.judge(jobs.map((job) => gateJobOf(job, log)).filter((job) => job !== undefined));
    } catch (error) {
      troubles.failed('store', error); // they are PENDING again, and due
    } finally {
      regating -= jobs.length;
    }
  };

  function suspect(worker: string, agoMs: number): void {
    // While the bus or the store was away nobody could have taken it up: the worker is not to blame.
    if (clock.monotonic() - agoMs - acceptMs <= troubles.recoveredAt()) return;
    registry.suspect(worker);
    events.emit({ type: 'worker', id: worker, is: 'suspected' });
  }

  const due = createLoop(
    async () => {
      const more = await reconciler.run();
      troubles.well('store');
      if (more) due.wake();
    },
    (error) => troubles.failed('store', error),
  );

  const look = (): void => {
    due.wake();
    dispatcher.sweep();
  };

  const beat = (): void => {
    const problem = kernel.problem();
    if (problem === '') troubles.well('kernel');
    else troubles.away('kernel', problem);
    troubles.check();
    workers.tick();
    look();
    if (clock.monotonic() - scanAt >= timeouts.scanIntervalMs) void scan();
  };

  const scan = async (): Promise<void> => {
    scanAt = clock.monotonic();
    try {
      const problem = await captured();
      if (problem === '') troubles.well('stream');
      else troubles.away('stream', problem);
    } catch (error) {
      events.emit({ type: 'trouble', what: 'bus', error }); // asked again at the next scan
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
      stops.push(() => kernel.stop());
      await Promise.all([kernel.start(), workers.start()]);
      kernel.onChange(look);
      const group = { queue: schedulerGroup };
      subscriptions.push(
        ...(await Promise.all([
          bus.subscribe(subjects.heartbeat, workers.take),
          bus.subscribe(subjects.result, results.take, group),
          bus.subscribe(subjects.progress, progresses.take, group),
          bus.subscribe(subjects.submit, submissions.take, group),
          bus.subscribe(subjects.submitOfTenants, submissions.take, group),
        ])),
      );
      stops.push(
        bus.onState((state) => {
          if (state === 'connected') {
            troubles.well('bus');
            look();
          } else troubles.away('bus', 'the connection is down');
        }),
        every(clock, beatMs, beat),
      );
      look();
    },

    async stop() {
      for (const stop of stops.splice(0)) stop();
      await Promise.all(subscriptions.splice(0).map((subscription) => subscription.close()));
      await Promise.all([submissions.idle(), results.idle(), progresses.idle()]);
      await Promise.all([due.stop(), dispatcher.stop(), workers.stop()]);
      await announcer.idle();
    },

    troubles: () => troubles.list(),
  };
}
