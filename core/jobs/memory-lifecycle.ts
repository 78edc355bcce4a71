// The twin's operations from outside an attempt: end, requeue, what is due, what was announced.
import { short } from './checks.ts';
import {
  endOf,
  finish,
  isHeld,
  type JobRecord,
  maxLosses,
  type Memory,
  mostLosses,
  move,
  recordOf,
  schedule,
  slotsOf,
} from './memory-state.ts';
import { isEnd, mayGo } from './state.ts';
import type { Announced, Due, DueJob, End, Ended, Requeue, Requeued } from './store.ts';

export function endJob(memory: Memory, item: End): Ended {
  const record = recordOf(memory, item.id);
  if (record === undefined || (item.tenant !== undefined && item.tenant !== record.tenant)) {
    return { outcome: 'missing', state: undefined, end: undefined, worker: '', fence: '' };
  }
  const { state, worker } = record;
  const fence = String(record.fence);
  if (isEnd(state)) return { outcome: 'already', state, end: endOf(record, state), worker, fence };
  const { to, seen } = item;
  const moved = seen !== undefined && (seen.state !== state || seen.fence !== fence);
  if (moved || !mayGo(state, to)) return { outcome: 'moved', state, end: undefined, worker, fence };
  if (record.queued) memory.queue.remove(record);
  record.queued = false;
  record.errorCode = item.errorCode;
  record.errorMessage = short(item.errorMessage);
  // A running attempt keeps its slot until its host says that it stopped; what nobody runs has stopped already.
  if (!isHeld(record)) record.stoppedAt = memory.options.now();
  return { outcome: 'ended', state: to, end: finish(memory, record, to), worker, fence };
}

export function requeueJob(memory: Memory, item: Requeue): Requeued {
  const record = recordOf(memory, item.id);
  if (record === undefined) return { outcome: 'missing', end: undefined };
  const moved: Requeued = { outcome: 'moved', end: undefined };
  const { seen, why, delayMs } = item;
  if (record.state !== seen.state || String(record.fence) !== seen.fence) return moved;
  if (why === 'ready') {
    if (record.state !== 'SCHEDULED' || record.queued) return moved;
    schedule(memory, record, 0);
    return { outcome: 'queued', end: undefined };
  }
  if (!isHeld(record) || !mayGo(record.state, 'SCHEDULED')) return moved;
  slotsOf(memory, record.worker).delete(record.id);
  record.attempt = '';
  if (why === 'lost') {
    record.losses++;
    if (record.losses - record.lossesBefore > maxLosses || record.losses > mostLosses) {
      record.errorCode = 'worker_lost';
      record.errorMessage = `the lease ran out ${record.losses} times`;
      return { outcome: 'failed', end: finish(memory, record, 'FAILED') };
    }
  }
  if (why === 'no_responders') record.openHandOuts = Math.max(0, record.openHandOuts - 1);
  record.runDeadlineAt = 0;
  schedule(memory, record, delayMs);
  move(memory, record, 'SCHEDULED');
  return { outcome: delayMs > 0 ? 'delayed' : 'queued', end: undefined };
}

export function takeDue(memory: Memory, limit: number, pushMs: number): Due {
  const now = memory.options.now();
  const ids = Array.from(memory.due)
    .filter(([, at]) => at <= now)
    .toSorted(([a, x], [b, y]) => x - y || (a < b ? -1 : 1))
    .map(([id]) => id);
  const jobs: DueJob[] = [];
  for (const id of ids.slice(0, limit)) {
    const record = recordOf(memory, id);
    if (record === undefined) {
      memory.due.delete(id);
      continue;
    }
    memory.due.set(id, now + pushMs);
    jobs.push(dueJob(memory, record));
  }
  return { now, jobs, more: ids.length > limit };
}

function dueJob(memory: Memory, record: JobRecord): DueJob {
  const { id, tenant, topic, traceId, state, fence, attempt, digest, principal, pool, lane, worker, instance } = record;
  return {
    ...{ id, tenant, topic, traceId, state, attempt, digest, principal, pool, lane, worker, instance },
    fence: String(fence),
    deadlineAt: record.deadlineAt,
    runDeadlineAt: record.runDeadlineAt,
    leaseAt: isHeld(record) ? (slotsOf(memory, worker).get(id) ?? 0) : 0,
    queued: record.queued,
    notBefore: record.notBefore,
    firstHandOutAt: record.firstHandOutAt,
    packet: state === 'PENDING' ? record.packet : undefined,
    end: isEnd(state) ? endOf(record, state) : undefined,
    orphanOf: record.orphanOf,
  };
}

export function noteAnnounced(memory: Memory, id: string): Announced | undefined {
  const record = recordOf(memory, id);
  if (record !== undefined && !isEnd(record.state)) return undefined;
  const first = memory.due.delete(id);
  if (!first || record === undefined || !isEnd(record.state)) return undefined;
  return { state: record.state, topic: record.topic };
}
