// GET /health: open, honest about what an accepted job rests on, and never counted.
import { describe, expect, test } from 'vitest';
import { json } from '../drive.ts';
import { gatewayFor, type MakeGateway } from '../under-test.ts';

export function testHealth(make: MakeGateway): void {
  describe('GET /health', () => {
    const gateway = gatewayFor(make, { apiKey: 'a-key' });

    test('needs no key and names the durability class of Redis', async () => {
      const response = await gateway().request('/health');
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toMatch(/^application\/json/);
      expect(await json(response)).toMatchObject({ redis: { ok: true, durability: 'none' } });
    });

    test('answers HEAD without a body', async () => {
      const response = await gateway().request('/health', { method: 'HEAD' });
      expect(response.status).toBe(200);
      expect(await response.text()).toBe('');
    });

    test('carries the id of the request and says no more than its type', async () => {
      const response = await gateway().request('/health', { headers: { 'X-Request-Id': 'probe-7' } });
      expect(response.headers.get('x-request-id')).toBe('probe-7');
      expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    });
  });
}
