// Who gets in: API_KEY, keys of the file with their roles, and without any key this machine alone.
import { describe, expect, test } from 'vitest';
import { type Role, roles } from '#core/http/api-keys.ts';
import { json, storedPacket, submitted } from '../drive.ts';
import { expectProblem } from '../expect-problem.ts';
import { as, keyEntries } from '../keys.ts';
import { everyRoute } from '../routes-of.ts';
import { gatewayFor, type MakeGateway } from '../under-test.ts';

/** What each route answers to a caller who may call it, and the least role for that. */
const matrix: Readonly<
  Record<string, { readonly least: Role | undefined; readonly body?: string; readonly status: number }>
> = {
  'GET /health': { least: undefined, status: 200 },
  'GET /api/v1/workers': { least: 'viewer', status: 200 },
  'GET /api/v1/jobs': { least: 'viewer', status: 200 },
  'GET /api/v1/jobs/{id}': { least: 'viewer', status: 404 },
  'POST /api/v1/jobs/{id}/cancel': { least: 'submitter', status: 404 },
  'POST /api/v1/jobs': { least: 'submitter', body: '{}', status: 202 },
  'POST /api/v1/repo-review': { least: 'submitter', body: '{"local_path":"/x"}', status: 202 },
  'POST /api/v1/archives': {
    ...{ least: 'submitter', status: 200 },
    body: `{"sha256":"${'a'.repeat(64)}","bytes":2}`,
  },
  'POST /api/v1/archives/{sha256}/parts/{part}': { least: 'submitter', body: 'x', status: 400 },
  'GET /api/v1/workflows/{id}': { least: 'viewer', status: 404 },
  'POST /api/v1/workflows/{id}/signals/{name}': { least: 'submitter', body: '{}', status: 404 },
  'POST /api/v1/workflows/{id}/rerun': { least: 'submitter', body: '{}', status: 404 },
  'GET /api/v1/traces/{id}': { least: 'viewer', status: 200 },
  'GET /api/v1/jobs/{id}/recording': { least: 'viewer', status: 404 },
  'GET /api/v1/usage': { least: 'viewer', status: 200 },
  'GET /api/v1/jobs/{id}/events': { least: 'viewer', status: 404 },
  'GET /api/v1/stream': { least: 'viewer', status: 426 },
  'POST /api/v1/stream-tickets': { least: 'viewer', status: 201 },
};
const key = 'the-key-of-the-administrator';

