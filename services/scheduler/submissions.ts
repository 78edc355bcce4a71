// Submissions on the bus. A packet for a job that has a record is a doorbell: it only says "look now". A packet without a record is a
// submission of its own, and becomes a record first. Everything that arrives in one turn is judged in one call.
import { coalesce } from '#core/coalesce.ts';
import type { Delivery } from '#core/bus/bus.ts';
import { isJobId, type NewJob } from '#core/jobs/job.ts';
import type { Created, End } from '#core/jobs/store.ts';
import { lifetimeOf, requestDigest } from '#core/jobs/submission.ts';
import { decodePacket, encodePacket, jobResultPacket, type Packet } from '#core/protocol/envelope.ts';
import { parsePointer } from '#core/protocol/pointer.ts';
import { priorityRank } from '#core/protocol/status.ts';
import { boundTenant, isSubjectToken, isTopic, subjects } from '#core/protocol/subjects.ts';
import type { GateJob } from '#core/scheduling/plan.ts';
import { JobStatus, type JobRequest } from '#proto/cortex/agent/v1/job_pb.ts';
import type { Announcer } from './announcer.ts';
import { type RefusalReason, type SchedulerDeps, senderId } from './deps.ts';
import type { Gatekeeper } from './gatekeeper.ts';

export interface Submissions {
  /** Takes one message from a submit subject. Never throws. */
  take(delivery: Delivery): void;
  /** Resolves when everything taken so far is done. */
  idle(): Promise<void>;
}

interface Submitted extends GateJob {
  readonly packet: Packet;
  readonly data: Uint8Array;
  /** May become a record by itself: its tenant is listed, or bound by its subject. */
  readonly mayCreate: boolean;
}

/** Submissions under way at most; the bus drops nothing, so beyond that they are refused and found by the client's own retry. */
const maxUnderWay = 20_000;

/** The tenant a request names: its own field, its metadata, the original's env, else `default`. */
export function namedTenant(request: JobRequest): string {
  const named = request.tenantId || request.meta?.tenantId || request.env['tenant_id'];
  return named === undefined || named === '' ? 'default' : named;
}

