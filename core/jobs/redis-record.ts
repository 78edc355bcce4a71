// Reads what the scripts answer into the port's types. One place knows the order of the fields.
import { fromBase64 } from '#core/base64.ts';
import { CortexError } from '#core/errors.ts';
import { int, list, type Reply, text } from '#core/redis/redis.ts';
import type { DueJob, HandOut, PendingJob, StopReason } from './store.ts';
import type { JobEnd, JobEvent, JobView } from './job.ts';
import { shownFields } from './scripts/shown.ts';
import { isEnd, isState, type JobState } from './state.ts';

/** A state from a reply; anything else means that the record is broken. */
export function stateOf(reply: Reply | undefined): JobState {
  const value = text(reply);
  if (isState(value)) return value;
  throw new CortexError('data_loss', `a job record has the state '${value}'`);
}

/** As stateOf, with undefined for nothing. */
export function maybeState(reply: Reply | undefined): JobState | undefined {
  return reply === '' || reply === null || reply === undefined || typeof reply === 'object'
    ? undefined
    : stateOf(reply);
}

export function stopReasonOf(reply: Reply | undefined): StopReason {
  const value = text(reply);
  switch (value) {
    case 'cancelled':
    case 'timeout':
    case 'denied':
    case 'lost':
    case 'ended':
      return value;
    default:
      return 'unknown';
  }
}

const pointers = (keys: string): string[] => (keys === '' ? [] : keys.split(' ').map((key) => `redis://${key}`));

/** {id, state, tenant, topic, trace, worker, result_ptr, exec_ms, error_code, error, arts}. */
export function endOf(reply: Reply | undefined): JobEnd | undefined {
  if (reply === null || reply === undefined || typeof reply !== 'object') return undefined;
  const state = stateOf(reply[1]);
  if (!isEnd(state)) return undefined;
  return {
    id: text(reply[0]),
    state,
    tenant: text(reply[2]),
    topic: text(reply[3]),
    traceId: text(reply[4]),
    worker: text(reply[5]),
    resultPtr: text(reply[6]),
    execMs: int(reply[7]),
    errorCode: text(reply[8]),
    errorMessage: text(reply[9]),
    artifactPtrs: pointers(text(reply[10])),
  };
}

/** As endOf, where there must be one. */
export function endAt(reply: Reply | undefined): JobEnd {
  const end = endOf(reply);
  if (end === undefined) throw new CortexError('internal', 'a script answered no end where one was due');
  return end;
}

/** Seven fields an event: id, prev, tenant, job, state, fence, ts. */
export function eventsOf(reply: Reply | undefined): JobEvent[] {
  const flat = list(reply);
  const out: JobEvent[] = [];
  for (let i = 0; i + 6 < flat.length; i += 7) out.push(eventOf(flat.slice(i, i + 7)));
  return out;
}

export function eventOf(row: readonly Reply[]): JobEvent {
  return {
    id: text(row[0]),
    prev: text(row[1]),
    tenant: text(row[2]),
    job: text(row[3]),
    state: stateOf(row[4]),
    fence: text(row[5]),
    ts: int(row[6]),
  };
}

/** {id, tenant, topic, trace, fence, attempt, packet, constraints, timeout, deadline, created, queued, now}. */
export function handOutOf(reply: Reply): HandOut {
  const row = list(reply);
  return {
    id: text(row[0]),
    tenant: text(row[1]),
    topic: text(row[2]),
    traceId: text(row[3]),
    fence: text(row[4]),
    attempt: text(row[5]),
    packet: fromBase64(text(row[6])),
    constraints: text(row[7]),
    timeoutMs: int(row[8]),
    deadlineAt: int(row[9]),
    createdAt: int(row[10]),
    queuedAt: int(row[11]),
    claimedAt: int(row[12]),
  };
}

/** {id, tenant, digest, principal, packet}. */
export function pendingOf(reply: Reply): PendingJob {
  const row = list(reply);
  return {
    id: text(row[0]),
    tenant: text(row[1]),
    digest: text(row[2]),
    principal: text(row[3]),
    packet: fromBase64(text(row[4])),
  };
}

type Shown = (typeof shownFields)[number];
const placeOf = Object.fromEntries(shownFields.map((field, i) => [field, i])) as Readonly<Record<Shown, number>>;

/** `<fence>|<attempt>`. */
function outputOf(field: string): JobView['output'] {
  const [fence = '', attempt = ''] = field.split('|');
  return fence === '' ? undefined : { fence, attempt: Number(attempt) };
}

/** The values of shownFields, false for those that the record does not have. */
export function viewOf(id: string, reply: Reply | undefined): JobView {
  const values = list(reply);
  const s = (field: Shown): string => text(values[placeOf[field]]);
  const n = (field: Shown): number => Number(s(field));
  const progress = s('prog');
  const cut = progress.indexOf('|');
  return {
    id,
    state: stateOf(s('state')),
    tenant: s('tenant'),
    topic: s('topic'),
    traceId: s('trace'),
    principal: s('principal'),
    parentId: s('parent'),
    createdAt: n('created'),
    updatedAt: n('updated_at'),
    startedAt: n('started'),
    endedAt: n('ended'),
    stoppedAt: n('stopped'),
    deadlineAt: n('deadline'),
    safetyDecision: s('safety_decision'),
    safetyReason: s('safety_reason'),
    rule: s('rule'),
    policy: s('policy'),
    approvedBy: s('apprby'),
    pool: s('pool'),
    worker: s('worker'),
    fence: s('fence'),
    attempts: n('attempts'),
    failures: n('failures'),
    losses: n('losses'),
    execMs: n('exec_ms'),
    errorCode: s('error_code'),
    errorMessage: s('error'),
    final: s('final') === '1',
    resultPtr: s('result_ptr'),
    artifactPtrs: pointers(s('arts')),
    progress: cut < 0 ? undefined : { percent: Number(progress.slice(0, cut)), message: progress.slice(cut + 1) },
    output: outputOf(s('out')),
  };
}

/** {id, state, tenant, fence, attempt, digest, principal, topic, trace, pool, lane, worker, inst, deadline, rundl, q, nb, hand, lease, packet, end, parent that has ended}. */
export function dueOf(row: readonly Reply[]): DueJob {
  return {
    id: text(row[0]),
    state: stateOf(row[1]),
    tenant: text(row[2]),
    fence: text(row[3]),
    attempt: text(row[4]),
    digest: text(row[5]),
    principal: text(row[6]),
    topic: text(row[7]),
    traceId: text(row[8]),
    pool: text(row[9]),
    lane: text(row[10]),
    worker: text(row[11]),
    instance: text(row[12]),
    deadlineAt: int(row[13]),
    runDeadlineAt: int(row[14]),
    queued: row[15] === '1',
    notBefore: int(row[16]),
    firstHandOutAt: int(row[17]),
    leaseAt: int(row[18]),
    packet: typeof row[19] === 'string' ? fromBase64(row[19]) : undefined,
    end: endOf(row[20]),
    orphanOf: text(row[21] ?? ''),
  };
}
