// What the CLI reads of the gateway's JSON. Tolerant: a field that is missing is empty, for the JSON is printed as it came anyway.
import { z } from 'zod';

const text = z
  .string()
  .nullish()
  .transform((value) => value ?? '');
const count = z
  .number()
  .nullish()
  .transform((value) => value ?? 0);

export const jobSummary = z.object({
  id: z.string(),
  state: z.string(),
  updated_at: count,
  topic: text,
  tenant: text,
  safety_decision: text,
  safety_reason: text,
  trace_id: text,
  parent_job_id: text,
  principal_id: text,
  worker_id: text,
  error_code: text,
});
export type JobSummary = z.infer<typeof jobSummary>;

export const jobDetail = jobSummary.extend({
  result: z.unknown().optional(),
  result_ptr: text,
  rule: text,
  pool: text,
  attempts: count,
  failures: count,
  losses: count,
  progress: z
    .object({ percent: count, message: text })
    .nullish()
    .transform((value) => value ?? undefined),
  error_message: text,
  artifact_ptrs: z
    .array(z.string())
    .nullish()
    .transform((value) => value ?? []),
  execution_ms: count,
  created_at: text,
  started_at: text,
  ended_at: text,
  deadline_at: text,
});
export type JobDetail = z.infer<typeof jobDetail>;

export const accepted = z.object({ job_id: z.string(), trace_id: text });
export type Accepted = z.infer<typeof accepted>;

export const cancelled = z.object({ id: z.string(), state: z.string(), reason: text });

export const jobPage = z.object({ items: z.array(jobSummary), next_cursor: z.string().nullish() });

export const jobList = z.array(jobSummary);

export const workerList = z.array(
  z.object({
    worker_id: z.string(),
    pool: text,
    active_jobs: count,
    max_parallel_jobs: count,
    cpu_load: count,
    region: text,
    capabilities: z
      .array(z.string())
      .nullish()
      .transform((value) => value ?? []),
    labels: z
      .record(z.string(), z.string())
      .nullish()
      .transform((value) => value ?? {}),
    last_seen: text,
  }),
);
export type Worker = z.infer<typeof workerList>[number];

/** Where the routes of one job are. */
export function jobPath(id: string): string {
  return `/api/v1/jobs/${encodeURIComponent(id)}`;
}
