// Hand-outs: what waits goes to the least-loaded workers with room, as many as they have free slots. What is believed of queues and
// slots comes from gates, claims, results and heartbeats, and is only a hint: the claim script is the judge, and once a second
// everything that waits is offered to everybody who may serve it, whatever was believed.
import type { Publication } from '#core/bus/bus.ts';
import type { Claimed, HandOut, Requeue } from '#core/jobs/store.ts';
import { writeHandOut } from '#core/protocol/hand-out.ts';
import { workerJobs } from '#core/protocol/subjects.ts';
import type { Registry, WorkerEntry } from '#core/routing/registry.ts';
import { place, type Placement, type WaitingLane } from '#core/routing/strategy.ts';
import type { GateJob } from '#core/scheduling/plan.ts';
import { acceptMs, type SchedulerDeps } from './deps.ts';
import { gateJobOf } from './gatekeeper.ts';
import type { Kernel } from './kernel.ts';
import { createLoop } from './loop.ts';

export interface Dispatcher {
  /** A job entered the ready queue. */
  ready(pool: string, lane: string): void;
  /** A worker is there, or has room; `used` slots of it are taken, by its own word. */
  worker(id: string, used: number): void;
  /** A job of this worker ended. */
  freed(worker: string): void;
  /** Reads the queues and offers everything to everybody: what news may have failed to tell. */
  sweep(): Promise<void>;
  stop(): Promise<void>;
}

/** Jobs claimed in one call at most. */
const maxClaims = 256;
/** How long a job waits after the bus said that nobody listens, ms. */
const noRespondersMs = 1_000;

