// A context for handlers and threads that run without a host.
import { create } from '@bufbuild/protobuf';
import { silentLog } from '#core/log.ts';
import { JobRequestSchema } from '#proto/cortex/agent/v1/job_pb.ts';
import { PolicyConstraintsSchema } from '#proto/cortex/agent/v1/safety_pb.ts';
import type { JobContext } from '../../../services/worker/define.ts';

/** A context with these parts; the rest are defaults that do nothing. */
export function jobContext(parts: Partial<JobContext> = {}): JobContext {
  const request = create(JobRequestSchema, { jobId: 'job-1', topic: 'job.test', env: { a: 'b' } });
  return {
    job: { id: 'job-1', topic: 'job.test', tenant: 'default', traceId: 'trace-1', attempt: 1, request },
    worker: 'worker-1',
    signal: new AbortController().signal,
    fence: '9',
    hold: { fence: '9', attempt: 'attempt-1' },
    idempotencyKey: 'job-1',
    constraints: create(PolicyConstraintsSchema, { budgets: { maxRuntimeMs: 5n } }),
    progress: () => undefined,
    output: () => undefined,
    artifact: (name) => Promise.resolve(`redis://res:job-1-${name}-9`),
    log: silentLog,
    now: () => 1_800_000_000_000,
    ...parts,
  };
}
