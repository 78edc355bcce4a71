// Reading jobs from Redis: one script each, bounded work, nothing is written.
import { int, list, text } from '#core/redis/redis.ts';
import { checkEventId, formatCursor, parseCursor } from './checks.ts';
import type { Calls } from './redis-calls.ts';
import { eventOf, viewOf } from './redis-record.ts';
import * as read from './scripts/read.ts';
import type { JobStore } from './store.ts';

type Reads = Pick<JobStore, 'view' | 'page' | 'trace' | 'transitions' | 'result' | 'events' | 'depths'>;

/** Jobs of one trace that are answered at most. */
const traceLimit = 1000;

/** The reading half of the store. */
export function reads({ run, keys, partitionOf }: Calls): Reads {
  return {
    async depths() {
      const out = [];
      for (let p = 0; p < keys.partitions; p++) {
        const flat = list(await run(read.depths, p, []));
        for (let i = 0; i + 1 < flat.length; i += 2) {
          const [pool = '', lane = ''] = text(flat[i]).split(' ');
          out.push({ pool, lane, waiting: int(flat[i + 1]) });
        }
      }
      return out;
    },

    async view(id, tenant) {
      const p = await partitionOf(id, tenant);
      const reply = await run(read.view, p, [id, tenant ?? '', tenant === undefined ? 1 : 0]);
      return reply === null ? undefined : viewOf(id, reply);
    },

    async page(q) {
      const cursor = parseCursor(q.cursor);
      const filter = [q.state ?? '', q.topic ?? '', q.traceId ?? '', q.updatedAfter ?? '', q.updatedBefore ?? ''];
      const row = list(
        await run(read.page, keys.ofTenant(q.tenant), [
          q.tenant,
          q.limit,
          cursor?.id ?? '',
          cursor?.createdAt ?? '',
          ...filter,
        ]),
      );
      const jobs = list(row[0]).map((reply) => viewOf(text(list(reply)[0]), list(reply)[1] ?? null));
      const last = typeof row[1] === 'object' && row[1] !== null ? row[1] : undefined;
      const nextCursor = last && formatCursor({ createdAt: int(last[1]), id: text(last[0]) });
      return { jobs, nextCursor };
    },

    async trace(traceId, tenant) {
      const rows = list(await run(read.trace, keys.ofTenant(tenant), [traceId, tenant, traceLimit]));
      const jobs = rows.map((reply) => viewOf(text(list(reply)[0]), list(reply)[1] ?? null));
      return jobs.toSorted((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
    },

    async transitions(id, tenant) {
      const reply = await run(read.transitions, keys.ofTenant(tenant), [id, tenant]);
      return reply === null ? undefined : list(reply).map(text);
    },

    async result(id, tenant) {
      const row = list(await run(read.result, keys.ofTenant(tenant), [id, tenant]));
      if (int(row[0]) !== 1) return undefined;
      return typeof row[1] === 'string' ? row[1] : null;
    },

    async events(tenant, after, limit) {
      checkEventId(after);
      const rows = list(await run(read.events, keys.ofTenant(tenant), [tenant, after, limit]));
      return rows.map((row) => eventOf(list(row)));
    },
  };
}
