// A job in full for one tenant: its record and, once there is one, its result. Both come from the store, which checks the tenant;
// no pointer of a worker's is ever followed.
import type { JobView } from '#core/jobs/job.ts';
import type { GatewayDeps } from './deps.ts';
import { type JobDetailJson, jobDetail, parsedResult } from './views.ts';

/** The job as JSON. */
export async function detailOf(store: GatewayDeps['store'], job: JobView): Promise<JobDetailJson> {
  const text = job.resultPtr === '' ? null : await store.result(job.id, job.tenant);
  return jobDetail(job, parsedResult(text));
}
