// Results on the bus. From our own hosts they are news: the end is in the store already, a slot is free. From workers that speak the
// bus alone they are the result itself, and the store decides whether it counts.
import { coalesce } from '#core/coalesce.ts';
import type { Delivery } from '#core/bus/bus.ts';
import { isEnd } from '#core/jobs/state.ts';
import type { Committed, ForeignResult } from '#core/jobs/store.ts';
import { decodePacket } from '#core/protocol/envelope.ts';
import { parsePointer } from '#core/protocol/pointer.ts';
import { stateOfStatus, statusOfState } from '#core/protocol/status.ts';
import { headers } from '#core/protocol/subjects.ts';
import { pseudoPrefix } from '#core/jobs/lane.ts';
import type { JobResult } from '#proto/cortex/agent/v1/job_pb.ts';
import { type Announcer, statusLabel } from './announcer.ts';
import { type SchedulerDeps, senderId } from './deps.ts';
import type { Dispatcher } from './dispatcher.ts';
import type { Kernel } from './kernel.ts';

export interface Results {
  /** Takes one message from `sys.job.result`. Never throws. */
  take(delivery: Delivery): void;
}

export function createResults(
  deps: SchedulerDeps,
  kernel: Kernel,
  announcer: Announcer,
  dispatcher: Dispatcher,
): Results {
  const { store, metrics, events, log } = deps;
  const commit = coalesce((items: ForeignResult[]): Promise<readonly Committed[]> => store.commitForeign(items));
  const count = (topic: string, status: string): void =>
    metrics.count('cortex_scheduler_jobs_completed_total', { topic: topic === '' ? 'unknown' : topic, status });

  const foreign = async (result: JobResult): Promise<void> => {
    const status = stateOfStatus(result.status);
    const policy = kernel.lastPolicy();
    // A status on the way, or one that we do not know, ends nothing.
    if (status === undefined || !isEnd(status) || policy === undefined) {
      events.emit({ type: 'foreign_result', id: result.jobId, outcome: 'ignored' });
      return;
    }
    const { key, bad } = keyOf(result.resultPtr);
    const answer = await commit({
      id: result.jobId,
      status: bad ? 'FAILED' : status,
      resultKey: key,
      artifactKeys: result.artifactPtrs.flatMap((pointer) => keyOf(pointer).key || []),
      workerName: result.workerId,
      execMs: Math.max(0, Number(result.executionMs)),
      errorCode: bad ? 'bad_result_ptr' : result.errorCode,
      errorMessage: bad ? 'result_ptr: cannot be read' : result.errorMessage,
      policy,
    });
    events.emit({ type: 'foreign_result', id: result.jobId, outcome: answer.outcome });
    switch (answer.outcome) {
      case 'committed': {
        const { end } = answer;
        if (end === undefined) return;
        count(end.topic, statusLabel(statusOfState(end.state)));
        events.emit({ type: 'ended', end });
        dispatcher.freed(`${pseudoPrefix}${end.topic}`);
        // What the bus said and what counts may differ (a pointer to another's key): then the truth is told as well.
        if (end.state !== status) announcer.repeat(end);
        announcer.heard(end.id, end.tenant);
        return;
      }
      case 'retry':
        return;
      case 'stale':
      case 'missing':
        metrics.count('cortex_fence_rejections_total', { operation: 'foreign_result' });
        log.debug('a result from the bus does not count', { job_id: result.jobId, outcome: answer.outcome });
    }
  };

  return {
    take(delivery) {
      const decoded = decodePacket(delivery.data);
      if (!decoded.ok || decoded.value.payload.case !== 'jobResult') {
        metrics.count('cortex_scheduler_submissions_refused_total', { reason: 'undecodable' });
        events.emit({ type: 'refused', reason: 'undecodable', id: '' });
        return;
      }
      const { senderId: sender, payload } = decoded.value;
      const result = payload.value;
      const tenant = delivery.header(headers.tenant);
      // With the tenant's header it is news of ours: the end is stored. Whether it really is, `announced` asks the record.
      if (tenant !== undefined) {
        announcer.heard(result.jobId, tenant);
        count(delivery.header(headers.topic) ?? '', statusLabel(result.status));
        if (sender !== senderId) dispatcher.freed(result.workerId);
        return;
      }
      foreign(result).catch((error: unknown) => {
        events.emit({ type: 'trouble', what: 'store', error });
        log.warn('could not take a result from the bus', { job_id: result.jobId, error });
      });
    },
  };
}

/** The key that a pointer names; `bad` for a pointer that names none. */
function keyOf(pointer: string): { readonly key: string; readonly bad: boolean } {
  if (pointer === '') return { key: '', bad: false };
  const key = parsePointer(pointer);
  return key.ok ? { key: key.value, bad: false } : { key: '', bad: true };
}