export function createDispatcher(
  deps: SchedulerDeps,
  registry: Registry,
  kernel: Kernel,
  regate: (jobs: readonly GateJob[]) => void,
): Dispatcher {
  const { bus, store, log, metrics, events } = deps;
  /** pool -> lane -> jobs believed to wait. */
  const waiting = new Map<string, Map<string, number>>();
  /** worker -> slots believed to be in use. */
  const used = new Map<string, number>();
  let turn = 0;

  const lanesOf = (pool: string): Map<string, number> => {
    let lanes = waiting.get(pool);
    if (lanes === undefined) {
      lanes = new Map();
      waiting.set(pool, lanes);
    }
    return lanes;
  };

  const plan = (): { readonly pool: string; readonly placement: Placement }[] => {
    const byPool = Map.groupBy(registry.workers(), (worker) => worker.pool);
    const out: { pool: string; placement: Placement }[] = [];
    turn++;
    for (const [pool, lanes] of waiting) {
      const wanted: WaitingLane[] = Array.from(lanes, ([lane, n]) => ({ lane, waiting: n }));
      const candidates = (byPool.get(pool) ?? []).map((worker) => ({ worker, used: used.get(worker.id) ?? 0 }));
      if (wanted.length === 0 || candidates.length === 0) continue;
      for (const placement of place(candidates, wanted, turn, maxClaims)) out.push({ pool, placement });
    }
    return out;
  };

  const requeue = (job: HandOut, why: Requeue['why'], delayMs: number): void => {
    const seen = { state: 'DISPATCHED', fence: job.fence } as const;
    store.requeue([{ id: job.id, tenant: job.tenant, seen, why, delayMs }]).then(
      () => events.emit({ type: 'requeued', id: job.id, why }),
      // Its lease ends by itself, and the reconciler sees it.
      (error: unknown) => events.emit({ type: 'trouble', what: 'store', error }),
    );
  };

  const handOver = (pool: string, worker: WorkerEntry, job: HandOut): void => {
    metrics.count('cortex_scheduler_jobs_dispatched_total', { topic: job.topic });
    metrics.observe('cortex_scheduler_queue_wait_seconds', { pool }, Math.max(0, job.claimedAt - job.createdAt) / 1000);
    events.emit({ type: 'handed_out', id: job.id, worker: worker.id, fence: job.fence });
    if (!worker.direct) {
      // No fence goes along: a worker that speaks the bus alone would not know what to do with it.
      bus.probe({ subject: job.topic, data: job.packet }, () => requeue(job, 'no_responders', noRespondersMs));
      return;
    }
    const message: Publication = {
      subject: workerJobs(worker.id),
      data: job.packet,
      headers: writeHandOut({ ...job, leaseMs: acceptMs }),
    };
    bus.post(message);
  };

  const settle = (pool: string, { worker, n, lanes }: Placement, claimed: Claimed): void => {
    if (claimed.outcome === 'gone') {
      registry.suspect(worker.id);
      events.emit({ type: 'worker', id: worker.id, is: 'suspected' });
      return;
    }
    const before = claimed.used - claimed.jobs.length;
    used.set(worker.id, claimed.used);
    for (const job of claimed.jobs) handOver(pool, worker, job);
    const own = lanesOf(pool);
    const taken = claimed.jobs.length + claimed.regate.length;
    const room = Math.min(n, claimed.capacity - before);
    // Fewer than there was room for: the lanes are empty, or held back what was past its deadline.
    if (taken < room) for (const lane of lanes) own.delete(lane);
    else subtract(own, lanes, taken);
    if (claimed.regate.length > 0) {
      regate(claimed.regate.map((job) => gateJobOf(job, log)).filter((job) => job !== undefined));
    }
  };

  const run = async (): Promise<void> => {
    for (;;) {
      const policy = kernel.policy();
      if (policy === undefined || bus.state !== 'connected') return;
      const planned = plan();
      if (planned.length === 0) return;
      const claimed = await store.claim(
        planned.map(({ pool, placement: { worker, n, lanes } }) => ({
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
        if (asked !== undefined) settle(asked.pool, asked.placement, answer);
      }
    }
  };
  const loop = createLoop(run, (error) => events.emit({ type: 'trouble', what: 'store', error }));

  return {
    ready(pool, lane) {
      const lanes = lanesOf(pool);
      lanes.set(lane, (lanes.get(lane) ?? 0) + 1);
      loop.wake();
    },
    worker(id, taken) {
      used.set(id, taken);
      if (waiting.size > 0) loop.wake();
    },
    freed(worker) {
      used.set(worker, Math.max(0, (used.get(worker) ?? 1) - 1));
      if (waiting.size > 0) loop.wake();
    },
    async sweep() {
      const depths = await store.depths();
      waiting.clear();
      for (const { pool, lane, waiting: n } of depths) {
        const lanes = lanesOf(pool);
        lanes.set(lane, (lanes.get(lane) ?? 0) + n);
      }
      for (const [pool, n] of perPool(depths, deps.pools.topics.values())) {
        metrics.gauge('cortex_scheduler_queue_depth', { pool }, n);
      }
      const alive = new Set(registry.workers().map((worker) => worker.id));
      for (const id of used.keys()) if (!alive.has(id)) used.delete(id);
      if (depths.length === 0) return;
      // Who is believed to be full may have room after all: one slot is asked for, and the answer tells.
      for (const worker of registry.workers()) {
        if ((used.get(worker.id) ?? 0) >= worker.capacity) used.set(worker.id, worker.capacity - 1);
      }
      loop.wake();
    },
    stop: () => loop.stop(),
  };

  function subtract(own: Map<string, number>, lanes: readonly string[], taken: number): void {
    let left = taken;
    for (const lane of lanes) {
      const have = own.get(lane) ?? 0;
      const less = Math.min(have, left);
      left -= less;
      if (have - less > 0) own.set(lane, have - less);
      else own.delete(lane);
    }
  }
}

/** Jobs waiting per pool, with a 0 for pools in which nothing waits. */
function perPool(
  depths: readonly { readonly pool: string; readonly waiting: number }[],
  pools: Iterable<string>,
): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const pool of pools) sums.set(pool, 0);
  for (const { pool, waiting } of depths) sums.set(pool, (sums.get(pool) ?? 0) + waiting);
  return sums;
}
