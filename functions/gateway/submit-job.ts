// The one way in for every door (REST, Connect and gRPC, repo-review): mints the ids, stores the job, rings the doorbell.
// What a job asks for is the door's business; whether it may run is the gate's, later.
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { coalesce, oneByOne } from '#core/coalesce.ts';
import { CortexError } from '#core/errors.ts';
import { HttpError } from '#core/http/errors.ts';
import type { NewJob } from '#core/jobs/job.ts';
import type { Created } from '#core/jobs/store.ts';
import { digestOf, newJob } from '#core/jobs/submission.ts';
import { doorbell } from '#core/protocol/doorbell.ts';
import { formatPointer } from '#core/protocol/pointer.ts';
import { JobMetadataSchema, type JobRequest, JobRequestSchema } from '#proto/cortex/agent/v1/job_pb.ts';
import type { GatewayDeps } from './deps.ts';

/** What every door says of a job, its payload apart. */
export type JobFields = Omit<
  Exclude<MessageInitShape<typeof JobRequestSchema>, JobRequest>,
  'jobId' | 'contextPtr' | 'tenantId' | 'principalId'
>;

export interface SubmitJob {
  readonly tenant: string;
  readonly principal: string;
  /** The packet's sender_id: `api-gateway-http`. */
  readonly sender: string;
  /** Empty: every submission is a job of its own. */
  readonly idempotencyKey: string;
  /** What must be the same for two submissions with one key to be the same job; asked for with a key alone. */
  readonly fingerprint: () => string;
  /** Called with the id, and waited for, before the record is stored: for who wants to be there when it is. */
  readonly onId?: ((jobId: string) => void | Promise<void>) | undefined;
  /** Called with that id, and waited for, when there is no job of it after all: the key is another's. */
  readonly onNone?: ((jobId: string) => Promise<void>) | undefined;
  /** The request and the payload (JSON). `createdAt` is RFC 3339 in whole seconds. */
  readonly build: (jobId: string, createdAt: string) => { readonly request: JobFields; readonly payload: unknown };
}

export interface Submitted {
  readonly jobId: string;
  readonly traceId: string;
  /** The job existed already: these are the ids of the first submission. */
  readonly replayed: boolean;
}

export type SubmitJobs = (job: SubmitJob) => Promise<Submitted>;

/**
 * Answers when the job's record is stored. Throws CortexError `unavailable` when the store is away (the job may exist or not),
 * HttpError 422 when the idempotency key belongs to another submission.
 */
export function createSubmitJob(
  deps: Pick<GatewayDeps, 'store' | 'keys' | 'post' | 'clock' | 'ids' | 'log' | 'isolated'>,
): SubmitJobs {
  const { store, keys, post, clock, ids, log } = deps;
  const createOne = (deps.isolated === true ? oneByOne : coalesce)<NewJob, Created>((jobs) => store.create(jobs));

  return async (submission) => {
    const { tenant, principal, sender } = submission;
    const now = clock.now();
    const jobId = ids.job(keys.ofTenant(tenant));
    const { request, payload } = submission.build(jobId, rfc3339(now));
    const job = newJob({
      request: jobRequest(jobId, submission, request),
      tenant,
      principal,
      traceId: ids.random(),
      sender,
      now,
      payload: JSON.stringify(payload),
      ...idempotency(submission),
    });
    await submission.onId?.(jobId);
    const created = await createOne(job);
    if ('id' in created && created.id !== jobId) await submission.onNone?.(jobId);
    switch (created.outcome) {
      case 'created':
      case 'existing':
        break;
      case 'idempotency_conflict':
        throw new HttpError(422, 'failed_precondition', 'Idempotency-Key: was used before with another body', {
          field: 'Idempotency-Key',
        });
      case 'conflict':
        throw new CortexError('already_exists', `job ${jobId} exists already`);
      case 'orphan':
      case 'payload_missing':
        throw new CortexError('internal', `job ${jobId} lost the payload that was stored with it`);
    }
    const replayed = created.id !== jobId;
    if (!replayed) post(doorbell(job.packet));
    log.debug('submitted', { job_id: created.id, trace_id: created.traceId, tenant, topic: job.topic, replayed });
    return { jobId: created.id, traceId: created.traceId, replayed };
  };
}

function jobRequest(jobId: string, { tenant, principal, idempotencyKey }: SubmitJob, fields: JobFields): JobRequest {
  const request = create(JobRequestSchema, {
    ...fields,
    jobId,
    contextPtr: formatPointer(`ctx:${jobId}`),
    tenantId: tenant,
    principalId: principal,
  });
  if (idempotencyKey !== '') {
    request.meta ??= create(JobMetadataSchema);
    request.meta.idempotencyKey = idempotencyKey;
  }
  return request;
}

function idempotency(submission: SubmitJob): Pick<NewJob, 'idempotency'> {
  const { idempotencyKey: key, principal, sender, fingerprint } = submission;
  // Each principal has keys of its own at each door: who happens to choose somebody else's hears nothing of that one's job.
  return key === '' ? {} : { idempotency: { key: `${sender} ${principal} ${key}`, digest: digestOf(fingerprint()) } };
}

/** Whole seconds, UTC, as the original wrote times: `2026-01-02T03:04:05Z`. */
export function rfc3339(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
