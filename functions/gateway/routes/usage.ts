// GET /api/v1/usage: what the tenant's jobs asked of models, by day and model.
import { dayOf } from '#core/jobs/usage.ts';
import { answer } from '../../http/answer.ts';
import { readQuery } from '../../http/query.ts';
import type { Route } from '../../http/route.ts';
import type { GatewayDeps } from '../deps.ts';
import { usageDays, usageJson, usageQuery } from '../usage-query.ts';

export function usageRoutes({ store, clock }: Pick<GatewayDeps, 'store' | 'clock'>): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/api/v1/usage',
      role: 'viewer',
      handle: async (c) => {
        const query = readQuery(c, usageQuery);
        const days = usageDays(query, dayOf(clock.now()));
        const rows = await store.usage(c.get('identity').tenant, days);
        const asked = query.model === undefined ? rows : rows.filter(({ model }) => model === query.model);
        return answer(c, usageJson(days, asked));
      },
    },
  ];
}