export function createSubmissions(deps: SchedulerDeps, gatekeeper: Gatekeeper, announcer: Announcer): Submissions {
  const { store, bus, clock, pools, metrics, events, log } = deps;
  let underWay = 0;
  let whenIdle: (() => void)[] = [];

  const refuse = (reason: RefusalReason, id: string, detail: string): void => {
    metrics.count('cortex_scheduler_submissions_refused_total', { reason });
    events.emit({ type: 'refused', reason, id });
    log.warn('refused a submission from the bus', { job_id: id, reason, detail });
  };
  /** For a submission that became no record: its client would wait for ever. Never for an id that may be another's. */
  const tellRefused = (submitted: Submitted, message: string): void => {
    const packet = jobResultPacket(
      { traceId: submitted.packet.traceId, senderId, atMs: clock.now() },
      { jobId: submitted.id, status: JobStatus.FAILED, errorCode: 'invalid_argument', errorMessage: message },
    );
    bus.post({ subject: subjects.result, data: encodePacket(packet) });
  };

  const read = (delivery: Delivery): Submitted | undefined => {
    const decoded = decodePacket(delivery.data);
    if (!decoded.ok) {
      refuse('undecodable', '', decoded.error.message);
      return undefined;
    }
    const packet = decoded.value;
    if (packet.payload.case !== 'jobRequest') {
      refuse('not_a_request', '', packet.payload.case);
      return undefined;
    }
    const request = packet.payload.value;
    const id = request.jobId;
    if (!isTopic(request.topic)) {
      refuse('topic', id, `topic: '${request.topic.slice(0, 100)}' is none`);
      return undefined;
    }
    const bound = boundTenant(delivery.subject);
    const named = namedTenant(request);
    const tenant = bound ?? named;
    if (!isSubjectToken(tenant) || !isJobId(id) || (bound !== undefined && named !== 'default' && named !== bound)) {
      refuse('tenant', id, `tenant: '${named.slice(0, 100)}' on ${delivery.subject}`);
      return undefined;
    }
    return {
      id,
      tenant,
      digest: requestDigest(request, tenant),
      request,
      packet,
      data: delivery.data,
      bytes: delivery.data.length,
      mayCreate: bound !== undefined || pools.busTenants.has(tenant),
    };
  };

  /** Makes records of submissions that have none. Answers the ones that may now be judged. */
  const createRecords = async (submitted: readonly Submitted[]): Promise<readonly Submitted[]> => {
    const good: { readonly submitted: Submitted; readonly job: NewJob }[] = [];
    for (const s of submitted) {
      const pointer = s.request.contextPtr;
      const key = pointer === '' ? undefined : parsePointer(pointer);
      if (!s.mayCreate) refuse('tenant', s.id, `tenant: '${s.tenant}' may not submit on the open subject`);
      else if (key !== undefined && !(key.ok && key.value === `ctx:${s.id}`)) {
        refuse('context_ptr', s.id, "context_ptr: is not empty and not the job's own ctx key");
        tellRefused(s, 'context_ptr: must be empty or redis://ctx:<job_id>');
      } else good.push({ submitted: s, job: newBusJob(s, key !== undefined) });
    }
    if (good.length === 0) return [];
    const created = await store.create(good.map((g) => g.job));
    const missing: End[] = [];
    const ready: Submitted[] = [];
    for (const [i, answer] of created.entries()) {
      const s = good[i]?.submitted;
      if (s === undefined) continue;
      if (answer.outcome === 'conflict' || answer.outcome === 'idempotency_conflict') {
        refuse('conflict', s.id, 'job_id: belongs to another job');
        continue;
      }
      if (answer.outcome === 'created' || answer.outcome === 'payload_missing')
        events.emit({ type: 'created', id: s.id });
      if (answer.outcome === 'payload_missing') missing.push(payloadMissing(s, answer));
      else if (answer.state === 'PENDING') ready.push(s);
    }
    if (missing.length > 0) {
      for (const ended of await store.end(missing)) if (ended.end !== undefined) announcer.tell(ended.end);
    }
    return ready;
  };

  const judge = async (submitted: readonly Submitted[]): Promise<void> => {
    const gated = await gatekeeper.judge(submitted);
    const unknown: Submitted[] = [];
    for (const [i, done] of gated.entries()) {
      const s = submitted[i];
      if (s === undefined) continue;
      if (done.outcome === 'missing') unknown.push(s);
      else if (done.outcome === 'digest') refuse('digest', s.id, 'job_id: the record is another job');
      else if (done.outcome === 'applied')
        metrics.count('cortex_scheduler_jobs_received_total', { topic: s.request.topic });
    }
    if (unknown.length === 0) return;
    const ready = await createRecords(unknown);
    if (ready.length > 0) await judge(ready);
  };

  const process = coalesce(
    async (submitted: Submitted[]): Promise<void[]> => {
      await judge(submitted);
      return submitted.map(() => undefined);
    },
    { max: 256, concurrency: 2 },
  );

  return {
    take(delivery) {
      const submitted = read(delivery);
      if (submitted === undefined) return;
      if (underWay >= maxUnderWay) {
        refuse('overload', submitted.id, `${underWay} submissions are under way`);
        return;
      }
      underWay++;
      process(submitted)
        .catch((error: unknown) => {
          // A doorbell that failed costs a second: its record is due. A submission without a record is not accepted yet.
          events.emit({ type: 'trouble', what: 'store', error });
          log.warn('could not take a submission', { job_id: submitted.id, error });
        })
        .finally(() => {
          underWay--;
          if (underWay > 0) return;
          const waiting = whenIdle;
          whenIdle = [];
          for (const resolve of waiting) resolve();
        });
    },
    idle: () => (underWay === 0 ? Promise.resolve() : new Promise((resolve) => void whenIdle.push(resolve))),
  };
}

function newBusJob(s: Submitted, payloadExpected: boolean): NewJob {
  return {
    id: s.id,
    tenant: s.tenant,
    topic: s.request.topic,
    traceId: s.packet.traceId,
    principal: s.request.principalId,
    parentId: s.request.parentJobId,
    rank: priorityRank(s.request.priority),
    digest: s.digest,
    packet: s.data,
    payload: undefined,
    payloadExpected,
    deadlineMs: lifetimeOf(s.request),
  };
}

function payloadMissing(s: Submitted, answer: Created & { readonly outcome: 'payload_missing' }): End {
  return {
    id: answer.id,
    tenant: s.tenant,
    to: 'FAILED',
    seen: { state: 'PENDING', fence: '0' },
    errorCode: 'payload_missing',
    errorMessage: `context_ptr: ctx:${answer.id} is not in the store`,
  };
}
