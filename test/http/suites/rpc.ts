// cortex.v1.CortexApi over Connect: the original's methods, with key, tenant and role.
import { describe, expect, test } from 'vitest';
import { CortexError, type ErrorCode } from '#core/errors.ts';
import { createRpcClient } from '#core/http/connect.ts';
import { JobPriority } from '#proto/cortex/agent/v1/job_pb.ts';
import { CortexApi } from '#proto/cortex/v1/gateway_pb.ts';
import { finish, json, start, storedPacket, storedPayload } from '../drive.ts';
import { expectProblem } from '../expect-problem.ts';
import { as, keyEntries } from '../keys.ts';
import { type GatewayUnderTest, gatewayFor, type MakeGateway } from '../under-test.ts';

const service = '/cortex.v1.CortexApi';

export function testRpc(make: MakeGateway): void {
  const client = (gateway: GatewayUnderTest, headers: Record<string, string> = {}, binary = true) =>
    createRpcClient(CortexApi, {
      baseUrl: 'http://gateway',
      binary,
      fetch: async (input, init) => {
        const { pathname } = new URL(input instanceof Request ? input.url : input);
        const sent = new Headers(init?.headers);
        for (const [name, value] of Object.entries(headers)) sent.set(name, value);
        return gateway.rpc(pathname, { ...init, headers: sent });
      },
    });
  const refused = async (call: Promise<unknown>, code: ErrorCode, message: string | RegExp): Promise<CortexError> => {
    const error = await call.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(CortexError);
    expect(error).toMatchObject({ code });
    expect((error as CortexError).message).toMatch(message);
    return error as CortexError;
  };

  describe('CortexApi', () => {
    const gateway = gatewayFor(make, { keys: keyEntries });

    test.each([true, false])('submits and tells, binary: %s', async (binary) => {
      const api = client(gateway(), as('submitter'), binary);
      const { jobId, traceId } = await api.submitJob({
        prompt: 'hi',
        topic: 'job.echo',
        adapterId: 'a',
        priority: 'batch',
      });
      const { packet, request } = await storedPacket(gateway(), jobId);
      expect(packet).toMatchObject({ senderId: 'api-gateway', traceId });
      expect(request).toMatchObject({
        ...{ topic: 'job.echo', adapterId: 'a', priority: JobPriority.BATCH, memoryId: `mem:${jobId}` },
        ...{ tenantId: 'default', principalId: 'submitter@default' },
      });
      expect(request.env).toEqual({
        ...{ tenant_id: 'default', memory_id: `mem:${jobId}`, context_mode: 'raw' },
        ...{ max_input_tokens: '8000', max_output_tokens: '1024' },
      });
      expect(await storedPayload(gateway(), jobId)).toEqual({
        ...{ prompt: 'hi', adapter_id: 'a', priority: 'batch', topic: 'job.echo', tenant_id: 'default' },
        created_at: expect.any(String),
      });
      expect(await api.getJobStatus({ jobId })).toMatchObject({ jobId, status: 'PENDING', resultPtr: '' });
      await finish(gateway(), await start(gateway(), jobId), { result: '1' });
      expect(await api.getJobStatus({ jobId })).toMatchObject({
        status: 'SUCCEEDED',
        resultPtr: `redis://res:${jobId}`,
      });
    });

    test.each([
      ['job.chat.simple', 'session', 'chat'],
      ['job.code.llm', 'repo', 'rag'],
      ['job.workflow.repo.code_review', 'repo', 'rag'],
      ['job.workflow.demo', 'mem', 'raw'],
    ])('the memory and mode of %s', async (topic, memory, mode) => {
      const { jobId } = await client(gateway(), as('submitter')).submitJob({ topic });
      const { env } = (await storedPacket(gateway(), jobId)).request;
      expect(env).toMatchObject({ memory_id: `${memory}:${jobId}`, context_mode: mode });
    });

    test('org, team and project reach the worker', async () => {
      const names = { orgId: 'o', teamId: 't', projectId: 'p' };
      const { jobId } = await client(gateway(), as('submitter')).submitJob({ topic: 'job.echo', ...names });
      const { env } = (await storedPacket(gateway(), jobId)).request;
      expect(env).toMatchObject({ org_id: 'o', team_id: 't', project_id: 'p' });
    });

    test.each([
      [{}, 'topic'],
      [{ topic: 'sys.x' }, 'topic'],
      [{ topic: 'job.echo', prompt: 'x'.repeat(100_001) }, 'prompt'],
      [{ topic: 'job.echo', adapterId: 'a\n' }, 'adapterId'],
      [{ topic: 'job.echo', principalId: 'a b' }, 'principalId'],
    ])('%o is refused and names %s', async (message, field) => {
      const error = await refused(
        client(gateway(), as('operator')).submitJob(message),
        'invalid_argument',
        `${field}: `,
      );
      expect(error.field).toBe(field);
    });

    test('an idempotency key works here too', async () => {
      const api = client(gateway(), { ...as('submitter'), 'Idempotency-Key': 'rpc' });
      const first = await api.submitJob({ topic: 'job.echo', prompt: 'a' });
      expect(await api.submitJob({ topic: 'job.echo', prompt: 'a' })).toEqual(first);
      await refused(api.submitJob({ topic: 'job.echo', prompt: 'b' }), 'failed_precondition', 'another body');
    });

    test.each(['nothing', '', 'a b', '018f0000-0000-7000-8000-000000000000'])('job %j is UNKNOWN', async (jobId) => {
      const answer = await client(gateway(), as('viewer')).getJobStatus({ jobId });
      expect(answer).toMatchObject({ jobId, status: 'UNKNOWN', resultPtr: '' });
    });

    test("another tenant's job is UNKNOWN", async () => {
      const { jobId } = await client(gateway(), as('submitter')).submitJob({ topic: 'job.echo' });
      expect((await client(gateway(), as('admin', 'rival')).getJobStatus({ jobId })).status).toBe('UNKNOWN');
      const admin = client(gateway(), { ...as('admin', 'rival'), 'X-Cortex-Tenant': 'default' });
      expect((await admin.getJobStatus({ jobId })).status).toBe('PENDING');
    });

    test('roles hold', async () => {
      await refused(client(gateway(), as('viewer')).submitJob({ topic: 'job.echo' }), 'permission_denied', 'submitter');
      const other = client(gateway(), as('submitter')).submitJob({ topic: 'job.echo', principalId: 'ann' });
      await refused(other, 'permission_denied', 'principal');
    });

    test('no method works without a key', async () => {
      await refused(client(gateway()).submitJob({ topic: 'job.echo' }), 'unauthenticated', 'API key');
      await refused(client(gateway(), { 'X-API-Key': 'x' }).getJobStatus({ jobId: 'a' }), 'unauthenticated', 'API key');
    });

    /** Bytes that are neither JSON nor protobuf, sent as they are. */
    const junk = async (headers: Record<string, string>, bytes: number, type = 'application/proto') => {
      const body = new Uint8Array(bytes).fill(0xff);
      const init = {
        method: 'POST',
        body,
        headers: { 'content-type': type, ...headers },
      };
      const answer = await gateway().rpc(`${service}/SubmitJob`, init);
      return {
        status: answer.status,
        body: (await answer.json()) as { code: string },
      };
    };

    test.each(['application/proto', 'application/json'])(
      'the key is looked at before the message: %s',
      async (type) => {
        expect(await junk({}, 100_000, type)).toMatchObject({
          status: 401,
          body: { code: 'unauthenticated' },
        });
        expect(await junk(as('viewer'), 100_000, type)).toMatchObject({
          status: 403,
          body: { code: 'permission_denied' },
        });
      },
    );

    test('a message that is none, or too large, is the fault of its sender', async () => {
      expect(await junk(as('submitter'), 100)).toMatchObject({
        status: 400,
        body: { code: 'invalid_argument' },
      });
      const large = await junk(as('submitter'), 512 * 1024 + 1);
      expect(large).toMatchObject({
        status: 429,
        body: { code: 'resource_exhausted' },
      });
    });

    test('the longest prompt fits in any script', async () => {
      const api = client(gateway(), as('submitter'));
      const { jobId } = await api.submitJob({
        topic: 'job.echo',
        prompt: '漢'.repeat(100_000),
      });
      expect(jobId).not.toBe('');
    });

    const doors = (): readonly [string, GatewayUnderTest['rpc']][] => [
      ['rpc', gateway().rpc],
      ['http', (path, init) => gateway().request(path, init)],
    ];

    test.each(['GET', 'PUT', 'DELETE', 'OPTIONS', 'HEAD'])(
      '%s is no call, and a problem at every door',
      async (method) => {
        for (const [door, ask] of doors()) {
          const answer = await ask(`${service}/SubmitJob`, { method, headers: as('admin') });
          expect(answer.headers.get('allow'), door).toBe('POST');
          if (method === 'HEAD') expect(answer.status, door).toBe(405);
          else await expectProblem(answer, 405, { code: 'unimplemented', detail: 'Method Not Allowed' });
        }
      },
    );

    test.each(['text/plain', 'application/x-www-form-urlencoded', 'application/grpc', 'application/problem+json', ''])(
      'a message of type %j is a problem at every door',
      async (type) => {
        for (const [, ask] of doors()) {
          const headers = { ...as('admin'), ...(type !== '' && { 'content-type': type }) };
          // A text would bring a type of its own.
          const body = new TextEncoder().encode('{"topic":"job.echo"}');
          const answer = await ask(`${service}/SubmitJob`, { method: 'POST', body, headers });
          await expectProblem(answer, 415, { code: 'invalid_argument', field: 'Content-Type' });
          expect(answer.headers.get('accept-post')).toBe('application/json, application/proto');
        }
      },
    );

    test('a field that is not there is refused by its name', async () => {
      const init = { method: 'POST', body: '{"topic":"job.echo","promt":"hi"}' };
      const headers = { 'content-type': 'application/json', ...as('submitter') };
      const answer = await gateway().rpc(`${service}/SubmitJob`, { ...init, headers });
      expect(answer.status).toBe(400);
      expect(await json(answer)).toMatchObject({
        code: 'invalid_argument',
        message: expect.stringContaining('"promt"') as string,
      });
    });

    test('an unknown method is not found', async () => {
      const init = { method: 'POST', body: '{}', headers: { 'content-type': 'application/json', ...as('admin') } };
      expect((await gateway().rpc(`${service}/DropEverything`, init)).status).toBe(404);
    });
  });

  describe('CortexApi with a rate limit', () => {
    const gateway = gatewayFor(make, {
      keys: keyEntries,
      rateLimit: { perSecond: 0.01, burst: 2 },
    });

    test('counts for each key, whatever tenants it acts for', async () => {
      for (const tenant of ['a', 'b'])
        await client(gateway(), {
          ...as('admin'),
          'X-Cortex-Tenant': tenant,
        }).getJobStatus({ jobId: 'x' });
      const again = client(gateway(), {
        ...as('admin'),
        'X-Cortex-Tenant': 'c',
      }).getJobStatus({ jobId: 'x' });
      await refused(again, 'resource_exhausted', 'rate limited');
      expect((await client(gateway(), as('viewer')).getJobStatus({ jobId: 'x' })).status).toBe('UNKNOWN');
    });
  });

  describe('CortexApi without a key', () => {
    const gateway = gatewayFor(make);

    test('serves this machine', async () => {
      expect((await client(gateway()).getJobStatus({ jobId: 'a' })).status).toBe('UNKNOWN');
    });

    test('and no page from elsewhere', async () => {
      const api = client(gateway(), { Origin: 'https://evil.example' });
      await refused(api.submitJob({ topic: 'job.echo' }), 'permission_denied', 'web page');
    });
  });
}
