// Reading jobs from Redis: bounded work in each call, nothing is written.
import { fromBase64 } from '#core/base64.ts';
import { type Arg, int, list, type Reply, text } from '#core/redis/redis.ts';
import { checkEventId, formatCursor, parseCursor } from './checks.ts';
import type { Calls } from './redis-calls.ts';
import { eventOf, viewOf } from './redis-record.ts';
import * as read from './scripts/read.ts';
import type { JobKey, JobStore, Seen, StandingJob } from './store.ts';

type Reads = Pick<
  JobStore,
  'view' | 'look' | 'page' | 'trace' | 'transitions' | 'recording' | 'result' | 'events' | 'standing' | 'depths'
>;

/** Jobs of one trace that are answered at most. */
const traceLimit = 1000;

/** In place of a job whose result the answer had no room for. */
const noRoom = Symbol('no room');

function seenOf(id: string, reply: Reply): Seen | undefined {
  if (typeof reply !== 'object' || reply === null) return undefined;
  const [record, result] = list(reply);
  return { job: viewOf(id, record), result: typeof result === 'string' ? result : null };
}

function standingOf(id: string, reply: Reply | undefined): StandingJob | undefined {
  if (typeof reply !== 'object' || reply === null) return undefined;
  const [record, packet, path] = list(reply);
  return {
    job: viewOf(id, record),
    packet: typeof packet === 'string' ? fromBase64(packet) : undefined,
    path: typeof path === 'object' ? list(path).map(text) : [],
  };
}

/** The reading half of the store. */
export function reads({ run, each, keys, byTenant, partitionOf }: Calls): Reads {
  const look = async (jobs: readonly JobKey[]): Promise<(Seen | undefined)[]> => {
    const seen = await each(
      read.look,
      jobs,
      byTenant,
      ({ id, tenant }, args) => args.push(id, tenant),
      (reply, { id }) => (reply === 0 ? noRoom : seenOf(id, reply)),
    );
    const rest = jobs.filter((_, i) => seen[i] === noRoom);
    const later = rest.length === 0 ? [] : await look(rest);
    return seen.map((one) => (one === noRoom ? later.shift() : one));
  };

  return {
    look,

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
      const jobs = list(row[0]).map((reply) => viewOf(text(list(reply)[0]), list(reply)[1]));
      const last = typeof row[1] === 'object' && row[1] !== null ? row[1] : undefined;
      const nextCursor = last && formatCursor({ createdAt: int(last[1]), id: text(last[0]) });
      return { jobs, nextCursor };
    },

    async trace(traceId, tenant) {
      const rows = list(await run(read.trace, keys.ofTenant(tenant), [traceId, tenant, traceLimit]));
      const jobs = rows.map((reply) => viewOf(text(list(reply)[0]), list(reply)[1]));
      return jobs.toSorted((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
    },

    async transitions(id, tenant) {
      const reply = await run(read.transitions, keys.ofTenant(tenant), [id, tenant]);
      return reply === null ? undefined : list(reply).map(text);
    },

    async recording(id, tenant) {
      const reply = await run(read.recording, keys.ofTenant(tenant), [id, tenant]);
      if (typeof reply !== 'object' || reply === null) return undefined;
      const [record, ...texts] = list(reply);
      const [payload = null, result = null, recording = null] = texts.map((one) =>
        typeof one === 'string' ? one : null,
      );
      return { job: viewOf(id, record), payload, result, recording };
    },

    async result(id, tenant) {
      const [seen] = await look([{ id, tenant }]);
      return seen?.result;
    },

    async events(tenant, after, limit) {
      checkEventId(after);
      const rows = list(await run(read.events, keys.ofTenant(tenant), [tenant, after, limit]));
      return rows.map((row) => eventOf(list(row)));
    },

    async standing(tenant, jobs) {
      const args: Arg[] = [tenant];
      for (const { id, packet, path } of jobs) args.push(id, packet === true ? 1 : 0, path === true ? 1 : 0);
      const [at, rows] = list(await run(read.standing, keys.ofTenant(tenant), args));
      const found = list(rows);
      return { at: text(at), jobs: jobs.map(({ id }, i) => standingOf(id, found[i])) };
    },
  };
}
