// The twin's create and gate.
import { short } from './checks.ts';
import type { NewJob } from './job.ts';
import { isApproved } from './memory-approvals.ts';
import { redact, redactedPayload } from './memory-redaction.ts';
import {
  endOf,
  expire,
  finish,
  isHeld,
  type JobRecord,
  type Memory,
  move,
  recordOf,
  schedule,
  stored,
  textAt,
} from './memory-state.ts';
import { isEnd, mayGo } from './state.ts';
import type { Created, Gate, Gated } from './store.ts';

/** How soon a job is looked at whose doorbell was lost, ms. */
const lookMs = 1000;

export function createJob(memory: Memory, job: NewJob): Created {
  const { records, values, options } = memory;
  const now = options.now();
  const { id, tenant, digest, traceId } = job;
  if (job.bound !== undefined) {
    const parent = recordOf(memory, job.parentId);
    const { fence, attempt } = job.bound;
    const holds = parent?.tenant === tenant && isHeld(parent) && String(parent.fence) === fence;
    if (!holds || parent.attempt !== attempt) return { outcome: 'orphan' };
  }
  const key = job.idempotency === undefined ? undefined : `${tenant} ${job.idempotency.key}`;
  if (key !== undefined) {
    const entry = stored(memory.idempotency, key, now);
    const before = entry === undefined ? undefined : recordOf(memory, entry.id);
    if (entry !== undefined && before !== undefined) {
      if (entry.digest !== job.idempotency?.digest) return { outcome: 'idempotency_conflict', id: before.id };
      return { outcome: 'existing', id: before.id, traceId: before.traceId, state: before.state };
    }
  }
  const known = recordOf(memory, id);
  if (known !== undefined) {
    if (known.digest !== digest) return { outcome: 'conflict' };
    return { outcome: 'existing', id, traceId: known.traceId, state: known.state };
  }
  const others = [
    `res:${id}`,
    `job:events:${id}`,
    `job:req:${id}`,
    `out:${id}`,
    ...(job.payload === undefined ? [] : [`ctx:${id}`]),
  ];
  if (others.some((other) => stored(values, other, now) !== undefined)) return { outcome: 'conflict' };

  const record = recordFor(job, now, key);
  records.set(id, record);
  if (key !== undefined && job.idempotency !== undefined) {
    memory.idempotency.set(key, { value: { id, digest: job.idempotency.digest }, expiresAt: Number.POSITIVE_INFINITY });
  }
  const payload = job.payload ?? textAt(memory, `ctx:${id}`);
  if (payload !== undefined) values.set(`ctx:${id}`, { value: payload, expiresAt: Number.POSITIVE_INFINITY });
  memory.due.set(id, now + lookMs);
  move(memory, record, 'PENDING');
  if (payload !== undefined || job.payloadExpected !== true)
    return { outcome: 'created', id, traceId, state: 'PENDING' };
  record.errorCode = 'payload_missing';
  record.errorMessage = `context_ptr: ctx:${id} is not in the store`;
  record.stoppedAt = now;
  return { outcome: 'payload_missing', id, end: finish(memory, record, 'FAILED') };
}

function recordFor(job: NewJob, now: number, idempotencyKey: string | undefined): JobRecord {
  const { id, tenant, topic, traceId, principal, parentId, rank, digest, packet } = job;
  return {
    ...{ id, tenant, topic, traceId, principal, parentId, rank, digest, packet, idempotencyKey },
    ...{ createdAt: now, deadlineAt: now + job.deadlineMs, updatedAt: 0, expiresAt: Number.POSITIVE_INFINITY },
    ...{ state: 'PENDING', path: [], fence: 0, attempt: '', worker: '', instance: '' },
    ...{
      decision: '',
      reason: '',
      rule: '',
      gated: false,
      policy: undefined,
      approval: undefined,
      constraints: '',
      redactedKey: '',
      cost: 1,
      pool: '',
      lane: '',
    },
    ...{ timeoutMs: 0, maxRetries: 0, queued: false, queuedAt: 0, notBefore: 0, firstHandOutAt: 0 },
    ...{ runDeadlineAt: 0, startedAt: 0, endedAt: 0, stoppedAt: 0, attempts: 0, failures: 0, losses: 0 },
    ...{ lossesBefore: 0, bound: job.bound !== undefined, orphanOf: '' },
    ...{ openHandOuts: 0, committed: false, execMs: 0, errorCode: '', errorMessage: '', final: false },
    ...{ resultKey: '', artifactKeys: [], progress: undefined, output: undefined },
  };
}

export function gateJob(memory: Memory, item: Gate): Gated {
  const record = recordOf(memory, item.id);
  const refused = (outcome: Exclude<Gated['outcome'], 'applied'>): Gated => ({
    ...{ outcome, state: record?.state, first: false, end: undefined },
  });
  if (record === undefined) return refused('missing');
  if (record.digest !== item.digest) return refused('digest');
  let { to, reason } = item;
  if (record.state !== 'PENDING' || (to !== 'PENDING' && !mayGo(record.state, to))) return refused('state');
  const approved = isApproved(record, item);
  if (to === 'SCHEDULED' && item.decision === 'REQUIRE_HUMAN' && !approved) return refused('unapproved');
  let redacted = { there: true, key: '' };
  if (to === 'SCHEDULED' && item.redactedKey !== undefined) {
    redacted = redactedPayload(memory, item.id, item.redactedKey);
    if (!redacted.there) {
      to = 'PENDING';
      reason = `waits: the payload that the policy wants instead, ${item.redactedKey}, is not there`;
    }
  }
  if (item.policy !== undefined && !approved) record.approval = undefined;

  const now = memory.options.now();
  const first = !record.gated;
  record.gated = true;
  const outcome = redacted.there ? 'applied' : 'waits';
  const done = (): Gated => ({ outcome, state: to, first, end: isEnd(to) ? endOf(record, to) : undefined });
  record.decision = item.decision;
  record.reason = short(reason);
  record.rule = item.rule;
  if (to !== 'PENDING' || redacted.key !== '') redact(memory, record, redacted.key);
  if (to === 'PENDING') {
    memory.due.set(record.id, Math.min(now + item.holdMs, record.deadlineAt));
    return done();
  }
  record.policy = item.policy;
  if (to === 'DENIED' || to === 'FAILED') {
    record.errorCode = item.errorCode;
    record.errorMessage = short(item.errorMessage);
    record.stoppedAt = now;
    finish(memory, record, to);
    return done();
  }
  record.pool = item.pool;
  record.lane = item.lane;
  record.timeoutMs = item.timeoutMs;
  record.maxRetries = item.maxRetries;
  record.constraints = item.constraints;
  if (redacted.key !== '') expire(memory.values, redacted.key, Number.POSITIVE_INFINITY);
  record.cost = item.cost ?? 1;
  if (to === 'SCHEDULED') schedule(memory, record, 0);
  else memory.due.set(record.id, record.deadlineAt);
  move(memory, record, to);
  return done();
}