export function testAuth(make: MakeGateway): void {
  const call = (route: string, headers: Record<string, string>): [string, RequestInit] => {
    const [method = '', path = ''] = route.split(' ');
    const { body } = matrix[route] ?? {};
    return [
      path.replace('{id}', 'some-id').replace('{name}', 'go'),
      { method, headers, ...(body === undefined ? {} : { body }) },
    ];
  };

  test('every route has its row', () => {
    expect(Object.keys(matrix).sort()).toEqual([...everyRoute()].sort());
  });

  describe('with API_KEY', () => {
    const gateway = gatewayFor(make, { apiKey: key, tenant: 'acme' });

    test.each(Object.keys(matrix).filter((route) => matrix[route]?.least !== undefined))(
      '%s wants it',
      async (route) => {
        const response = await gateway().request(...call(route, {}));
        expect(response.headers.get('www-authenticate')).toBe('Bearer realm="cortex"');
        await expectProblem(response, 401, { code: 'unauthenticated' });
        const allowed = await gateway().request(...call(route, { 'X-API-Key': key }));
        expect(allowed.status).toBe(matrix[route]?.status);
      },
    );

    test.each([
      ['another key', { 'X-API-Key': 'the-key-of-nobody-in-particular' }],
      ['a part of it', { 'X-API-Key': key.slice(0, -1) }],
      ['more than it', { 'X-API-Key': `${key}x` }],
      ['it in capitals', { 'X-API-Key': key.toUpperCase() }],
      ['nothing', { 'X-API-Key': '' }],
      ['10,000 characters', { 'X-API-Key': 'x'.repeat(10_000) }],
      ['another scheme', { Authorization: `Basic ${key}` }],
      ['an empty bearer', { Authorization: 'Bearer ' }],
      ['a cookie', { Cookie: `api_key=${key}` }],
    ])('%s does not open', async (_, headers) => {
      await expectProblem(await gateway().request('/api/v1/jobs', { headers }), 401, { code: 'unauthenticated' });
    });

    test.each(['api_key', 'apikey', 'key', 'token', 'access_token', 'X-API-Key'])('nor does ?%s=', async (name) => {
      const response = await gateway().request(`/api/v1/jobs?${name}=${key}`);
      expect(JSON.stringify(await expectProblem(response, 401))).not.toContain(key);
    });

    test('a bearer token opens as well', async () => {
      const headers = { Authorization: `Bearer ${key}` };
      expect((await gateway().request('/api/v1/jobs', { headers })).status).toBe(200);
    });

    test('acts for TENANT_ID, as an administrator', async () => {
      const { job_id } = await submitted(gateway(), {}, { 'X-API-Key': key });
      const { request } = await storedPacket(gateway(), job_id);
      expect(request).toMatchObject({ tenantId: 'acme', principalId: 'api-key', env: { tenant_id: 'acme' } });
    });

    test('a page of a browser changes nothing about the key', async () => {
      const headers = { 'X-API-Key': key, Origin: 'https://evil.example' };
      expect((await gateway().request('/api/v1/jobs', { headers })).status).toBe(200);
    });
  });

  describe('with a file of keys', () => {
    const gateway = gatewayFor(make, { keys: keyEntries });

    describe.each(Object.keys(matrix))('%s', (route) => {
      test.each(roles)('as %s', async (role) => {
        const { least, status } = matrix[route] ?? {};
        const response = await gateway().request(...call(route, as(role)));
        if (least !== undefined && roles.indexOf(role) < roles.indexOf(least)) {
          await expectProblem(response, 403, { code: 'permission_denied', detail: `this needs the role ${least}` });
        } else expect(response.status).toBe(status);
      });
    });

    test('the digest in the file is not a key', async () => {
      const headers = { 'X-API-Key': keyEntries[0]?.sha256 ?? '' };
      await expectProblem(await gateway().request('/api/v1/jobs', { headers }), 401);
    });

    test('a submitter cancels its own jobs alone, an operator any', async () => {
      const cancel = (id: string, role: Role): Promise<Response> =>
        gateway().request(`/api/v1/jobs/${id}/cancel`, { method: 'POST', headers: as(role) });
      const own = await submitted(gateway(), {}, as('submitter'));
      const other = await submitted(gateway(), {}, as('operator'));
      expect(await json(await cancel(own.job_id, 'submitter'))).toMatchObject({ state: 'CANCELLED' });
      await expectProblem(await cancel(other.job_id, 'submitter'), 403, { code: 'permission_denied' });
      expect((await gateway().store.view(other.job_id, 'default'))?.state).toBe('PENDING');
      expect(await json(await cancel(other.job_id, 'operator'))).toMatchObject({ state: 'CANCELLED' });
    });

    test('a submitter submits for itself alone, an operator for others', async () => {
      const body = JSON.stringify({ principal_id: 'ann' });
      const post = (role: Role): Promise<Response> =>
        gateway().request('/api/v1/jobs', { method: 'POST', body, headers: as(role) });
      await expectProblem(await post('submitter'), 403, { field: 'principal_id' });
      const { job_id } = await json(await post('operator'));
      expect((await gateway().store.view(String(job_id), 'default'))?.principal).toBe('ann');
    });

    test.each(['submitter', 'operator'] as const)('a %s stays in its tenant', async (role) => {
      const headers = { ...as(role), 'X-Cortex-Tenant': 'rival' };
      await expectProblem(await gateway().request('/api/v1/jobs', { headers }), 403, { field: 'X-Cortex-Tenant' });
      const init = { method: 'POST', body: '{"tenant_id":"rival"}', headers: as(role) };
      await expectProblem(await gateway().request('/api/v1/jobs', init), 403, { field: 'tenant_id' });
      const query = await gateway().request('/api/v1/jobs?tenant=rival', { headers: as(role) });
      await expectProblem(query, 403, { field: 'tenant' });
    });

    test('may name the tenant that it has', async () => {
      const headers = { ...as('submitter'), 'X-Cortex-Tenant': 'default' };
      const init = { method: 'POST', body: '{"tenant_id":"default"}', headers };
      expect((await gateway().request('/api/v1/jobs', init)).status).toBe(202);
    });

    test('an admin acts for another tenant when it says so', async () => {
      const made = await submitted(gateway(), { tenant_id: 'rival' }, as('admin'));
      expect((await gateway().store.view(made.job_id, 'rival'))?.tenant).toBe('rival');
      const path = `/api/v1/jobs/${made.job_id}`;
      await expectProblem(await gateway().request(path, { headers: as('admin') }), 404);
      const headers = { ...as('admin'), 'X-Cortex-Tenant': 'rival' };
      expect(await json(await gateway().request(path, { headers }))).toMatchObject({ tenant: 'rival' });
      expect((await gateway().request('/api/v1/jobs?tenant=rival', { headers: as('admin') })).status).toBe(200);
    });

    test.each(['a b', '*', '..', ''])('tenant %j is no tenant', async (tenant) => {
      const headers = { ...as('admin'), 'X-Cortex-Tenant': tenant };
      await expectProblem(await gateway().request('/api/v1/jobs', { headers }), 400, { field: 'X-Cortex-Tenant' });
    });
  });

  describe('with an empty file of keys', () => {
    const gateway = gatewayFor(make, { keys: [] });

    test('nobody gets in, not even from this machine', async () => {
      await expectProblem(await gateway().request('/api/v1/jobs'), 401);
    });
  });

  describe('with both', () => {
    const gateway = gatewayFor(make, { keys: keyEntries, apiKey: key });

    test('either opens', async () => {
      expect((await gateway().request('/api/v1/jobs', { headers: { 'X-API-Key': key } })).status).toBe(200);
      expect((await gateway().request('/api/v1/jobs', { headers: as('viewer') })).status).toBe(200);
    });
  });

  describe('without a key', () => {
    const gateway = gatewayFor(make);

    test.each(['localhost', 'localhost:8081', '127.0.0.1:8081', '[::1]:8081', '127.8.9.10'])(
      'Host %s is served',
      async (Host) => {
        expect((await gateway().request('/api/v1/jobs', { headers: { Host } })).status).toBe(200);
      },
    );

    test.each([
      ...['evil.example', 'evil.example:8081', 'localhost.evil.example', '127.0.0.1.evil.example', '10.0.0.1', '[::2]'],
      ...['0.0.0.0:8081', 'xlocalhost'],
    ])('Host %s is not: a name can be made to point here', async (Host) => {
      const response = await gateway().request('/api/v1/jobs', { headers: { Host } });
      await expectProblem(response, 403, { code: 'permission_denied', field: 'Host', detail: 'Host' });
    });

    test.each(['https://evil.example', 'null', 'http://127.0.0.1.evil.example', 'file://'])(
      'a page of %s is not served',
      async (Origin) => {
        const init = { method: 'POST', body: '{}', headers: { Origin, 'content-type': 'text/plain' } };
        await expectProblem(await gateway().request('/api/v1/jobs', init), 403, {
          field: 'Origin',
          detail: 'web page',
        });
      },
    );

    test.each(['http://localhost:3000', 'http://127.0.0.1', 'http://[::1]:5173'])('a page of %s is', async (Origin) => {
      expect((await gateway().request('/api/v1/jobs', { headers: { Origin } })).status).toBe(200);
    });

    test('a key that comes along is not looked at', async () => {
      expect((await gateway().request('/api/v1/jobs', { headers: { 'X-API-Key': 'any' } })).status).toBe(200);
    });
  });

  describe('with a rate limit', () => {
    const gateway = gatewayFor(make, { keys: keyEntries, rateLimit: { perSecond: 0.01, burst: 3 } });

    test('each key has its own bucket, and says when to come back', async () => {
      const get = (role: Role): Promise<Response> => gateway().request('/api/v1/workers', { headers: as(role) });
      for (let i = 0; i < 3; i++) expect((await get('viewer')).status).toBe(200);
      const refused = await get('viewer');
      await expectProblem(refused, 429, { code: 'resource_exhausted', detail: 'rate limited' });
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(50);
      expect((await get('operator')).status).toBe(200);
      expect((await gateway().request('/health')).status).toBe(200);
    });

    test('an admin has one bucket for all the tenants that it acts for', async () => {
      const get = (tenant: string): Promise<Response> =>
        gateway().request('/api/v1/workers', {
          headers: { ...as('admin'), 'X-Cortex-Tenant': tenant },
        });
      for (const tenant of ['a', 'b', 'c']) expect((await get(tenant)).status).toBe(200);
      await expectProblem(await get('d'), 429, { code: 'resource_exhausted' });
    });
  });
}
