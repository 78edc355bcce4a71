// GET /health: needs no key, tells no secret. It names the durability class of Redis, since that is what an accepted job rests on.
// Its query is not looked at: what keeps a probe from a cache must not make the gateway look ill.
import { answer } from '../../http/answer.ts';
import type { Route } from '../../http/route.ts';
import type { GatewayDeps } from '../deps.ts';

export function healthRoutes({ health }: Pick<GatewayDeps, 'health'>): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/health',
      role: undefined,
      handle: async (c) => {
        const { healthy, body } = await health();
        return answer(c, body, healthy ? 200 : 503);
      },
    },
  ];
}
