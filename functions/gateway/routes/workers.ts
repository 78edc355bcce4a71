// GET /api/v1/workers: the last heartbeat of each worker that is alive, as the scheduler's snapshot has it.
import { readWorkers, type WorkerSnapshot } from '#core/routing/snapshot.ts';
import { answer } from '../../http/answer.ts';
import { noQuery, readQuery } from '../../http/query.ts';
import type { Route } from '../../http/route.ts';
import type { GatewayDeps } from '../deps.ts';

export function workerRoutes({ redis }: Pick<GatewayDeps, 'redis'>): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/api/v1/workers',
      role: 'viewer',
      handle: async (c) => {
        readQuery(c, noQuery);
        return answer(c, (await readWorkers(redis)).map(workerJson));
      },
    },
  ];
}

/** Snake case, and no key for a zero or an empty value, as the original's JSON of a protobuf struct had it. */
function workerJson({ last_seen, ...worker }: WorkerSnapshot): Record<string, unknown> {
  const entries = Object.entries({ ...worker, last_seen: last_seen === 0 ? '' : new Date(last_seen).toISOString() });
  return Object.fromEntries(entries.filter(([, value]) => !isZero(value)));
}

function isZero(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0;
  return value === 0 || value === '';
}
