// A message on a submit subject as a submission, or why it is none. Whose it is comes from the subject where that binds it, else from
// the packet, which is believed as far as the configuration lists its tenant. Nothing is stored here.
import type { Delivery } from '#core/bus/bus.ts';
import type { NewJob } from '#core/jobs/job.ts';
import { lifetimeOf, requestDigest } from '#core/jobs/submission.ts';
import { decodePacket, maxPacketBytes } from '#core/protocol/envelope.ts';
import { parsePointer } from '#core/protocol/pointer.ts';
import { priorityRank } from '#core/protocol/status.ts';
import { boundTenant, headers, isSubjectToken, isTopic } from '#core/protocol/subjects.ts';
import { err, ok, type Result } from '#core/result.ts';
import type { GateJob } from '#core/scheduling/plan.ts';
import type { JobRequest } from '#proto/cortex/agent/v1/job_pb.ts';
import type { RefusalReason } from './deps.ts';

export interface Submission extends GateJob {
  readonly traceId: string;
  readonly data: Uint8Array;
  /** Whoever sent it says that there is a record. */
  readonly recorded: boolean;
  /** May become a record by itself: its tenant is listed, or bound by its subject. */
  readonly mayCreate: boolean;
}

export interface Refusal {
  readonly reason: RefusalReason;
  readonly id: string;
  /** Names the field. */
  readonly detail: string;
}

/** The tenant a request names: its own field, its metadata, the original's env, else `default`. */
export function namedTenant(request: JobRequest): string {
  return request.tenantId || request.meta?.tenantId || request.env['tenant_id'] || 'default';
}

/** Reads one message. `busTenants`: who may submit on the open subject. */
export function readSubmission(delivery: Delivery, busTenants: ReadonlySet<string>): Result<Submission, Refusal> {
  const { data, subject } = delivery;
  const decoded = decodePacket(data);
  if (!decoded.ok) return err({ reason: 'undecodable', id: '', detail: decoded.error.message });
  const { payload, traceId } = decoded.value;
  if (payload.case !== 'jobRequest')
    return err({ reason: 'not_a_request', id: '', detail: `payload: a ${payload.case}` });
  const request = payload.value;
  const id = request.jobId;
  if (!isTopic(request.topic)) {
    return err({ reason: 'topic', id, detail: `topic: '${request.topic.slice(0, 100)}' is none` });
  }
  const bound = boundTenant(subject);
  const named = namedTenant(request);
  const tenant = bound ?? named;
  if (!isSubjectToken(tenant) || (bound !== undefined && named !== 'default' && named !== bound)) {
    return err({ reason: 'tenant', id, detail: `tenant: '${named.slice(0, 100)}' on ${subject.slice(0, 200)}` });
  }
  const digest = requestDigest(request, tenant);
  const mayCreate = bound !== undefined || busTenants.has(tenant);
  const recorded = delivery.header(headers.recorded) !== undefined;
  return ok({ id, tenant, digest, request, traceId, data, bytes: data.length, recorded, mayCreate });
}

/** Characters of what the record takes over from the packet, as the other doors allow them. */
const longestName = 128;

/** Bytes of a packet: it goes on through the bus as it came, with our headers (a fence, the policy's constraints) beside it. */
const mostPacketBytes = maxPacketBytes - 32 * 1024;

/** The job that a submission becomes when there is no record of it yet. `now` is ms since the epoch. */
export function newBusJob(submission: Submission, now: number): Result<NewJob, Refusal> {
  const { id, tenant, request, mayCreate } = submission;
  if (!mayCreate) {
    return err({ reason: 'tenant', id, detail: `tenant: '${tenant}' may not submit on the open subject` });
  }
  if (submission.bytes > mostPacketBytes) {
    return err({ reason: 'too_long', id, detail: `packet: must be at most ${mostPacketBytes} bytes long` });
  }
  const texts = { trace_id: submission.traceId, principal_id: request.principalId, parent_job_id: request.parentJobId };
  for (const [field, text] of Object.entries(texts)) {
    if (text.length > longestName) {
      return err({ reason: 'too_long', id, detail: `${field}: must be at most ${longestName} characters long` });
    }
  }
  const pointer = request.contextPtr;
  if (pointer !== '') {
    const key = parsePointer(pointer, 'context_ptr');
    if (!key.ok || key.value !== `ctx:${id}`) {
      return err({ reason: 'context_ptr', id, detail: 'context_ptr: must be empty or redis://ctx:<job_id>' });
    }
  }
  return ok({
    id,
    tenant,
    topic: request.topic,
    traceId: submission.traceId,
    principal: request.principalId,
    parentId: request.parentJobId,
    rank: priorityRank(request.priority),
    digest: submission.digest,
    packet: submission.data,
    payload: undefined,
    payloadExpected: pointer !== '',
    deadlineMs: lifetimeOf(request, now),
  });
}
