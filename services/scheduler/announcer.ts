// Ends told on the bus: what the scheduler itself ended, and what nobody heard of. An end stays due until it was heard on
// `sys.job.result`, whoever told it.
import { coalesce } from '#core/coalesce.ts';
import type { JobEnd } from '#core/jobs/job.ts';
import { stateOfStatus } from '#core/protocol/status.ts';
import { endMessage } from '#core/protocol/end.ts';
import type { JobStatus } from '#proto/cortex/agent/v1/job_pb.ts';
import { type SchedulerDeps, senderId } from './deps.ts';

export interface Announcer {
  /** Publishes an end that a step of ours made. */
  tell(end: JobEnd): void;
  /** Publishes an end once more that nobody announced in time. */
  repeat(end: JobEnd): void;
  /** An end was heard on the bus: nobody has to look at it again. Never rejects; what fails is announced again later. */
  heard(id: string, tenant: string): void;
}

/** `JOB_STATUS_...`, as the original's metric has it. */
export function statusLabel(status: JobStatus): string {
  return `JOB_STATUS_${stateOfStatus(status) ?? 'UNSPECIFIED'}`;
}

export function createAnnouncer(deps: SchedulerDeps): Announcer {
  const { bus, store, clock, events, log } = deps;
  const mark = coalesce(async (items: { id: string; tenant: string }[]): Promise<void[]> => {
    await store.announced(items);
    return items.map(() => undefined);
  });
  const post = (end: JobEnd): void => bus.post(endMessage(end, senderId, clock.now()));
  return {
    tell(end) {
      events.emit({ type: 'ended', end });
      log.debug('ended', { job_id: end.id, trace_id: end.traceId, tenant: end.tenant, state: end.state });
      post(end);
    },
    repeat: post,
    heard(id, tenant) {
      mark({ id, tenant }).then(
        () => events.emit({ type: 'announced', id }),
        (error: unknown) => events.emit({ type: 'trouble', what: 'store', error }),
      );
    },
  };
}
