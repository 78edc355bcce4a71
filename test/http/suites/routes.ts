// What holds for every path: 404 and 405 as problems, Allow, request ids, no CORS.
import { describe, expect, test } from 'vitest';
import { submitted } from '../drive.ts';
import { expectProblem } from '../expect-problem.ts';
import { everyRoute } from '../routes-of.ts';
import { gatewayFor, type MakeGateway } from '../under-test.ts';

const methods: readonly (readonly [string, string, string])[] = [
  ['/health', 'POST', 'GET, HEAD'],
  ['/api/v1/workers', 'POST', 'GET, HEAD'],
  ['/api/v1/jobs', 'DELETE', 'GET, HEAD, POST'],
  ['/api/v1/jobs/x', 'PUT', 'GET, HEAD'],
  ['/api/v1/jobs/x/cancel', 'GET', 'POST'],
  ['/api/v1/jobs/x/events', 'POST', 'GET, HEAD'],
  ['/api/v1/stream', 'POST', 'GET, HEAD'],
  ['/api/v1/stream-tickets', 'GET', 'POST'],
  ['/api/v1/repo-review', 'GET', 'POST'],
  ['/api/v1/archives', 'GET', 'POST'],
  ['/api/v1/archives/x/parts/0', 'PUT', 'POST'],
  ['/api/v1/traces/x', 'PATCH', 'GET, HEAD'],
  ['/api/v1/usage', 'POST', 'GET, HEAD'],
  ['/api/v1/jobs/x/recording', 'POST', 'GET, HEAD'],
  ['/api/v1/workflows/x', 'POST', 'GET, HEAD'],
  ['/api/v1/workflows/x/signals/go', 'GET', 'POST'],
  ['/api/v1/workflows/x/rerun', 'GET', 'POST'],
];

/** What has its own form, or needs more than a job, and its own suite. */
const others: Readonly<Record<string, readonly [path: string, status: number]>> = {
  'GET /api/v1/jobs/{id}/events': ['/api/v1/jobs/{id}/events', 200],
  'GET /api/v1/stream': ['/api/v1/stream', 426],
  'GET /api/v1/jobs/{id}/recording': ['/api/v1/jobs/{id}/recording', 404],
  'GET /api/v1/workflows/{id}': ['/api/v1/workflows/{id}', 404],
  'POST /api/v1/workflows/{id}/signals/{name}': ['/api/v1/workflows/{id}/signals/go', 404],
  'POST /api/v1/workflows/{id}/rerun': ['/api/v1/workflows/{id}/rerun', 404],
};
/** One whose only part has as many bytes as `{}`. */
const archive = { sha256: 'a'.repeat(64), bytes: 2 };

/** Per route a request that works; `{id}` stands for a job's, `{trace}` for its trace's. */
const requests: Readonly<Record<string, readonly [path: string, status: number, body?: object]>> = {
  'GET /health': ['/health', 200],
  'GET /api/v1/workers': ['/api/v1/workers', 200],
  'GET /api/v1/jobs': ['/api/v1/jobs', 200],
  'POST /api/v1/jobs': ['/api/v1/jobs', 202, { prompt: 'hi' }],
  'GET /api/v1/jobs/{id}': ['/api/v1/jobs/{id}', 200],
  'POST /api/v1/jobs/{id}/cancel': ['/api/v1/jobs/{id}/cancel', 200],
  'POST /api/v1/repo-review': ['/api/v1/repo-review', 202, { local_path: '/x' }],
  'POST /api/v1/archives': ['/api/v1/archives', 200, archive],
  'POST /api/v1/archives/{sha256}/parts/{part}': [`/api/v1/archives/${archive.sha256}/parts/0`, 200, {}],
  'GET /api/v1/traces/{id}': ['/api/v1/traces/{trace}', 200],
  'GET /api/v1/usage': ['/api/v1/usage', 200],
  'POST /api/v1/stream-tickets': ['/api/v1/stream-tickets', 201],
  ...others,
};

export function testRoutes(make: MakeGateway): void {
  describe('every path', () => {
    const gateway = gatewayFor(make);

    test.each(methods)('%s answers %s with 405 and Allow: %s', async (path, method, allow) => {
      const response = await gateway().request(path, { method });
      await expectProblem(response, 405, { detail: 'Method Not Allowed' });
      expect(response.headers.get('allow')).toBe(allow);
    });

    test('has a request here', () => {
      expect(Object.keys(requests).sort()).toEqual([...everyRoute()].sort());
    });

    test.each(Object.entries(requests).filter(([route]) => !(route in others)))(
      '%s says that its answer is JSON, and it is',
      async (route, request) => {
        const [path, status, body] = request;
        const job = await submitted(gateway());
        const response = await gateway().request(path.replace('{id}', job.job_id).replace('{trace}', job.trace_id), {
          method: route.split(' ')[0] ?? '',
          ...(body !== undefined && { body: JSON.stringify(body) }),
        });
        expect(response.status).toBe(status);
        expect(response.headers.get('content-type')).toMatch(/^application\/json(; charset=utf-8)?$/i);
        expect(await response.json()).toEqual(expect.anything());
      },
    );

    test.each([
      '/',
      '/api',
      '/api/v1',
      '/api/v1/jobs/',
      '/api/v1/nothing',
      '/api/v1/jobs/a/b',
      '/API/v1/jobs',
      '/metrics',
    ])('%s is not found', async (path) => {
      await expectProblem(await gateway().request(path), 404, { code: 'not_found' });
    });

    test('keeps a harmless request id and replaces any other', async () => {
      const kept = await gateway().request('/api/v1/jobs', { headers: { 'X-Request-Id': 'mine.1' } });
      expect(kept.headers.get('x-request-id')).toBe('mine.1');
      const replaced = await gateway().request('/api/v1/jobs', { headers: { 'X-Request-Id': 'not a good one' } });
      expect(replaced.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    });

    test('CORS is off: no header, and OPTIONS is a method like any other', async () => {
      const origin = { Origin: 'http://localhost:3000' };
      const plain = await gateway().request('/api/v1/jobs', { headers: origin });
      expect(plain.status).toBe(200);
      expect(plain.headers.get('access-control-allow-origin')).toBeNull();
      const preflight = await gateway().request('/api/v1/jobs', { method: 'OPTIONS', headers: origin });
      await expectProblem(preflight, 405);
    });

    test('no answer may be kept by a cache', async () => {
      const response = await gateway().request('/api/v1/jobs');
      expect(response.headers.get('cache-control')).toBe('no-store');
      expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    });
  });
}
