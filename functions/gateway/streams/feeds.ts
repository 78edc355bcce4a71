// One feed per tenant while anybody follows it, shared by all who do. Where requests may not share what they wait for (workerd), each
// follower has its own.
import { tenantEvents } from '#core/protocol/subjects.ts';
import type { GatewayDeps } from '../deps.ts';
import { createFeed, type Feed } from './feed.ts';

export interface Feeds {
  /** The feed of a tenant; to be closed by whoever opened it. */
  open(tenant: string): Feed;
  /** Feeds there are. */
  readonly size: number;
}

export type FeedDeps = Pick<GatewayDeps, 'store' | 'subscribe' | 'isolated' | 'clock' | 'log' | 'streams'>;

export function createFeeds({ store, subscribe, isolated, clock, log, streams = {} }: FeedDeps): Feeds {
  const { pollMs } = streams;
  const open = new Map<string, { readonly feed: Feed; users: number }>();
  let alone = 0;
  const create = (tenant: string): Feed =>
    createFeed({
      ...{ store, clock, log, tenant, ...(pollMs === undefined ? {} : { pollMs }) },
      subscribe: subscribe === undefined ? undefined : (heard) => subscribe(tenantEvents(tenant), heard),
    });
  const once = (feed: Feed, leave: () => void): Feed => {
    let left = false;
    return {
      next: feed.next,
      close() {
        if (left) return;
        left = true;
        leave();
      },
    };
  };
  return {
    open(tenant) {
      if (isolated === true) {
        const feed = create(tenant);
        alone++;
        return once(feed, () => {
          alone--;
          feed.close();
        });
      }
      const known = open.get(tenant) ?? { feed: create(tenant), users: 0 };
      open.set(tenant, known);
      known.users++;
      return once(known.feed, () => {
        if (--known.users > 0) return;
        open.delete(tenant);
        known.feed.close();
      });
    },
    get size() {
      return open.size + alone;
    },
  };
}
