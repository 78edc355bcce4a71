// CORS: origins that are named may read, all others hear nothing of it; a WebSocket asks for the origin itself.
import { describe, expect, test } from 'vitest';
import { json, submitted } from '../drive.ts';
import { expectProblem } from '../expect-problem.ts';
import { as, keyEntries } from '../keys.ts';
import { readSse } from '../sse.ts';
import { gatewayFor, type MakeGateway } from '../under-test.ts';

const listed = 'https://app.example.com';
const others = ['https://evil.example', 'http://app.example.com', 'https://app.example.com:8443', 'null'];

const corsHeaders = (response: Response): string[] =>
  Array.from(response.headers.keys()).filter((name) => name.startsWith('access-control-'));

export function testCors(make: MakeGateway): void {
  describe('CORS for a listed origin', () => {
    const gateway = gatewayFor(make, { keys: keyEntries, corsOrigins: [listed, 'http://localhost:5173'] });
    const ask = (path: string, Origin: string, method = 'GET'): Promise<Response> =>
      gateway().request(path, {
        method: 'OPTIONS',
        headers: { Origin, 'Access-Control-Request-Method': method, 'Access-Control-Request-Headers': 'x-api-key' },
      });

    test.each([
      ['/api/v1/jobs', 'GET, HEAD, POST'],
      ['/api/v1/jobs/x/events', 'GET, HEAD'],
      ['/api/v1/stream-tickets', 'POST'],
      ['/cortex.v1.CortexApi/SubmitJob', 'POST'],
    ])('a preflight of %s names the methods %s and the headers', async (path, methods) => {
      const response = await ask(path, listed, 'POST');
      expect(response.status).toBe(204);
      expect(response.headers.get('access-control-allow-origin')).toBe(listed);
      expect(response.headers.get('access-control-allow-methods')).toBe(methods);
      const allowed = (response.headers.get('access-control-allow-headers') ?? '').split(', ');
      expect(allowed).toEqual(
        expect.arrayContaining(['X-API-Key', 'X-Session-Id', 'Idempotency-Key', 'Last-Event-ID', 'Content-Type']),
      );
      expect(response.headers.get('vary')).toBe('Origin');
      expect(response.headers.get('access-control-allow-credentials')).toBeNull();
    });

    test('answers may be read, errors as well, with the headers that matter', async () => {
      const headers = { ...as('viewer'), Origin: listed };
      for (const [path, init] of [
        ['/api/v1/jobs', { headers }],
        ['/api/v1/jobs', { headers: { Origin: listed } }],
        ['/api/v1/jobs/none', { headers }],
        ['/nothing', { headers }],
      ] as const) {
        const response = await gateway().request(path, init);
        expect(response.headers.get('access-control-allow-origin')).toBe(listed);
        const exposed = response.headers.get('access-control-expose-headers') ?? '';
        for (const name of ['Location', 'X-Request-Id', 'Retry-After']) expect(exposed).toContain(name);
        expect(response.headers.get('access-control-allow-credentials')).toBeNull();
        expect(response.headers.get('x-request-id')).not.toBeNull();
      }
      const { job_id } = await submitted(gateway(), {}, as('submitter'));
      const sse = await gateway().request(`/api/v1/jobs/${job_id}/events`, { headers });
      expect(sse.headers.get('access-control-allow-origin')).toBe(listed);
      await readSse(sse).cancel();
    });

    test.each(others)('%s gets nothing, and a cache is told why', async (Origin) => {
      const preflight = await ask('/api/v1/jobs', Origin);
      expect(corsHeaders(preflight)).toEqual([]);
      await expectProblem(preflight, 405);
      const plain = await gateway().request('/api/v1/jobs', { headers: { ...as('viewer'), Origin } });
      expect(plain.status).toBe(200);
      expect(corsHeaders(plain)).toEqual([]);
      expect(plain.headers.get('vary')).toBe('Origin');
    });

    test('no origin: no headers, but Vary', async () => {
      const response = await gateway().request('/api/v1/jobs', { headers: as('viewer') });
      expect(corsHeaders(response)).toEqual([]);
      expect(response.headers.get('vary')).toBe('Origin');
      await expectProblem(await gateway().request('/api/v1/jobs', { method: 'OPTIONS' }), 405);
    });

    test('a WebSocket is for listed origins, those of this host, and clients that are no pages', async () => {
      const open = (headers: Record<string, string>) =>
        gateway().socket('/api/v1/stream', { ...as('viewer'), ...headers });
      const Host = 'cortex.example.com';
      for (const headers of [{ Origin: listed }, { Origin: `https://${Host}`, Host }, {}]) {
        const { socket } = await open(headers);
        expect(socket, JSON.stringify(headers)).toBeDefined();
        socket?.close();
      }
      for (const Origin of others) {
        await expectProblem((await open({ Origin })).refused as Response, 403, { field: 'Origin' });
      }
    });

    test('a page of a listed origin gets its ticket and opens a stream', async () => {
      const init = { method: 'POST', headers: { ...as('viewer'), Origin: listed } };
      const made = await gateway().request('/api/v1/stream-tickets', init);
      expect(made.headers.get('access-control-allow-origin')).toBe(listed);
      const { ticket } = await json(made);
      const { socket } = await gateway().socket(`/api/v1/stream?cursor=&ticket=${String(ticket)}`, { Origin: listed });
      expect(await socket?.first(1)).toEqual([{ cursor: expect.any(String) }]);
      socket?.close();
    });
  });

  describe('CORS without keys', () => {
    const gateway = gatewayFor(make, { corsOrigins: [listed] });

    test('lets no page of elsewhere in, listed or not', async () => {
      const response = await gateway().request('/api/v1/jobs', { headers: { Origin: listed } });
      await expectProblem(response, 403, { field: 'Origin' });
    });
  });
}
