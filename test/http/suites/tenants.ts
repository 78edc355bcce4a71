// Another tenant's ids, on every route: not found, not shown, not touched.
import { beforeAll, describe, expect, test } from 'vitest';
import { snapshotKey } from '#core/routing/snapshot.ts';
import { finish, json, start, submitted } from '../drive.ts';
import { expectProblem } from '../expect-problem.ts';
import { as, keyEntries } from '../keys.ts';
import { everyRoute } from '../routes-of.ts';
import { gatewayFor, type GatewayUnderTest, type MakeGateway } from '../under-test.ts';

interface Victim {
  readonly job_id: string;
  readonly trace_id: string;
}

type Attempt = (gateway: GatewayUnderTest, victim: Victim, headers: Record<string, string>) => Promise<unknown>;

/** The victim's uploads, both whole. */
const secretArchive = 'd'.repeat(64);

/** Per route what the other tenant sees when it uses the victim's ids. A route without a row fails the test. */
const attempts: Readonly<Record<string, Attempt>> = {
  'GET /health': async (gateway, _victim, headers) => {
    // The same to everybody, and of the plane alone: no name, no count, nothing that somebody's jobs could change.
    const { uptime_s: _, ...body } = await json(await gateway.request('/health', { headers }));
    const { uptime_s: __, ...toNobody } = await json(await gateway.request('/health'));
    expect(body).toEqual(toNobody);
    const known = ['status', 'service', 'redis', 'nats', 'safety', 'api_keys'];
    expect(Object.keys(body).filter((key) => !known.includes(key))).toEqual([]);
  },
  'GET /api/v1/workers': async (gateway, victim, headers) => {
    // Whatever a scheduler may note about a worker, what it works on is nobody's business.
    const worker = { worker_id: 'w', pool: 'p', current_job: victim.job_id, jobs: [{ id: victim.job_id }] };
    await gateway.redis.set(snapshotKey, JSON.stringify({ ts: Date.now(), workers: [worker] }));
    const answer = await (await gateway.request('/api/v1/workers', { headers })).json();
    expect(answer).toEqual([{ worker_id: 'w', pool: 'p' }]);
  },
  'GET /api/v1/jobs': async (gateway, victim, headers) => {
    for (const query of ['', '?limit=200', `?trace_id=${victim.trace_id}`, '?state=SUCCEEDED', '?topic=job.secret']) {
      const text = await (await gateway.request(`/api/v1/jobs${query}`, { headers })).text();
      expect(text).not.toContain(victim.job_id);
      expect(text).not.toContain('job.secret');
    }
    const cursor = encodeURIComponent(`9999999999999:${victim.job_id}`);
    expect(await (await gateway.request(`/api/v1/jobs?cursor=${cursor}`, { headers })).text()).not.toContain(
      victim.job_id,
    );
  },
  'GET /api/v1/jobs/{id}': async (gateway, { job_id }, headers) => {
    await expectProblem(await gateway.request(`/api/v1/jobs/${job_id}`, { headers }), 404, { detail: 'job not found' });
    await expectProblem(await gateway.request(`/api/v1/jobs/${job_id}?wait=5`, { headers }), 404);
  },
  'POST /api/v1/jobs/{id}/cancel': async (gateway, { job_id }, headers) => {
    const response = await gateway.request(`/api/v1/jobs/${job_id}/cancel`, { method: 'POST', headers });
    await expectProblem(response, 404, { detail: 'job not found' });
  },
  'GET /api/v1/workflows/{id}': async (gateway, { job_id }, headers) => {
    await expectProblem(await gateway.request(`/api/v1/workflows/${job_id}`, { headers }), 404, {
      detail: 'job not found',
    });
  },
  'POST /api/v1/workflows/{id}/signals/{name}': async (gateway, { job_id }, headers) => {
    const path = `/api/v1/workflows/${job_id}/signals/stop`;
    await expectProblem(await gateway.request(path, { method: 'POST', body: '1', headers }), 404);
    expect(await gateway.journal.counts([{ id: job_id, tenant: 'default' }])).toEqual([0]);
  },
  'POST /api/v1/workflows/{id}/rerun': async (gateway, { job_id }, headers) => {
    const path = `/api/v1/workflows/${job_id}/rerun`;
    await expectProblem(await gateway.request(path, { method: 'POST', body: '{}', headers }), 404);
  },
  'POST /api/v1/jobs': async (gateway, victim, headers) => {
    // The victim's own idempotency key and body, and its ids wherever a body takes one.
    const init = {
      method: 'POST',
      body: '{"topic":"job.secret"}',
      headers: { ...headers, 'Idempotency-Key': 'victim' },
    };
    const mine = await json(await gateway.request('/api/v1/jobs', init));
    expect(mine['job_id']).not.toBe(victim.job_id);
    const ids = { job_id: victim.job_id, trace_id: victim.trace_id, parent_job_id: victim.job_id, id: victim.job_id };
    const other = await submitted(gateway, { ...ids, context_ptr: `redis://ctx:${victim.job_id}` }, headers);
    expect(other.job_id).not.toBe(victim.job_id);
    expect(other.trace_id).not.toBe(victim.trace_id);
  },
  'POST /api/v1/repo-review': async (gateway, victim, headers) => {
    const body = JSON.stringify({ local_path: '/x', job_id: victim.job_id, trace_id: victim.trace_id });
    const made = await json(await gateway.request('/api/v1/repo-review', { method: 'POST', body, headers }));
    expect(Object.values(made)).not.toContain(victim.job_id);
    expect(Object.values(made)).not.toContain(victim.trace_id);
  },
  'POST /api/v1/archives': async (gateway, _victim, headers) => {
    const body = JSON.stringify({ sha256: secretArchive, bytes: 5 });
    const made = await json(await gateway.request('/api/v1/archives', { method: 'POST', body, headers }));
    expect(made).toMatchObject({ archive_ptr: `redis://archive:rival:${secretArchive}`, missing: [0] });
  },
  'POST /api/v1/archives/{sha256}/parts/{part}': async (gateway, _victim, headers) => {
    const path = `/api/v1/archives/${'e'.repeat(64)}/parts/0`;
    const response = await gateway.request(path, { method: 'POST', body: '12345', headers });
    await expectProblem(response, 404, { field: 'sha256' });
    for (const archive_ptr of [`redis://archive:default:${secretArchive}`, `redis://archive:rival:${'e'.repeat(64)}`]) {
      const body = JSON.stringify({ archive_ptr });
      const review = await gateway.request('/api/v1/repo-review', { method: 'POST', body, headers });
      await expectProblem(review, 404, { field: 'archive_ptr', detail: 'no such archive' });
    }
  },
  'GET /api/v1/traces/{id}': async (gateway, { trace_id }, headers) => {
    expect(await (await gateway.request(`/api/v1/traces/${trace_id}`, { headers })).json()).toEqual([]);
  },
  'GET /api/v1/jobs/{id}/recording': async (gateway, { job_id }, headers) => {
    const response = await gateway.request(`/api/v1/jobs/${job_id}/recording`, { headers });
    await expectProblem(response, 404, { detail: 'job not found' });
  },
  'GET /api/v1/usage': async (gateway, _victim, headers) => {
    for (const query of ['', '?model=secret-model']) {
      const answer = await json(await gateway.request(`/api/v1/usage${query}`, { headers }));
      expect(answer).toMatchObject({ items: [], totals: { requests: 0, input_tokens: 0, cost: null } });
    }
    await expectProblem(await gateway.request('/api/v1/usage?tenant=default', { headers }), 400, { field: 'tenant' });
  },
  'GET /api/v1/jobs/{id}/events': async (gateway, { job_id }, headers) => {
    for (const query of ['', '?cursor=0', '?cursor=', '?cursor=1-1']) {
      const response = await gateway.request(`/api/v1/jobs/${job_id}/events${query}`, { headers });
      await expectProblem(response, 404, { detail: 'job not found' });
    }
  },
  'GET /api/v1/stream': async (gateway, victim, headers) => {
    const mine = await gateway.store.standing('rival', []);
    const theirs = await gateway.store.standing('default', []);
    for (const cursor of ['0', '', mine.at, theirs.at]) {
      const { socket } = await gateway.socket(`/api/v1/stream?cursor=${cursor}`, headers);
      await socket?.first(1);
      expect(socket?.frames.join()).not.toContain(victim.job_id);
      expect(socket?.frames.join()).not.toContain(victim.trace_id);
      socket?.close();
    }
  },
  'POST /api/v1/stream-tickets': async (gateway, { job_id }, headers) => {
    const response = await gateway.request('/api/v1/stream-tickets', { method: 'POST', headers });
    const { ticket } = await json(response);
    await expectProblem(await gateway.request(`/api/v1/jobs/${job_id}/events?ticket=${String(ticket)}`), 404);
  },
};

