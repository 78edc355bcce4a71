// Looks at what is due: what a lost doorbell, a dead worker, a passed deadline or an unheard end left behind. The decision is pure
// (core/scheduling/overdue.ts) and is applied with the state and fence that it was made from.
import type { DueJob, End, Requeue } from '#core/jobs/store.ts';
import { overdue } from '#core/scheduling/overdue.ts';
import type { GateJob } from '#core/scheduling/plan.ts';
import type { Announcer } from './announcer.ts';
import type { SchedulerDeps } from './deps.ts';
import type { Dispatcher } from './dispatcher.ts';
import { type Gatekeeper, gateJobOf } from './gatekeeper.ts';

export interface Reconciler {
  /** Looks at what is due, for a bounded time. Answers whether more is. Throws when the store cannot be reached. */
  run(): Promise<boolean>;
}

/** Jobs looked at in one call, and calls in one run. */
const batch = 256;
const rounds = 8;

/** How far a due job is pushed ahead while somebody looks at it, ms. */
export const pushMs = 1_000;

/** `onUnaccepted`: a worker did not take up what it was handed; so long ago its word was due. */
export function createReconciler(
  deps: SchedulerDeps,
  gatekeeper: Gatekeeper,
  dispatcher: Dispatcher,
  announcer: Announcer,
  onUnaccepted: (worker: string, agoMs: number) => void,
): Reconciler {
  const { store, timeouts, metrics, events, log } = deps;

  const end = async (ends: readonly End[]): Promise<void> => {
    if (ends.length === 0) return;
    for (const done of await store.end(ends)) {
      if (done.end !== undefined && done.outcome === 'ended') announcer.tell(done.end);
    }
  };

  const requeue = async (jobs: readonly { job: DueJob; item: Requeue }[], now: number): Promise<void> => {
    if (jobs.length === 0) return;
    for (const [i, done] of (await store.requeue(jobs.map(({ item }) => item))).entries()) {
      const asked = jobs[i];
      if (asked === undefined || done.outcome === 'moved' || done.outcome === 'missing') continue;
      const { job, item } = asked;
      events.emit({ type: 'requeued', id: job.id, why: item.why });
      if (item.why === 'unaccepted' || item.why === 'lost') {
        metrics.count('cortex_scheduler_lease_expiries_total', { pool: job.pool });
        const { id, traceId, tenant, worker } = job;
        log.info('a lease ran out', { job_id: id, trace_id: traceId, tenant, worker, why: item.why });
        // Of a worker that lost a job the store knows whether it lives. One that is alive and deaf only this shows.
        if (item.why === 'unaccepted') onUnaccepted(worker, job.leaseAt === 0 ? 0 : now - job.leaseAt);
      }
      if (done.end !== undefined) announcer.tell(done.end);
      if (done.outcome === 'queued') dispatcher.ready(job.pool, job.lane);
    }
  };

  const step = async (jobs: readonly DueJob[], now: number): Promise<void> => {
    const judge: GateJob[] = [];
    const ends: End[] = [];
    const requeues: { job: DueJob; item: Requeue }[] = [];
    for (const job of jobs) {
      const action = overdue(job, now, timeouts);
      switch (action.do) {
        case 'judge': {
          const gateJob = gateJobOf({ ...job, packet: job.packet ?? new Uint8Array() }, log);
          if (gateJob !== undefined) judge.push(gateJob);
          else ends.push(endOf(job, 'FAILED', 'data_loss', 'the packet of the job cannot be read'));
          break;
        }
        case 'timeout':
          ends.push(endOf(job, 'TIMEOUT', action.errorCode, action.errorMessage));
          break;
        case 'cancel':
          ends.push(endOf(job, 'CANCELLED', 'cancelled', action.errorMessage));
          break;
        case 'requeue': {
          const { state, why, delayMs } = action;
          const seen = { state, fence: job.fence };
          requeues.push({ job, item: { id: job.id, tenant: job.tenant, seen, why, delayMs } });
          break;
        }
        case 'announce':
          if (job.end !== undefined) announcer.repeat(job.end);
          break;
        case 'wait':
          break;
      }
    }
    await Promise.all([gatekeeper.judge(judge), end(ends), requeue(requeues, now)]);
  };

  return {
    async run() {
      for (let round = 0; round < rounds; round++) {
        const due = await store.due(batch, pushMs);
        await step(due.jobs, due.now);
        if (!due.more) return false;
      }
      return true;
    },
  };
}

function endOf(job: DueJob, to: 'FAILED' | 'TIMEOUT' | 'CANCELLED', errorCode: string, errorMessage: string): End {
  return { id: job.id, tenant: job.tenant, to, seen: { state: job.state, fence: job.fence }, errorCode, errorMessage };
}
