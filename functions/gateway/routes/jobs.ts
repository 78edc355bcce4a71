// The jobs of a tenant: list, look, cancel. Submitting has its own file.
import { isJobId } from '#core/jobs/job.ts';
import { answer } from '../../http/answer.ts';
import { noQuery, readQuery } from '../../http/query.ts';
import type { AppContext, Route } from '../../http/route.ts';
import { type CancelJob, notFound } from '../cancel-job.ts';
import type { GatewayDeps } from '../deps.ts';
import { listQuery, pageQuery } from '../list-query.ts';
import { detailOf, type ReadJob } from '../read-job.ts';
import { jobSummary } from '../views.ts';
import { waitQuery } from '../wait-query.ts';
import type { Waiters } from '../waiters.ts';

export interface JobRouteDeps extends Pick<GatewayDeps, 'store'> {
  readonly cancelJob: CancelJob;
  readonly readJob: ReadJob;
  readonly waiters: Waiters;
}

export function jobRoutes({ store, cancelJob, readJob, waiters }: JobRouteDeps): readonly Route[] {
  const list = async (c: AppContext): Promise<Response> => {
    const { page, paged } = pageQuery(readQuery(c, listQuery), c.get('identity'));
    const { jobs, nextCursor } = await store.page(page);
    const items = jobs.map(jobSummary);
    return answer(c, paged ? { items, next_cursor: nextCursor ?? null } : items);
  };
  const get = async (c: AppContext): Promise<Response> => {
    const { tenant } = c.get('identity');
    const { wait: ms } = readQuery(c, waitQuery);
    const id = jobId(c);
    const seen = ms === 0 ? await readJob(id, tenant) : await waiters.wait(id, tenant, ms, c.req.raw.signal);
    if (seen === undefined) throw notFound();
    return answer(c, detailOf(seen));
  };
  const cancel = async (c: AppContext): Promise<Response> => {
    readQuery(c, noQuery);
    const id = jobId(c);
    const { state, cancelled } = await cancelJob(c.get('identity'), id);
    return answer(c, cancelled ? { id, state } : { id, state, reason: 'job already terminal' });
  };
  return [
    { method: 'GET', path: '/api/v1/jobs', role: 'viewer', handle: list },
    { method: 'GET', path: '/api/v1/jobs/{id}', role: 'viewer', handle: get },
    { method: 'POST', path: '/api/v1/jobs/{id}/cancel', role: 'submitter', handle: cancel },
  ];
}

/** What cannot be an id is the id of no job. */
function jobId(c: AppContext): string {
  const id = c.req.param('id') ?? '';
  if (isJobId(id)) return id;
  throw notFound();
}
