// The twin's side for worker hosts: accept, progress, artifact, commit, stopped, and results from workers that speak the bus alone.
import { checkArtifactName, short, stopReason } from './checks.ts';
import { pseudoPrefix } from './lane.ts';
import {
  endLasting,
  endOf,
  finish,
  isHeld,
  type JobRecord,
  type Memory,
  move,
  recordOf,
  schedule,
  slotsOf,
  textAt,
} from './memory-state.ts';
import { remember } from './memory-log.ts';
import type { Fence } from './job.ts';
import { mostPayloadBytes } from './scripts/attempt.ts';
import { isEnd, mayGo } from './state.ts';
import type {
  Accept,
  Accepted,
  Artifact,
  Commit,
  Committed,
  ForeignResult,
  ForeignProgress,
  Progress,
  Stopped,
} from './store.ts';

const holds = (record: JobRecord, { fence, attempt }: Fence): boolean =>
  String(record.fence) === fence && record.attempt === attempt;

/** Answers until the payloads in the answers are as many bytes as one call carries; what comes then is put off. */
export function acceptJobs(memory: Memory, items: readonly Accept[]): readonly Accepted[] {
  let bytes = 0;
  return items.map((item) => {
    const answer = acceptJob(memory, item, bytes >= mostPayloadBytes);
    if (answer.outcome === 'run') bytes += encoder.encode(answer.payload ?? '').length;
    return answer;
  });
}

const encoder = new TextEncoder();

function acceptJob(memory: Memory, item: Accept, full: boolean): Accepted {
  const record = recordOf(memory, item.id);
  const now = memory.options.now();
  const slots = slotsOf(memory, item.worker);
  const stale = (reason = stopReason(record?.state)): Accepted => ({ outcome: 'stale', reason });
  if (record === undefined || !isHeld(record) || !holds(record, item)) return stale();
  if (record.worker !== item.worker || record.instance !== item.instance || (slots.get(item.id) ?? 0) <= now)
    return stale();
  if (record.state === 'DISPATCHED' && record.deadlineAt <= now) return stale('timeout');
  if (full) {
    // Its host lives and asks again at once: it keeps its slot for as long as a lease.
    if (record.state === 'DISPATCHED') {
      slots.set(item.id, now + item.leaseMs);
      memory.due.set(item.id, Math.min(now + item.leaseMs, record.deadlineAt));
    }
    return { outcome: 'again' };
  }
  if (record.state === 'DISPATCHED') {
    record.startedAt = now;
    record.attempts++;
    record.runDeadlineAt = now + record.timeoutMs;
    record.firstHandOutAt = 0;
    slots.set(item.id, now + item.leaseMs);
    memory.due.set(item.id, Math.min(now + item.leaseMs, record.runDeadlineAt, record.deadlineAt));
    move(memory, record, 'RUNNING');
  }
  return {
    outcome: 'run',
    payload: textAt(memory, record.redactedKey || `ctx:${item.id}`) ?? null,
    attempts: record.attempts,
    waitedMs: record.startedAt - record.queuedAt,
    remainingMs: Math.min(record.runDeadlineAt, record.deadlineAt) - now,
  };
}

export function noteProgress(memory: Memory, item: Progress): 'ok' | 'stale' | 'missing' {
  const record = recordOf(memory, item.id);
  if (record === undefined) return 'missing';
  if (record.state !== 'RUNNING' || !holds(record, item)) return 'stale';
  record.progress = { percent: Math.round(item.percent), message: short(item.message, 50) };
  return 'ok';
}

export function noteForeignProgress(memory: Memory, item: ForeignProgress): 'ok' | 'stale' | 'missing' {
  const record = recordOf(memory, item.id);
  if (record === undefined) return 'missing';
  if (!isHeld(record) || !record.worker.startsWith(pseudoPrefix)) return 'stale';
  record.progress = { percent: Math.round(item.percent), message: short(item.message, 50) };
  return 'ok';
}

export function keepArtifact(memory: Memory, item: Artifact): string | undefined {
  checkArtifactName(item.name);
  const record = recordOf(memory, item.id);
  if (record === undefined || record.state !== 'RUNNING' || !holds(record, item)) return undefined;
  const own = `${item.id}-${item.name}-${item.fence}`;
  if (recordOf(memory, own) !== undefined) return undefined;
  const key = `res:${own}`;
  memory.values.set(key, { value: item.bytes, expiresAt: record.deadlineAt + memory.options.dataTtlMs });
  if (!record.artifactKeys.includes(key)) record.artifactKeys = [...record.artifactKeys, key];
  return key;
}

