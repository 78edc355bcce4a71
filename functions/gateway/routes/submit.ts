// The two ways to submit over REST: POST /api/v1/jobs and POST /api/v1/repo-review. Both answer 202 once the record is stored, or,
// with `?wait=`, the whole job: 200 when it ended in time.
import { CortexError, invalid } from '#core/errors.ts';
import { readJson } from '#core/http/body.ts';
import { isEnd } from '#core/jobs/state.ts';
import { noArchive, parseArchivePointer } from '#core/protocol/archive-pointer.ts';
import { unwrap } from '#core/result.ts';
import { answer } from '../../http/answer.ts';
import { parseFields } from '../../http/fields.ts';
import { readQuery } from '../../http/query.ts';
import { actingPrincipal, actingTenant } from '../../http/roles.ts';
import type { AppContext, Route } from '../../http/route.ts';
import type { GatewayDeps } from '../deps.ts';
import { idempotencyHeader, idempotencyKey, replayedHeader } from '../idempotency.ts';
import { jobBody, jobFromBody } from '../job-body.ts';
import { detailOf } from '../read-job.ts';
import { jobFromReview, repoReviewBody } from '../repo-review-body.ts';
import type { SubmitJob, SubmitJobs } from '../submit-job.ts';
import { waitQuery } from '../wait-query.ts';
import type { Waiters } from '../waiters.ts';

export interface SubmitRouteDeps extends Pick<GatewayDeps, 'log' | 'archives'> {
  readonly submitJob: SubmitJobs;
  readonly waiters: Waiters;
}

export function submitRoutes({ log, archives, submitJob, waiters }: SubmitRouteDeps): readonly Route[] {
  /** Submits, and answers now or after the wait. */
  const accept = async (c: AppContext, submission: SubmitJob, ms: number): Promise<Response> => {
    // Who listens before there is a job misses no end of it.
    const place = ms === 0 ? undefined : waiters.enter(submission.tenant);
    try {
      const { jobId, traceId, replayed } = await submitJob({ ...submission, onId: place?.expect });
      const ids = { job_id: jobId, trace_id: traceId };
      const headers = { location: `/api/v1/jobs/${jobId}`, ...(replayed && { [replayedHeader]: 'true' }) };
      if (place === undefined) return answer(c, ids, 202, headers);
      const { signal } = c.req.raw;
      const seen = await place.wait(jobId, ms, signal).catch((error: unknown) => {
        if (signal.aborted) throw error;
        // The job is accepted, and an error would make the client submit it once more.
        log.warn('cannot tell the end of a job just accepted', { job_id: jobId, trace_id: traceId, error });
      });
      if (seen === undefined) return answer(c, ids, 202, headers);
      return answer(c, { ...ids, ...detailOf(seen) }, isEnd(seen.job.state) ? 200 : 202, headers);
    } finally {
      place?.leave();
    }
  };
  const submit = async (c: AppContext): Promise<Response> => {
    const identity = c.get('identity');
    const { wait } = readQuery(c, waitQuery);
    const body = parseFields(jobBody, await readJson(c.req.raw));
    const tenant = actingTenant(identity, body.tenant_id);
    const session = sessionOf(c);
    const submission: SubmitJob = {
      tenant,
      principal: actingPrincipal(identity, body.principal_id),
      sender: 'api-gateway-http',
      idempotencyKey: idempotencyKey(c.req.header(idempotencyHeader), body.meta?.idempotency_key),
      fingerprint: () => JSON.stringify([body, session]),
      build: (id, createdAt) => jobFromBody(body, tenant, body.memory_id || session || `session:${id}`, createdAt),
    };
    return accept(c, submission, wait);
  };
  /** The job will find the archive, whenever it runs. Throws CortexError that names `archive_ptr`. */
  const keep = async (pointer: string, tenant: string): Promise<void> => {
    const sha256 = unwrap(parseArchivePointer(pointer, tenant));
    const kept = await archives.keep({ tenant, sha256 });
    if (kept === 'missing') throw noArchive();
    if (kept === 'kept') return;
    const problem = 'archive_ptr: parts of the archive are missing; upload them first';
    throw new CortexError('failed_precondition', problem, { field: 'archive_ptr' });
  };
  const review = async (c: AppContext): Promise<Response> => {
    const { tenant, principal } = c.get('identity');
    const { wait } = readQuery(c, waitQuery);
    const body = parseFields(repoReviewBody, await readJson(c.req.raw));
    if (body.archive_ptr !== '') await keep(body.archive_ptr, tenant);
    const submission: SubmitJob = {
      tenant,
      principal,
      sender: 'api-gateway-repo-review',
      idempotencyKey: idempotencyKey(c.req.header(idempotencyHeader)),
      fingerprint: () => JSON.stringify(body),
      build: (id, createdAt) => jobFromReview(body, tenant, id, createdAt),
    };
    return accept(c, submission, wait);
  };
  return [
    { method: 'POST', path: '/api/v1/jobs', role: 'submitter', handle: submit },
    { method: 'POST', path: '/api/v1/repo-review', role: 'submitter', handle: review },
  ];
}

function sessionOf(c: AppContext): string {
  const session = c.req.header('X-Session-Id') ?? '';
  if (session.length <= 512 && /^[^\p{Cc}]*$/u.test(session)) return session;
  throw invalid('X-Session-Id', 'must be at most 512 characters without control characters');
}
