// How a job looks in JSON. The original's names and forms come first; what we add stands after them.
import { depthExceededAt } from '#core/http/json.ts';
import type { JobView } from '#core/jobs/job.ts';

/** One job in a list: empty texts are left out, as the original left them out. */
export interface JobSummaryJson {
  readonly id: string;
  /** Unix seconds. */
  readonly updated_at: number;
  readonly state: string;
  readonly topic?: string;
  readonly tenant?: string;
  readonly safety_decision?: string;
  readonly safety_reason?: string;
  readonly trace_id?: string;
  readonly parent_job_id?: string;
  readonly principal_id?: string;
  readonly worker_id?: string;
  readonly error_code?: string;
}

export function jobSummary(job: JobView): JobSummaryJson {
  return {
    id: job.id,
    updated_at: job.updatedAt,
    state: job.state,
    ...present('topic', job.topic),
    ...present('tenant', job.tenant),
    ...present('safety_decision', job.safetyDecision),
    ...present('safety_reason', job.safetyReason),
    ...present('trace_id', job.traceId),
    ...present('parent_job_id', job.parentId),
    ...present('principal_id', job.principal),
    ...present('worker_id', job.worker),
    ...present('error_code', job.errorCode),
  };
}

/** One job in full: every key is always there; times are RFC 3339 or null. */
export function jobDetail(job: JobView, result: unknown) {
  return {
    id: job.id,
    state: job.state,
    result_ptr: job.resultPtr,
    result,
    topic: job.topic,
    tenant: job.tenant,
    safety_decision: job.safetyDecision,
    safety_reason: job.safetyReason,

    trace_id: job.traceId,
    parent_job_id: job.parentId,
    principal_id: job.principal,
    rule: job.rule,
    policy_snapshot: job.policy,
    pool: job.pool,
    worker_id: job.worker,
    attempts: job.attempts,
    failures: job.failures,
    losses: job.losses,
    progress: job.progress ?? null,
    error_code: job.errorCode,
    error_message: job.errorMessage,
    artifact_ptrs: job.artifactPtrs,
    execution_ms: job.execMs,
    created_at: time(job.createdAt),
    /** Unix seconds, as in lists. */
    updated_at: job.updatedAt,
    started_at: time(job.startedAt),
    ended_at: time(job.endedAt),
    stopped_at: time(job.stoppedAt),
    deadline_at: time(job.deadlineAt),
  };
}

export type JobDetailJson = ReturnType<typeof jobDetail>;

/** Levels of a result; what is deeper could be read, and not be written into the answer. */
const maxResultDepth = 1_000;

/** A stored result as JSON; null for none, and for what a foreign worker stored that is not JSON or nested too deep. */
export function parsedResult(text: string | null | undefined): unknown {
  if (text === null || text === undefined) return null;
  if (text.length > maxResultDepth && depthExceededAt(new TextEncoder().encode(text), maxResultDepth) !== undefined) {
    return null;
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function present<K extends string>(key: K, value: string): { readonly [P in K]?: string } {
  return value === '' ? {} : ({ [key]: value } as { readonly [P in K]: string });
}

function time(ms: number): string | null {
  return ms === 0 ? null : new Date(ms).toISOString();
}
