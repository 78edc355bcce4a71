// Ends told on the bus: what the scheduler itself ended, and what nobody heard of. An end stays due until it was heard on
// `sys.job.result`, whoever told it; the first to note that it was heard counts it.
import type { JobEnd } from '#core/jobs/job.ts';
import { endMessage } from '#core/protocol/end.ts';
import { createBatches } from './batches.ts';
import { type SchedulerDeps, senderId } from './deps.ts';
import type { Troubles } from './troubles.ts';

export interface Announcer {
  /** Publishes an end that a step of ours made. */
  tell(end: JobEnd): void;
  /** Publishes an end once more that nobody announced in time. */
  repeat(end: JobEnd): void;
  /** An end was heard on the bus: nobody has to look at it again. What cannot be noted is announced again later. */
  heard(id: string, tenant: string): void;
  /** Resolves when everything heard so far is noted. */
  idle(): Promise<void>;
}

/** How long an end that was heard waits for others, ms: nobody waits for it, and a call costs as much for one as for many. */
export const lingerMs = 25;

export function createAnnouncer(deps: SchedulerDeps, troubles: Troubles): Announcer {
  const { bus, store, clock, events, log, metrics } = deps;
  const marks = createBatches<{ readonly id: string; readonly tenant: string }>({
    max: 256,
    most: 20_000,
    linger: { clock, ms: lingerMs },
    async run(items) {
      for (const [i, first] of (await store.announced(items)).entries()) {
        if (first === undefined) continue;
        const status = `JOB_STATUS_${first.state}`;
        metrics.count('cortex_scheduler_jobs_completed_total', { topic: first.topic, status });
        events.emit({ type: 'announced', id: items[i]?.id ?? '', state: first.state });
      }
    },
    onError: (error) => troubles.failed('store', error),
  });
  const post = (end: JobEnd): void => {
    // Into the void it need not be written; it stays due.
    if (bus.state === 'connected') bus.post(endMessage(end, senderId, clock.now()));
  };
  return {
    tell(end) {
      events.emit({ type: 'ended', end });
      log.debug('ended', { job_id: end.id, trace_id: end.traceId, tenant: end.tenant, state: end.state });
      post(end);
    },
    repeat: post,
    heard: (id, tenant) => void marks.push({ id, tenant }),
    idle: () => marks.idle(),
  };
}
