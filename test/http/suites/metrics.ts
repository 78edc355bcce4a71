// The two metrics after a known load, with their labels; and what is not counted.
import { describe, expect, test } from 'vitest';
import { json, submitted } from '../drive.ts';
import { as, keyEntries } from '../keys.ts';
import { gatewayFor, type MakeGateway } from '../under-test.ts';

const requests = 'cortex_api_gateway_http_requests_total';
const duration = 'cortex_api_gateway_http_request_duration_seconds';

/** One sample by name and labels, in whatever order these stand; undefined when it is not there. */
function sample(text: string, name: string, labels: Readonly<Record<string, string>>): number | undefined {
  for (const line of text.split('\n')) {
    const match = /^([a-z_]+)\{(.*)\} ([0-9.e+-]+)$/.exec(line);
    if (match === null || match[1] !== name) continue;
    const pairs = Array.from((match[2] ?? '').matchAll(/(\w+)="([^"]*)"/g), ([, k = '', v = '']) => [k, v] as const);
    const found: Record<string, string> = Object.fromEntries(pairs);
    if (Object.keys(found).length !== Object.keys(labels).length) continue;
    if (Object.entries(labels).every(([key, value]) => found[key] === value)) return Number(match[3]);
  }
  return undefined;
}

export function testMetrics(make: MakeGateway): void {
  describe('metrics', () => {
    const gateway = gatewayFor(make, { keys: keyEntries });

    test('count requests by method, route pattern and status', async () => {
      const headers = as('operator');
      const first = await submitted(gateway(), {}, headers);
      await submitted(gateway(), {}, headers);
      await gateway().request('/api/v1/jobs', { method: 'POST', body: '{', headers });
      await gateway().request('/api/v1/jobs', { method: 'POST', body: '{}' });
      await gateway().request('/api/v1/jobs', { method: 'POST', body: '{}', headers: as('viewer') });
      for (const id of [first.job_id, 'nothing', 'a%20b']) await gateway().request(`/api/v1/jobs/${id}`, { headers });
      await gateway().request('/api/v1/jobs?limit=5', { headers });
      await gateway().request(`/api/v1/jobs/${first.job_id}/cancel`, { method: 'POST', headers });
      await gateway().request('/api/v1/traces/t1', { headers });
      await gateway().request('/api/v1/workers', { headers });
      await gateway().request('/api/v1/repo-review', { method: 'POST', body: '{}', headers });
      const rpc = (body: string, who: Record<string, string>, type = 'application/json'): Promise<Response> => {
        const init = { method: 'POST', body, headers: { 'content-type': type, ...who } };
        return gateway().rpc('/cortex.v1.CortexApi/SubmitJob', init);
      };
      await rpc('{"topic":"job.echo"}', headers);
      await rpc('{"topic":"job.echo"}', {});
      await rpc('{"topic":"sys.x"}', headers);
      await rpc('{', headers);
      await rpc('{', headers, 'application/proto');
      // Not counted: health, unknown paths, wrong methods.
      await json(await gateway().request('/health'));
      await gateway().request('/nothing/here', { headers });
      await gateway().request('/api/v1/jobs', { method: 'DELETE', headers });

      const text = await gateway().metrics();
      const count = (method: string, route: string, status: number) =>
        sample(text, requests, { method, route, status: String(status) });
      expect(count('POST', '/api/v1/jobs', 202)).toBe(2);
      expect(count('POST', '/api/v1/jobs', 400)).toBe(1);
      expect(count('POST', '/api/v1/jobs', 401)).toBe(1);
      expect(count('POST', '/api/v1/jobs', 403)).toBe(1);
      expect(count('GET', '/api/v1/jobs/{id}', 200)).toBe(1);
      expect(count('GET', '/api/v1/jobs/{id}', 404)).toBe(2);
      expect(count('GET', '/api/v1/jobs', 200)).toBe(1);
      expect(count('POST', '/api/v1/jobs/{id}/cancel', 200)).toBe(1);
      expect(count('GET', '/api/v1/traces/{id}', 200)).toBe(1);
      expect(count('GET', '/api/v1/workers', 200)).toBe(1);
      expect(count('POST', '/api/v1/repo-review', 400)).toBe(1);
      expect(count('POST', '/cortex.v1.CortexApi/SubmitJob', 200)).toBe(1);
      expect(count('POST', '/cortex.v1.CortexApi/SubmitJob', 401)).toBe(1);
      expect(count('POST', '/cortex.v1.CortexApi/SubmitJob', 400)).toBe(3);
      const samples = text.split('\n').filter((line) => line.startsWith(`${requests}{`));
      expect(samples).toHaveLength(14);
      expect(text).not.toContain('/health');
      expect(text).not.toContain(first.job_id);

      expect(sample(text, `${duration}_count`, { method: 'POST', route: '/api/v1/jobs' })).toBe(5);
      expect(sample(text, `${duration}_count`, { method: 'POST', route: '/cortex.v1.CortexApi/SubmitJob' })).toBe(5);
      expect(sample(text, `${duration}_bucket`, { method: 'POST', route: '/api/v1/jobs', le: '10' })).toBe(5);
      const bounds = Array.from(
        text.matchAll(new RegExp(`^${duration}_bucket\\{le="([^"]+)",method="GET",route="/api/v1/workers"`, 'gm')),
      );
      expect(bounds.map(([, le]) => le)).toEqual([
        ...['0.005', '0.01', '0.025', '0.05', '0.1', '0.25', '0.5', '1', '2.5', '5', '10', '+Inf'],
      ]);
    });
  });
}
