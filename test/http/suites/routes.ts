// What holds for every path: 404 and 405 as problems, Allow, request ids, no CORS.
import { describe, expect, test } from 'vitest';
import { expectProblem } from '../expect-problem.ts';
import { gatewayFor, type MakeGateway } from '../under-test.ts';

const methods: readonly (readonly [string, string, string])[] = [
  ['/health', 'POST', 'GET, HEAD'],
  ['/api/v1/workers', 'POST', 'GET, HEAD'],
  ['/api/v1/jobs', 'DELETE', 'GET, HEAD, POST'],
  ['/api/v1/jobs/x', 'PUT', 'GET, HEAD'],
  ['/api/v1/jobs/x/cancel', 'GET', 'POST'],
  ['/api/v1/repo-review', 'GET', 'POST'],
  ['/api/v1/traces/x', 'PATCH', 'GET, HEAD'],
];

export function testRoutes(make: MakeGateway): void {
  describe('every path', () => {
    const gateway = gatewayFor(make);

    test.each(methods)('%s answers %s with 405 and Allow: %s', async (path, method, allow) => {
      const response = await gateway().request(path, { method });
      await expectProblem(response, 405, { detail: 'Method Not Allowed' });
      expect(response.headers.get('allow')).toBe(allow);
    });

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
