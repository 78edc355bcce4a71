// Hand-outs: what waits goes to the least-loaded workers with room, as many as they have free slots. Whom to ask for how many comes
// from what is believed (beliefs.ts); what is handed out comes from the claim.
import type { Publication } from '#core/bus/bus.ts';
import { coalesce } from '#core/coalesce.ts';
import type { Claimed, HandOut, PendingJob, Requeue } from '#core/jobs/store.ts';
import { writeHandOut } from '#core/protocol/hand-out.ts';
import { workerJobs } from '#core/protocol/subjects.ts';
import type { Registry } from '#core/routing/registry.ts';
import type { WorkerEntry } from '#core/routing/worker-entry.ts';
import { createBeliefs, type Planned } from './beliefs.ts';
import { acceptMs, type SchedulerDeps } from './deps.ts';
import type { Kernel } from './kernel.ts';
import { createLoop } from './loop.ts';
import { createSilences } from './silence.ts';
import type { Troubles } from './troubles.ts';

export interface Dispatcher {
  /** A job entered the ready queue. */
  ready(pool: string, lane: string): void;
  /** A worker is there, with this load by its own word. `changed`: it was not, or can do other things than before. */
  worker(entry: WorkerEntry | undefined, pool: string, changed: boolean): void;
  /** A job of this worker ended. */
  freed(worker: string): void;
  /** Reads the queues and offers everything to everybody: what news may have failed to tell. */
  sweep(): void;
  stop(): Promise<void>;
}

/** Jobs claimed in one call at most: Redis does nothing else in the meantime. */
export const maxClaims = 128;
/** How long a job waits after the bus said that nobody listens, ms. */
export const noRespondersMs = 1_000;

/** `regate` takes jobs that a claim sent back to the gate. */
export function createDispatcher(
  deps: SchedulerDeps,
  registry: Registry,
  kernel: Kernel,
  troubles: Troubles,
  regate: (jobs: readonly PendingJob[]) => void,
): Dispatcher {
  const { bus, store, clock, metrics, events, log, pools } = deps;
  const silences = createSilences(clock, () => loop.wake());
  const beliefs = createBeliefs(registry, (worker) =>
    worker.direct ? Number.POSITIVE_INFINITY : silences.allowed(worker.id),
  );
  const giveBack = coalesce((items: Requeue[]) => store.requeue(items));
  const state = { sweeping: false, stopped: false };

  const nobodyListens = (worker: WorkerEntry, job: HandOut): void => {
    silences.none(worker.id);
    const seen = { state: 'DISPATCHED', fence: job.fence } as const;
    giveBack({ id: job.id, tenant: job.tenant, seen, why: 'no_responders', delayMs: noRespondersMs }).then(
      () => events.emit({ type: 'requeued', id: job.id, why: 'no_responders' }),
      (error: unknown) => troubles.failed('store', error), // its lease ends by itself, and the reconciler sees it
    );
  };

  const handOver = (pool: string, worker: WorkerEntry, job: HandOut): void => {
    metrics.count('cortex_scheduler_jobs_dispatched_total', { topic: job.topic });
    metrics.observe('cortex_scheduler_queue_wait_seconds', { pool }, Math.max(0, job.claimedAt - job.queuedAt) / 1000);
    events.emit({ type: 'handed_out', id: job.id, worker: worker.id, fence: job.fence });
    if (log.level === 'debug') {
      const about = { job_id: job.id, trace_id: job.traceId, tenant: job.tenant };
      log.debug('handed out', { ...about, worker: worker.id, fence: job.fence });
    }
    if (!worker.direct) {
      silences.tried(worker.id);
      // No fence goes along: a worker that speaks the bus alone would not know what to do with it.
      bus.probe({ subject: job.topic, data: job.packet }, () => nobodyListens(worker, job));
      return;
    }
    const message: Publication = {
      subject: workerJobs(worker.id),
      data: job.packet,
      headers: writeHandOut({ ...job, instance: worker.instance, leaseMs: acceptMs }),
    };
    bus.post(message);
  };

  const settle = (planned: Planned, claimed: Claimed): void => {
    const { pool, worker } = planned;
    if (claimed.outcome === 'later') return; // the next plan has it again
    if (claimed.outcome === 'gone') {
      registry.suspect(worker.id);
      events.emit({ type: 'worker', id: worker.id, is: 'suspected' });
      return;
    }
    beliefs.learn(planned, claimed);
    for (const job of claimed.jobs) handOver(pool, worker, job);
    if (claimed.regate.length > 0) regate(claimed.regate);
  };

  const recount = (): Promise<void> =>
    beliefs.recount(async () => {
      const depths = await store.depths();
      const sums = new Map(Array.from(pools.topics.values(), (pool) => [pool, 0]));
      for (const { pool, waiting } of depths) sums.set(pool, (sums.get(pool) ?? 0) + waiting);
      for (const [pool, n] of sums) metrics.gauge('cortex_scheduler_queue_depth', { pool }, n);
      return depths;
    });

  const run = async (): Promise<void> => {
    while (!state.stopped) {
      if (state.sweeping) {
        state.sweeping = false;
        await recount();
      }
      const policy = kernel.policy();
      if (policy === undefined || bus.state !== 'connected') return;
      const planned = beliefs.plan(maxClaims);
      if (planned.length === 0) return;
      const claimed = await store.claim(
        planned.map(({ pool, worker, n, lanes }) => ({
          pool,
          worker: worker.id,
          instance: worker.instance,
          n,
          capacity: worker.capacity,
          lanes,
          acceptMs: worker.direct ? acceptMs : 0,
          policy,
        })),
      );
      for (const [i, answer] of claimed.entries()) {
        const asked = planned[i];
        if (asked !== undefined) settle(asked, answer);
      }
    }
  };
  const loop = createLoop(run, (error) => troubles.failed('store', error));

  return {
    ready(pool, lane) {
      if (beliefs.ready(pool, lane)) loop.wake();
    },
    worker(entry, pool, changed) {
      if (entry !== undefined) beliefs.beat(entry.id, entry.activeJobs, entry.capacity);
      else if (changed) silences.over(topicsOf(pool));
      if (changed) beliefs.reopen(pool);
      if (beliefs.waits) loop.wake();
    },
    freed(worker) {
      beliefs.freed(worker);
      if (beliefs.waits) loop.wake();
    },
    sweep() {
      state.sweeping = true;
      loop.wake();
    },
    async stop() {
      state.stopped = true;
      await loop.stop();
    },
  };

  function topicsOf(pool: string): string[] {
    return Array.from(pools.topics).flatMap(([topic, its]) => (its === pool ? [topic] : []));
  }
}
