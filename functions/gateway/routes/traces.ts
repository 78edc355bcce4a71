// GET /api/v1/traces/{id}: the tenant's jobs of one trace; an unknown trace has none.
import { isId } from '#core/protocol/ids.ts';
import { answer } from '../../http/answer.ts';
import { noQuery, readQuery } from '../../http/query.ts';
import type { Route } from '../../http/route.ts';
import type { GatewayDeps } from '../deps.ts';
import { jobSummary } from '../views.ts';

export function traceRoutes({ store }: Pick<GatewayDeps, 'store'>): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/api/v1/traces/{id}',
      role: 'viewer',
      handle: async (c) => {
        readQuery(c, noQuery);
        const id = c.req.param('id') ?? '';
        const jobs = isId(id) ? await store.trace(id, c.get('identity').tenant) : [];
        // The store answers in any order, as a set does.
        return answer(c, jobs.toSorted((a, b) => a.createdAt - b.createdAt).map(jobSummary));
      },
    },
  ];
}