export function commitJob(memory: Memory, item: Commit): Committed {
  const record = recordOf(memory, item.id);
  if (record === undefined) return missing;
  if (!holds(record, item)) return stale(record);
  const { state } = record;
  if (isEnd(state) && state === item.status && record.committed) {
    return { outcome: 'committed', state, end: endOf(record, state), reason: undefined };
  }
  if (!isHeld(record) || !mayGo(state, item.status)) return stale(record);
  const now = memory.options.now();
  slotsOf(memory, record.worker).delete(item.id);
  const failed = record.errorCode !== '' || record.errorMessage !== '';
  if (item.errorCode !== '' || item.errorMessage !== '' || failed) {
    record.errorCode = item.errorCode;
    record.errorMessage = short(item.errorMessage);
  }
  if (item.status === 'FAILED') {
    record.failures++;
    if (item.retryable && record.failures <= record.maxRetries && record.deadlineAt > now)
      return again(memory, record, item.backoffMs);
    record.final = !item.retryable;
  }
  if (item.result !== undefined) {
    record.resultKey = `res:${item.id}`;
    const kept = { value: item.result, expiresAt: now + memory.options.dataTtlMs };
    memory.values.set(record.resultKey, kept);
    if (record.openHandOuts > 0) {
      record.resultKey += `:sealed:${record.fence}`;
      memory.values.set(record.resultKey, kept);
    }
  }
  if (item.remember !== undefined && item.status === 'SUCCEEDED') {
    remember(memory, { tenant: record.tenant, key: item.id, job: item.id, ...item.remember });
  }
  return commit(memory, record, item);
}

/** A result over the bus: whether it counts, and a sealed copy of it. */
export function commitForeignResult(memory: Memory, item: ForeignResult): Committed {
  const record = recordOf(memory, item.id);
  if (record === undefined) return missing;
  const bad = item.resultKey !== '' && !isOwn(memory, item.id, item.resultKey);
  const status = bad ? 'FAILED' : item.status;
  if (isEnd(record.state)) endLasting(memory, `res:${item.id}`);
  if (!isHeld(record) || !record.worker.startsWith(pseudoPrefix) || !mayGo(record.state, status)) return stale(record);
  const { policy } = record;
  const judged = policy !== undefined && (policy.hash === item.policy.hash || policy.sequence >= item.policy.sequence);
  if (status === 'SUCCEEDED' ? !judged : record.openHandOuts !== 1) return stale(record);

  const now = memory.options.now();
  slotsOf(memory, record.worker).delete(item.id);
  record.errorCode = bad ? 'bad_result_ptr' : item.errorCode;
  record.errorMessage = bad ? "result_ptr names a key that is not the job's" : short(item.errorMessage);
  if (status === 'FAILED') {
    record.failures++;
    if (record.failures <= record.maxRetries && record.deadlineAt > now) {
      record.openHandOuts = 0;
      return again(memory, record, 0);
    }
  }
  const result = bad || item.resultKey === '' ? undefined : textAt(memory, item.resultKey);
  if (result !== undefined) {
    const expiresAt = now + memory.options.dataTtlMs;
    record.resultKey = `res:${item.id}:sealed:${record.fence}`;
    for (const key of [item.resultKey, record.resultKey]) memory.values.set(key, { value: result, expiresAt });
  }
  const artifacts = item.artifactKeys.filter((key) => !key.includes(' ')).slice(0, 20);
  const believed = artifacts.filter((key) => isOwn(memory, item.id, key));
  if (believed.length > 0) record.artifactKeys = believed;
  record.worker = item.workerName;
  record.attempts = record.openHandOuts;
  return commit(memory, record, { status, execMs: item.execMs });
}

/** `res:<id>` or `res:<id>-...`, unless that is the result of another job. */
function isOwn(memory: Memory, id: string, key: string): boolean {
  return (
    key === `res:${id}` || (key.startsWith(`res:${id}-`) && recordOf(memory, key.slice('res:'.length)) === undefined)
  );
}

export function noteStopped(memory: Memory, item: Stopped): void {
  const record = recordOf(memory, item.id);
  const mine = record !== undefined && holds(record, item) && isEnd(record.state);
  if (record === undefined || mine) slotsOf(memory, item.worker).delete(item.id);
  if (mine && record.stoppedAt === 0) record.stoppedAt = memory.options.now();
}

function again(memory: Memory, record: JobRecord, delayMs: number): Committed {
  record.attempt = '';
  record.runDeadlineAt = 0;
  schedule(memory, record, delayMs);
  move(memory, record, 'SCHEDULED');
  return { outcome: 'retry', state: 'SCHEDULED', end: undefined, reason: undefined };
}

function commit(memory: Memory, record: JobRecord, { status, execMs }: Pick<Commit, 'status' | 'execMs'>): Committed {
  record.execMs = Math.round(execMs);
  record.stoppedAt = memory.options.now();
  record.committed = true;
  return { outcome: 'committed', state: status, end: finish(memory, record, status), reason: undefined };
}

const missing: Committed = { outcome: 'missing', state: undefined, end: undefined, reason: undefined };

function stale({ state }: JobRecord): Committed {
  return { outcome: 'stale', state, end: undefined, reason: stopReason(state) };
}
