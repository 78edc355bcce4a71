// Approvals on Redis.
import { list, text } from '#core/redis/redis.ts';
import { type Approved, checkApproval } from './approval.ts';
import type { Calls } from './redis-calls.ts';
import { maybeState } from './redis-record.ts';
import { approve } from './scripts/approve.ts';
import type { JobStore } from './store.ts';

/** The store's part for what a person decides. */
export function approvals({ each, byTenant }: Calls): Pick<JobStore, 'approve'> {
  return {
    async approve(items) {
      for (const item of items) checkApproval(item);
      return each(
        approve,
        items,
        byTenant,
        (a, args) => args.push(a.id, a.tenant, a.digest, a.principal),
        (reply): Approved => {
          const row = list(reply);
          return { outcome: text(row[0]) as Approved['outcome'], state: maybeState(row[1]) };
        },
      );
    },
  };
}
