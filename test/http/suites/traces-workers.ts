// GET /api/v1/traces/{id} and GET /api/v1/workers.
import { describe, expect, test } from 'vitest';
import { snapshotKey } from '#core/routing/snapshot.ts';
import { submitted } from '../drive.ts';
import { expectProblem } from '../expect-problem.ts';
import { gatewayFor, type MakeGateway } from '../under-test.ts';

export function testTracesAndWorkers(make: MakeGateway): void {
  describe('GET /api/v1/traces/{id}', () => {
    const gateway = gatewayFor(make);

    test('has the jobs of the trace', async () => {
      const { job_id, trace_id } = await submitted(gateway());
      const response = await gateway().request(`/api/v1/traces/${trace_id}`);
      expect(response.headers.get('content-type')).toMatch(/^application\/json/);
      expect(await response.json()).toEqual([
        expect.objectContaining({ id: job_id, state: 'PENDING', updated_at: expect.any(Number) }),
      ]);
    });

    test.each(['unknown', '%2e%2e%2fx', 'a%20b', 'x'.repeat(200)])('trace %s has none', async (id) => {
      const response = await gateway().request(`/api/v1/traces/${id}`);
      expect(response.status).toBe(200);
      expect(await response.json()).toEqual([]);
    });
  });

  describe('GET /api/v1/workers', () => {
    const gateway = gatewayFor(make);
    const workers = async (): Promise<unknown> => (await gateway().request('/api/v1/workers')).json();

    test('is empty while no scheduler has told of any', async () => {
      expect(await workers()).toEqual([]);
    });

    test("leaves zeros and empty values out, and uses the protocol's names", async () => {
      const busy = {
        ...{ worker_id: 'w-2', region: 'local', type: 'cpu', cpu_load: 12.5, gpu_utilization: 1, active_jobs: 3 },
        ...{ capabilities: ['echo'], pool: 'echo', max_parallel_jobs: 4, labels: { 'cortex.dispatch': 'direct' } },
      };
      const idle = {
        ...{ worker_id: 'w-1', region: '', type: '', cpu_load: 0, gpu_utilization: 0, active_jobs: 0 },
        ...{ capabilities: [], pool: 'echo', max_parallel_jobs: 1, labels: {}, last_seen: 0 },
      };
      const seen = Date.UTC(2026, 0, 2, 3, 4, 5);
      const snapshot = { ts: seen, workers: [{ ...busy, last_seen: seen }, idle] };
      await gateway().redis.set(snapshotKey, JSON.stringify(snapshot));
      expect(await workers()).toEqual([
        { worker_id: 'w-1', pool: 'echo', max_parallel_jobs: 1 },
        { ...busy, last_seen: '2026-01-02T03:04:05.000Z' },
      ]);
    });

    test('a broken snapshot is our fault and says no more', async () => {
      await gateway().redis.set(snapshotKey, '{"workers":"secret"}');
      const problem = await expectProblem(await gateway().request('/api/v1/workers'), 500);
      expect(JSON.stringify(problem)).not.toContain('secret');
    });
  });
}
