// A job in full for one tenant: its record and, once there is one, its result. Both come from the store, which checks the tenant;
// no pointer of a worker's is ever followed. All that one turn asks for is one call, unless requests share nothing.
import { coalesce, oneByOne } from '#core/coalesce.ts';
import type { JobKey, JobStore, Seen } from '#core/jobs/store.ts';
import { type JobDetailJson, jobDetail, parsedResult } from './views.ts';

/** Undefined when the tenant has no such job. Throws what the store throws. */
export type ReadJob = (id: string, tenant: string) => Promise<Seen | undefined>;

export function createReadJob(store: Pick<JobStore, 'look'>, isolated = false): ReadJob {
  const look = (isolated ? oneByOne : coalesce)<JobKey, Seen | undefined>((jobs) => store.look(jobs));
  return (id, tenant) => look({ id, tenant });
}

/** The job as JSON. */
export function detailOf({ job, result }: Seen): JobDetailJson {
  return jobDetail(job, parsedResult(result));
}
