// GET /api/v1/jobs/{id}/events: each transition once and in order, from wherever a client was; the end with its details ends the stream.
import { describe, expect, test } from 'vitest';
import { until } from '../../helpers/until.ts';
import { finish, start, submitted } from '../drive.ts';
import { expectProblem } from '../expect-problem.ts';
import { as, keyEntries } from '../keys.ts';
import { readSse, type SseEvent } from '../sse.ts';
import { gatewayFor, type MakeGateway } from '../under-test.ts';

const stateOf = ({ data }: SseEvent): unknown => data['state'];
const path = (id: string, query = ''): string => `/api/v1/jobs/${id}/events${query}`;

export function testJobEvents(make: MakeGateway): void {
  describe('events of a job', () => {
    const gateway = gatewayFor(make);
    const follow = async (id: string, query = '', headers: Record<string, string> = {}) =>
      readSse(await gateway().request(path(id, query), { headers }));
    const open = async (): Promise<number> => {
      const text = await gateway().metrics();
      return Number(/^cortex_api_gateway_streams_open\{kind="sse"\} (\d+)$/m.exec(text)?.[1] ?? 0);
    };
    const ended = async (): Promise<string> => {
      const { job_id } = await submitted(gateway());
      await finish(gateway(), await start(gateway(), job_id), { result: '{"n":1}' });
      return job_id;
    };

    test('are told as they happen, and the end with all its details is the last', async () => {
      const { job_id } = await submitted(gateway());
      const response = await gateway().request(path(job_id));
      expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
      expect(response.headers.get('cache-control')).toBe('no-store');
      const events = readSse(response);
      expect(await events.next()).toMatchObject({
        event: 'state',
        data: { job_id, state: 'PENDING', at: expect.any(String) },
      });
      const job = await start(gateway(), job_id);
      const [scheduled, dispatched, running] = [await events.next(), await events.next(), await events.next()];
      expect([scheduled, dispatched, running].map((event) => event && stateOf(event))).toEqual([
        'SCHEDULED',
        'DISPATCHED',
        'RUNNING',
      ]);
      const began = performance.now();
      await finish(gateway(), job, { result: '{"done":true}' });
      const end = await events.next();
      expect(end).toMatchObject({
        event: 'end',
        id: expect.stringMatching(/^\d+-\d+$/),
        data: { id: job_id, state: 'SUCCEEDED', result: { done: true }, execution_ms: 12 },
      });
      expect(performance.now() - began).toBeLessThan(1_500);
      expect(await events.next()).toBeUndefined();
      await until(async () => (await open()) === 0, { message: 'no stream to be open' });
    });

    test('go on behind what a client has seen, by header or by query, and 204 when it has seen all', async () => {
      const id = await ended();
      const all = await (await follow(id)).rest();
      expect(all.map(stateOf)).toEqual(['PENDING', 'SCHEDULED', 'DISPATCHED', 'RUNNING', 'SUCCEEDED']);
      // The ids of each step, from the store; a stream that was there from the start would have told them.
      const stored = (await gateway().store.events('default', '', 10_000)).filter(({ job }) => job === id);
      for (const [i, { id: cursor }] of stored.entries()) {
        if (i === stored.length - 1) {
          expect((await gateway().request(path(id, `?cursor=${cursor}`))).status).toBe(204);
          continue;
        }
        const later = stored.slice(i + 1).map(({ state }) => state);
        expect((await (await follow(id, `?cursor=${cursor}`)).rest()).map(stateOf)).toEqual(later);
        // An EventSource comes again with its old address.
        const again = await follow(id, '?cursor=0', { 'Last-Event-ID': cursor });
        const events = await again.rest();
        expect(events.map(stateOf)).toEqual(later);
        expect(events.map((event) => event.id)).toEqual(stored.slice(i + 1).map((event) => event.id));
      }
      expect((await gateway().request(path(id, '?cursor='))).status).toBe(204);
      expect((await gateway().request(path(id, '?cursor=$'))).status).toBe(204);
      expect((await (await follow(id, '?cursor=0')).rest()).map(stateOf)).toEqual(all.map(stateOf));
      const last = all.at(-1)?.id ?? '';
      expect((await gateway().request(path(id), { headers: { 'Last-Event-ID': last } })).status).toBe(204);
    });

    test('a stream that broke off goes on where it was, with nothing missing and nothing twice', async () => {
      const { job_id } = await submitted(gateway());
      const first = await follow(job_id);
      expect(stateOf((await first.next()) as SseEvent)).toBe('PENDING');
      const cursor = first.lastId;
      await first.cancel();
      const job = await start(gateway(), job_id);
      const second = await follow(job_id, `?cursor=${cursor}`);
      expect(stateOf((await second.next()) as SseEvent)).toBe('SCHEDULED');
      await second.cancel();
      const third = await follow(job_id, '', { 'Last-Event-ID': second.lastId });
      await finish(gateway(), job);
      expect((await third.rest()).filter(({ event }) => event !== 'progress').map(stateOf)).toEqual([
        'DISPATCHED',
        'RUNNING',
        'SUCCEEDED',
      ]);
    });

    test.each(['1-1', '999999999999999-0'])(
      'cursor %s is of another stream: reset, and then all of it',
      async (cursor) => {
        const id = await ended();
        const events = await (await follow(id, `?cursor=${cursor}`)).rest();
        expect(events.map(({ event }) => event)).toEqual(['reset', 'state', 'state', 'state', 'state', 'end']);
        const { job_id } = await submitted(gateway());
        const going = await follow(job_id, `?cursor=${cursor}`);
        expect([(await going.next())?.event, (await going.next())?.data['state']]).toEqual(['reset', 'PENDING']);
        await going.cancel();
      },
    );

    test.each(['x', '1', '-1', '1-', '1-1-1', '0-0-', ' ', '1e3-0'])('cursor %j is refused', async (cursor) => {
      const id = await ended();
      const query = `?cursor=${encodeURIComponent(cursor)}`;
      await expectProblem(await gateway().request(path(id, query)), 400, { field: 'cursor' });
      if (cursor.trim() === '') return;
      const headers = { 'Last-Event-ID': cursor };
      await expectProblem(await gateway().request(path(id), { headers }), 400, { field: 'Last-Event-ID' });
    });

    test('of no job are not found, and HEAD opens nothing', async () => {
      for (const id of ['none', '...', '%00', 'x'.repeat(200)]) {
        await expectProblem(await gateway().request(path(id)), 404, { detail: 'job not found' });
      }
      const { job_id } = await submitted(gateway());
      const head = await gateway().request(path(job_id), { method: 'HEAD' });
      expect(head.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
      expect(await head.text()).toBe('');
      await until(async () => (await open()) === 0);
    });

    test('tell the progress of a running job', async () => {
      const { job_id } = await submitted(gateway());
      const job = await start(gateway(), job_id);
      const events = await follow(job_id, '?cursor=');
      const { id, tenant, fence, attempt } = job;
      await gateway().store.progress([{ id, tenant, fence, attempt, percent: 40, message: 'half' }]);
      expect(await events.next()).toEqual({
        event: 'progress',
        id: undefined,
        data: { job_id, percent: 40, message: 'half' },
      });
      await finish(gateway(), job);
      expect((await events.rest()).map(({ event }) => event)).toEqual(['end']);
    });

    test('come without news as well, within the silence', async () => {
      const { job_id } = await submitted(gateway());
      const events = await follow(job_id);
      await events.next();
      gateway().silence(true);
      try {
        const job = await start(gateway(), job_id);
        await finish(gateway(), job);
        const told = (await events.rest()).filter(({ event }) => event !== 'progress');
        expect(told.map(stateOf)).toEqual(['SCHEDULED', 'DISPATCHED', 'RUNNING', 'SUCCEEDED']);
      } finally {
        gateway().silence(false);
      }
    });

    test('a client that goes away frees its place and the subscription', async () => {
      const { job_id } = await submitted(gateway());
      const events = await Promise.all(Array.from({ length: 5 }, () => follow(job_id)));
      await Promise.all(events.map((one) => one.next()));
      // At the edge nothing counts streams, and each has a subscription of its own.
      const { isolated = false } = gateway();
      const places = async (): Promise<number> => (isolated ? 5 : open());
      await until(async () => (await places()) === 5 && (await gateway().subscriptions()) >= (isolated ? 5 : 1));
      await Promise.all(events.map((one) => one.cancel()));
      await until(async () => (isolated || (await open()) === 0) && (await gateway().subscriptions()) === 0, {
        message: 'all to be released',
      });
    });
  });

  describe('places of streams', () => {
    const gateway = gatewayFor(make, { keys: keyEntries, streams: { max: 3, maxPerTenant: 2 } });

    test('429 when the tenant has all of its, 503 when there is none left, and they come back', async () => {
      const mine = await submitted(gateway(), {}, as('submitter'));
      const theirs = await submitted(gateway(), {}, as('submitter', 'rival'));
      const get = (own: boolean): Promise<Response> =>
        gateway().request(path((own ? mine : theirs).job_id), { headers: as('viewer', own ? 'default' : 'rival') });
      const first = readSse(await get(true));
      const { socket } = await gateway().socket('/api/v1/stream', as('viewer'));
      expect(socket).toBeDefined();
      const refused = await get(true);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      await expectProblem(refused, 429, { code: 'resource_exhausted' });
      await expectProblem((await gateway().socket('/api/v1/stream', as('viewer'))).refused as Response, 429);
      const other = readSse(await get(false));
      await expectProblem(await get(false), 503, { code: 'unavailable' });
      await expectProblem((await gateway().socket('/api/v1/stream', as('viewer', 'rival'))).refused as Response, 503);
      await first.cancel();
      const again = await until(async () => {
        const response = await get(true);
        if (response.status === 200) return readSse(response);
        await response.text();
        return undefined;
      });
      await Promise.all([again.cancel(), other.cancel()]);
      socket?.close();
    });
  });

  describe('the life of streams', () => {
    const gateway = gatewayFor(make, { streams: { lifetimeMs: 1_000 } });

    test('is bounded: the last word names the cursor to come again with', async () => {
      const { job_id } = await submitted(gateway());
      const events = await readSse(await gateway().request(path(job_id))).rest();
      const bye = events.at(-1);
      expect(bye).toMatchObject({ event: 'bye', data: { reason: 'lifetime' } });
      const again = readSse(await gateway().request(path(job_id, `?cursor=${String(bye?.data['cursor'])}`)));
      await start(gateway(), job_id);
      expect(await again.next()).toMatchObject({ data: { state: 'SCHEDULED' } });
      await again.cancel();
    });

    test('a WebSocket is closed with a code that says so', async () => {
      const { socket } = await gateway().socket('/api/v1/stream?cursor=');
      expect(await socket?.closed).toMatchObject({ code: 4001, reason: expect.stringContaining('cursor') });
    });
  });
}