export function testTenants(make: MakeGateway): void {
  describe('another tenant', () => {
    const gateway = gatewayFor(make, { keys: keyEntries });
    let running: Victim;
    let ended: Victim;

    test('has a row for every route', () => {
      expect(Object.keys(attempts).sort()).toEqual([...everyRoute()].sort());
    });

    beforeAll(async () => {
      const secret = { topic: 'job.secret' };
      running = await submitted(gateway(), secret, { ...as('submitter'), 'Idempotency-Key': 'victim' });
      await start(gateway(), running.job_id);
      for (const sha256 of [secretArchive, 'e'.repeat(64)]) {
        const init = { method: 'POST', headers: as('submitter') };
        await gateway().request('/api/v1/archives', { ...init, body: JSON.stringify({ sha256, bytes: 5 }) });
        await gateway().request(`/api/v1/archives/${sha256}/parts/0`, { ...init, body: '12345' });
      }
      const asked = { number: 1, model: 'secret-model', usage: { inputTokens: 5, outputTokens: 5 }, cost: 7 };
      await gateway().store.meter([{ id: running.job_id, tenant: 'default', attempt: 'a', ...asked }]);
      ended = await submitted(gateway(), secret, as('submitter'));
      await finish(gateway(), await start(gateway(), ended.job_id), { result: '"secret"' });
    });

    describe.each(Object.keys(attempts))('%s', (route) => {
      test.each(['viewer', 'submitter', 'operator', 'admin'] as const)('as its %s', async (role) => {
        if (role === 'viewer' && route.startsWith('POST')) return;
        for (const victim of [running, ended]) await attempts[route]?.(gateway(), victim, as(role, 'rival'));
      });
    });

    test('has changed nothing', async () => {
      expect(await gateway().store.view(running.job_id, 'default')).toMatchObject({ state: 'RUNNING', attempts: 1 });
      expect(await gateway().store.view(ended.job_id, 'default')).toMatchObject({ state: 'SUCCEEDED' });
      const trace = await gateway().request(`/api/v1/traces/${running.trace_id}`, { headers: as('viewer') });
      expect(await trace.json()).toHaveLength(1);
    });

    test('hears nothing of it while it waits for its own', async () => {
      const mine = await submitted(gateway(), {}, as('submitter', 'rival'));
      const answer = gateway().request(`/api/v1/jobs/${mine.job_id}?wait=1`, { headers: as('viewer', 'rival') });
      expect(await json(await answer)).toMatchObject({ id: mine.job_id, tenant: 'rival', state: 'PENDING' });
    });
  });
}
