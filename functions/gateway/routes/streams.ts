// What happens, as it happens: the events of one job (SSE), the packets of the tenant (WebSocket), and tickets for browsers to both.
import { CortexError } from '#core/errors.ts';
import { HttpError } from '#core/http/errors.ts';
import { beforeFirst, compareIds, fromOldest } from '#core/jobs/follow.ts';
import { isJobId } from '#core/jobs/job.ts';
import { isEnd } from '#core/jobs/state.ts';
import { answer } from '../../http/answer.ts';
import { checkSocketOrigin, type Cors } from '../../http/cors.ts';
import { noQuery, readQuery } from '../../http/query.ts';
import type { AppContext, Route } from '../../http/route.ts';
import type { Tickets } from '../../http/tickets.ts';
import { notFound } from '../cancel-job.ts';
import type { GatewayDeps } from '../deps.ts';
import type { ReadJob } from '../read-job.ts';
import { type Cursor, parseCursor, streamQuery } from '../streams/cursor.ts';
import { eventStream } from '../streams/event-stream.ts';
import type { Feeds } from '../streams/feeds.ts';
import type { Frames } from '../streams/frames.ts';
import { createJobOutput } from '../streams/job-output.ts';
import { type Begin, jobEvents, restOf } from '../streams/job-events.ts';
import type { Leases } from '../streams/leases.ts';
import { servePackets } from '../streams/packet-stream.ts';

export interface StreamRouteDeps
  extends Pick<GatewayDeps, 'store' | 'clock' | 'log' | 'subscribe' | 'isolated' | 'streams' | 'upgrade'> {
  readonly readJob: ReadJob;
  readonly leases: Leases;
  readonly feeds: Feeds;
  readonly frames: Frames;
  readonly tickets: Tickets;
  readonly cors: Cors;
}

export function streamRoutes(deps: StreamRouteDeps): readonly Route[] {
  const { store, clock, leases, feeds, tickets, upgrade } = deps;
  const beatMs = deps.streams?.beatMs ?? 15_000;

  const events = async (c: AppContext): Promise<Response> => {
    const { tenant } = c.get('identity');
    const { cursor } = readQuery(c, streamQuery);
    const id = c.req.param('id') ?? '';
    if (!isJobId(id)) throw notFound();
    const stands = lastEvent(c) ?? cursor;
    const begin = await beginOf(store, { id, tenant }, stands);
    // Everything has been told: 204 is what makes an EventSource stay away.
    if (begin === undefined) return new Response(null, { status: 204 });
    const headers = { 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' };
    if (c.req.raw.method === 'HEAD') return new Response(null, { headers });
    const lease = leases.take('sse', tenant, c.req.raw.signal);
    const feed = feeds.open(tenant);
    lease.onRelease(feed.close);
    const place = stands?.from === 'after' ? stands.output : undefined;
    const output = createJobOutput(deps, { id, tenant, signal: lease.signal, place });
    lease.onRelease(output.close);
    try {
      if (stands?.from === 'now') await output.skip();
    } catch (error) {
      lease.release();
      throw error;
    }
    const text = jobEvents(deps, { id, tenant, lease, feed, output, beatMs, begin });
    return new Response(eventStream(text, lease, clock), { headers });
  };

  const packets = async (c: AppContext): Promise<Response> => {
    const { tenant } = c.get('identity');
    const { cursor } = readQuery(c, streamQuery);
    if (upgrade === undefined || c.req.header('Upgrade')?.toLowerCase() !== 'websocket') {
      const message = 'this is a WebSocket: ask for an upgrade';
      throw new HttpError(426, 'failed_precondition', message, { headers: { upgrade: 'websocket' } });
    }
    checkSocketOrigin(c, deps.cors);
    const { at } = await store.standing(tenant, []);
    const now = at === '' ? beforeFirst : at;
    const { after, reset } = positionOf(cursor, now);
    const lease = leases.take('websocket', tenant, c.req.raw.signal);
    const feed = feeds.open(tenant);
    lease.onRelease(feed.close);
    const options = { tenant, lease, feed, beatMs, after, cursors: cursor !== undefined, reset };
    try {
      return await upgrade(c, (socket) => servePackets(deps, options, socket));
    } catch (error) {
      lease.release();
      throw error;
    }
  };

  const ticket = async (c: AppContext): Promise<Response> => {
    readQuery(c, noQuery);
    const made = await tickets.issue(c.get('identity'));
    return answer(c, { ticket: made.ticket, expires_in: made.expiresInMs / 1000 }, 201);
  };

  return [
    { method: 'GET', path: '/api/v1/jobs/{id}/events', role: 'viewer', ticket: true, handle: events },
    { method: 'GET', path: '/api/v1/stream', role: 'viewer', ticket: true, handle: packets },
    { method: 'POST', path: '/api/v1/stream-tickets', role: 'viewer', handle: ticket },
  ];
}

/** What an EventSource that comes again has seen last. It knows better than the address, which stays as it was. */
function lastEvent(c: AppContext): Cursor | undefined {
  const text = c.req.header('Last-Event-ID');
  if (text === undefined || text === '') return undefined;
  const cursor = parseCursor(text);
  if (cursor !== undefined) return cursor;
  throw new CortexError('invalid_argument', 'Last-Event-ID: is not one that a stream has told', {
    field: 'Last-Event-ID',
  });
}

function positionOf(cursor: Cursor | undefined, now: string): { readonly after: string; readonly reset: boolean } {
  if (cursor?.from === 'oldest') return { after: fromOldest, reset: false };
  if (cursor?.from !== 'after') return { after: now, reset: false };
  // What lies ahead of the stream comes from another one, or from one that has lost its end.
  return compareIds(cursor.id, now) > 0 ? { after: now, reset: true } : { after: cursor.id, reset: false };
}

/** Undefined when the job has ended and the client knows it. Throws `not_found` for a job that the tenant does not have. */
async function beginOf(
  store: GatewayDeps['store'],
  job: { readonly id: string; readonly tenant: string },
  cursor: Cursor | undefined,
): Promise<Begin | undefined> {
  const { at, jobs } = await store.standing(job.tenant, [{ id: job.id, path: true }]);
  const [standing] = jobs;
  if (standing === undefined) throw notFound();
  const now = at === '' ? beforeFirst : at;
  const history = { with: 'history', standing, at: now } as const;
  if (cursor === undefined || cursor.from === 'oldest') return { ...history, reset: false };
  const { after, reset } = positionOf(cursor, now);
  const { state } = standing.job;
  if (cursor.from === 'after' && cursor.ending && isEnd(state)) return { with: 'end', at: after, state };
  if (reset) return { ...history, reset };
  if (!isEnd(state)) return { with: 'events', events: [], from: after, after, state };
  const events = await restOf(store, job, after, now);
  if (events === undefined) return { ...history, reset: true };
  return events.length === 0 ? undefined : { with: 'events', events, from: after, after: now, state: 'PENDING' };
}
