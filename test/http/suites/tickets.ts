// Tickets: one opens one stream, as whoever asked for it, and nothing else; keys never stand in an address.
import { describe, expect, test } from 'vitest';
import { keyDigest } from '#core/http/api-keys.ts';
import { json, submitted } from '../drive.ts';
import { expectProblem } from '../expect-problem.ts';
import { as, keyEntries } from '../keys.ts';
import { readSse } from '../sse.ts';
import { gatewayFor, type MakeGateway } from '../under-test.ts';

export function testTickets(make: MakeGateway): void {
  describe('a ticket', () => {
    const gateway = gatewayFor(make, { keys: keyEntries });
    const ticketFor = async (headers: Record<string, string>): Promise<string> => {
      const response = await gateway().request('/api/v1/stream-tickets', { method: 'POST', headers });
      expect(response.status).toBe(201);
      const body = await json(response);
      expect(body).toEqual({ ticket: expect.stringMatching(/^ticket_[A-Za-z0-9_-]{43}$/), expires_in: 60 });
      return String(body['ticket']);
    };

    test('opens one stream of either kind, once', async () => {
      const { job_id } = await submitted(gateway(), {}, as('submitter'));
      const path = `/api/v1/jobs/${job_id}/events?ticket=${await ticketFor(as('viewer'))}`;
      const events = readSse(await gateway().request(path));
      expect(await events.next()).toMatchObject({ data: { job_id } });
      await events.cancel();
      await expectProblem(await gateway().request(path), 401, { code: 'unauthenticated', field: 'ticket' });
      const stream = `/api/v1/stream?cursor=&ticket=${await ticketFor(as('viewer'))}`;
      const { socket } = await gateway().socket(stream);
      await socket?.first(1);
      socket?.close();
      await expectProblem((await gateway().socket(stream)).refused as Response, 401);
    });

    test('is kept as its digest, and used up by the first of many', async () => {
      const ticket = await ticketFor(as('viewer'));
      const kept = await gateway().redis.get(`ticket:${keyDigest(ticket)}`);
      expect(JSON.parse(kept ?? '')).toMatchObject({ tenant: 'default', principal: 'viewer@default', role: 'viewer' });
      expect(kept).not.toContain(ticket);
      const all = await Promise.all(
        Array.from({ length: 20 }, () => gateway().request(`/api/v1/jobs/none/events?ticket=${ticket}`)),
      );
      const statuses = all.map(({ status }) => status).toSorted((a, b) => b - a);
      expect(statuses).toEqual([404, ...Array.from({ length: 19 }, () => 401)]);
    });

    test('is for the tenant that it was made for', async () => {
      const { job_id } = await submitted(gateway(), {}, as('submitter', 'rival'));
      const path = `/api/v1/jobs/${job_id}/events`;
      await expectProblem(await gateway().request(`${path}?ticket=${await ticketFor(as('admin'))}`), 404);
      const acting = { ...as('admin'), 'X-Cortex-Tenant': 'rival' };
      const events = readSse(await gateway().request(`${path}?ticket=${await ticketFor(acting)}`));
      expect(await events.next()).toMatchObject({ data: { job_id } });
      await events.cancel();
      const other = { headers: { 'X-Cortex-Tenant': 'rival' } };
      const refused = await gateway().request(`${path}?ticket=${await ticketFor(as('admin'))}`, other);
      await expectProblem(refused, 403, { field: 'X-Cortex-Tenant' });
    });

    test.each(['', 'x', 'ticket_', `ticket_${'a'.repeat(43)}`, 'ticket_%00', 't'.repeat(5_000)])(
      '%j is none',
      async (ticket) => {
        const response = await gateway().request(`/api/v1/jobs/x/events?ticket=${ticket}`);
        await expectProblem(response, 401, { field: 'ticket' });
      },
    );

    test('opens no other route', async () => {
      const ticket = await ticketFor(as('admin'));
      for (const path of ['/api/v1/jobs', '/api/v1/jobs/x', '/api/v1/workers', '/api/v1/traces/x']) {
        await expectProblem(await gateway().request(`${path}?ticket=${ticket}`), 401);
      }
      const init = { method: 'POST', body: '{}' };
      await expectProblem(await gateway().request(`/api/v1/jobs?ticket=${ticket}`, init), 401);
      await expectProblem(await gateway().request(`/api/v1/stream-tickets?ticket=${ticket}`, init), 401);
    });

    test('is what a browser needs: a key in an address is refused, with a hint', async () => {
      const key = as('viewer')['X-API-Key'] ?? '';
      for (const headers of [{}, as('viewer')]) {
        const sse = await gateway().request(`/api/v1/jobs/x/events?api_key=${key}`, { headers });
        const body = await expectProblem(sse, 401, { field: 'api_key', detail: 'stream-tickets' });
        expect(JSON.stringify(body)).not.toContain(key);
      }
      const { refused } = await gateway().socket(`/api/v1/stream?api_key=${key}`);
      await expectProblem(refused as Response, 401, { field: 'api_key', detail: 'ticket' });
    });
  });

  describe('a ticket without keys', () => {
    const gateway = gatewayFor(make);

    test('does not let a page of elsewhere in', async () => {
      const response = await gateway().request('/api/v1/stream-tickets', { method: 'POST' });
      const { ticket } = await json(response);
      const headers = { Origin: 'https://evil.example' };
      const refused = await gateway().request(`/api/v1/jobs/x/events?ticket=${String(ticket)}`, { headers });
      await expectProblem(refused, 403, { field: 'Origin' });
      await expectProblem((await gateway().socket('/api/v1/stream', headers)).refused as Response, 403, {
        field: 'Origin',
      });
      expect((await gateway().request(`/api/v1/jobs/x/events?ticket=${String(ticket)}`)).status).toBe(404);
    });
  });
}
