// Clients that have only the original's .proto files, by gRPC: its gateway's methods, its context engine's, and the safety kernel
// under its three names. What is new on our side must not disturb them.
import { fileURLToPath } from 'node:url';
import { credentials, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectGrpc } from '../helpers/grpc.ts';
import { startNats, startRedis, type TestServer } from '../helpers/servers.ts';
import { type ServiceProcess, startService } from '../helpers/service-process.ts';

const protos = fileURLToPath(new URL('./fixtures/original', import.meta.url));
const connect = (url: string, gzip = false) => connectGrpc(url, credentials.createInsecure(), { protos, gzip });
type Connection = ReturnType<typeof connect>;

const anyText = expect.stringMatching(/./) as string;
const year = 365 * 24 * 3_600_000;

describe("the original's gateway client", () => {
  const key = { 'x-api-key': 'of-the-original' };
  let servers: TestServer[];
  let gateway: ServiceProcess;
  let grpc: Connection;
  beforeAll(async () => {
    const [nats, redis] = await Promise.all([startNats(), startRedis()]);
    servers = [nats, redis];
    gateway = await startService(
      'functions/gateway/node.ts',
      {
        ...{ NATS_URL: nats.url, REDIS_URL: redis.url, API_KEY: key['x-api-key'] },
        ...{ GATEWAY_HTTP_ADDR: '127.0.0.1:0', GATEWAY_RPC_ADDR: '127.0.0.1:0' },
      },
      ['http', 'rpc', 'metrics'],
    );
    grpc = connect(gateway.urls['rpc'] as string);
  });
  afterAll(async () => {
    grpc.close();
    expect(await gateway.stop()).toBe(0);
    await Promise.all(servers.map((server) => server.stop()));
  });

  const submit = (over = grpc) => over.method('gateway.proto', 'cortex.v1.CortexApi', 'SubmitJob');
  const look = (over = grpc) => over.method('gateway.proto', 'cortex.v1.CortexApi', 'GetJobStatus');
  const job = { prompt: 'hi', topic: 'job.echo', adapter_id: 'a', priority: 'batch' };

  test('submits and asks, with the key in either header', async () => {
    const made = await submit()(job, key);
    expect(made).toEqual({ code: 0, message: { job_id: anyText, trace_id: anyText } });
    const { job_id } = made.message as { job_id: string };
    for (const headers of [key, { authorization: `Bearer ${key['x-api-key']}` }]) {
      expect(await look()({ job_id }, headers)).toEqual({
        code: 0,
        message: { job_id, status: 'PENDING' },
      });
    }
    expect((await look()({ job_id: 'nothing' }, key)).message).toMatchObject({ status: 'UNKNOWN' });
  });

  test('acts for the tenant that it names', async () => {
    const made = await submit()(job, { ...key, 'x-cortex-tenant': 'acme' });
    const { job_id } = made.message as { job_id: string };
    expect((await look()({ job_id }, key)).message).toMatchObject({ status: 'UNKNOWN' });
    expect((await look()({ job_id }, { ...key, 'x-cortex-tenant': 'acme' })).message).toMatchObject({
      status: 'PENDING',
    });
    expect((await submit()(job, { ...key, 'x-cortex-tenant': 'a b' })).code).toBe(status.INVALID_ARGUMENT);
  });

  test('gets the status codes of gRPC, and the field that is wrong', async () => {
    expect((await submit()(job)).code).toBe(status.UNAUTHENTICATED);
    expect((await submit()(job, { 'x-api-key': 'another' })).code).toBe(status.UNAUTHENTICATED);
    const wrong = await submit()({ ...job, topic: 'sys.x' }, key);
    expect(wrong).toMatchObject({ code: status.INVALID_ARGUMENT, metadata: { 'cortex-field': 'topic' } });
    const repeated = { ...key, 'idempotency-key': 'one' };
    const first = await submit()(job, repeated);
    expect(await submit()(job, repeated)).toEqual(first);
    expect((await submit()({ ...job, prompt: 'another' }, repeated)).code).toBe(status.FAILED_PRECONDITION);
    expect((await submit()({ ...job, prompt: 'x'.repeat(600_000) }, key)).code).toBe(status.RESOURCE_EXHAUSTED);
  });

  test('may wait as long as it likes, or not at all', async () => {
    expect((await submit()(job, key, year)).code).toBe(0);
    // grpc-js writes the header for its own deadline; this one is over on arrival, and the client would wait.
    const late = await fetch(`${gateway.urls['rpc']}/cortex.v1.CortexApi/SubmitJob`, {
      method: 'POST',
      body: JSON.stringify(job),
      headers: { ...key, 'content-type': 'application/json', 'connect-timeout-ms': '0' },
    });
    expect([late.status, await late.json()]).toMatchObject([504, { code: 'deadline_exceeded' }]);
  });

  test('may send its messages in gzip', async () => {
    const zipping = connect(gateway.urls['rpc'] as string, true);
    try {
      const made = await submit(zipping)({ ...job, prompt: 'hi '.repeat(10_000) }, key);
      expect(made).toMatchObject({ code: 0 });
      // The limit is on what a message unfolds to.
      const bomb = await submit(zipping)({ ...job, prompt: 'x'.repeat(20_000_000) }, key);
      expect(bomb.code).toBe(status.RESOURCE_EXHAUSTED);
    } finally {
      zipping.close();
    }
  });

  test.each(['BuildWindow', 'UpdateMemory', 'IngestRepo'])(
    'ContextEngine.%s is not served by the gateway',
    async (method) => {
      const call = grpc.method('context.proto', 'cortex.v1.ContextEngine', method);
      const { code, details = '' } = await call({ memory_id: 'm' }, key);
      expect([code, decodeURIComponent(details)]).toEqual([
        status.UNIMPLEMENTED,
        `cortex.v1.ContextEngine/${method} is not served here`,
      ]);
      const web = await fetch(`${gateway.urls['rpc']}/cortex.v1.ContextEngine/${method}`, {
        method: 'POST',
        body: '{"memoryId":"m"}',
        headers: { ...key, 'content-type': 'application/json' },
      });
      expect([web.status, await web.json()]).toEqual([
        404,
        { code: 'unimplemented', message: `cortex.v1.ContextEngine/${method} is not served here` },
      ]);
    },
  );
});

describe("the original's client of the context engine", () => {
  let redis: TestServer;
  let engine: ServiceProcess;
  let grpc: Connection;
  beforeAll(async () => {
    redis = await startRedis();
    const env = { REDIS_URL: redis.url, CONTEXT_ENGINE_ADDR: '127.0.0.1:0' };
    engine = await startService('services/context-engine/node.ts', env, ['rpc', 'metrics']);
    grpc = connect(engine.urls['rpc'] as string);
  });
  afterAll(async () => {
    grpc.close();
    expect(await engine.stop()).toBe(0);
    await redis.stop();
  });
  const call = (method: string, message: object) =>
    grpc.method('context.proto', 'cortex.v1.ContextEngine', method)(message);
  const payload = (prompt: string): Buffer => Buffer.from(JSON.stringify({ prompt }));

  test('builds a window over what it told before, in the order of the original', async () => {
    const told = { memory_id: 'm1', mode: 'CONTEXT_MODE_CHAT', model_response: Buffer.from(' Hello Ann. ') };
    expect(await call('UpdateMemory', { ...told, logical_payload: payload('I am Ann') })).toEqual({
      code: 0,
      message: {},
    });
    const asked = { memory_id: 'm1', mode: 'CONTEXT_MODE_CHAT', model: 'chat', logical_payload: payload('Who am I?') };
    expect(await call('BuildWindow', asked)).toEqual({
      code: 0,
      message: {
        messages: [
          { role: 'user', content: 'I am Ann' },
          { role: 'assistant', content: 'Hello Ann.' },
          { role: 'user', content: 'Who am I?' },
        ],
        input_tokens: expect.any(Number) as number,
        output_tokens: 1024,
      },
    });
    const raw = await call('BuildWindow', { ...asked, mode: 'CONTEXT_MODE_UNSPECIFIED', max_output_tokens: 7 });
    expect(raw.message).toMatchObject({ messages: [{ role: 'user', content: 'Who am I?' }], output_tokens: 7 });
  });

  test('a scan without files and an empty memory do nothing; what is wrong is one status with its field', async () => {
    expect(
      await call('IngestRepo', { memory_id: 'm1', repo_root: '/r', scan_result: Buffer.from('{"files":null}') }),
    ).toEqual({ code: 0, message: {} });
    expect(
      await call('UpdateMemory', { memory_id: '', mode: 'CONTEXT_MODE_CHAT', logical_payload: payload('x') }),
    ).toEqual({
      code: 0,
      message: {},
    });
    const { code, details } = await call('IngestRepo', { repo_root: '/r', scan_result: Buffer.from('{') });
    expect([code, decodeURIComponent(details ?? '')]).toEqual([status.INVALID_ARGUMENT, 'scan_result: is not JSON']);
    const tight = await call('BuildWindow', { logical_payload: payload('a long question'), max_input_tokens: 3 });
    expect(tight.code).toBe(status.OUT_OF_RANGE);
  });
});

describe('clients of the safety kernel, old and newer than ours', () => {
  let kernel: ServiceProcess;
  let grpc: Connection;
  beforeAll(async () => {
    const env = { SAFETY_KERNEL_ADDR: '127.0.0.1:0' };
    kernel = await startService('functions/safety/node.ts', env, ['rpc', 'metrics']);
    grpc = connect(kernel.urls['rpc'] as string);
  });
  afterAll(async () => {
    grpc.close();
    expect(await kernel.stop()).toBe(0);
  });

  const method = (name: string, of = 'Check') =>
    grpc.method(`safety-${name}.proto`, `${name}.agent.v1.SafetyKernel`, of);

  test.each([
    ['cortex', {}, {}],
    ['coretex', { budget: { deadline_ms: '1000' }, labels: { a: 'b' }, effective_config: Buffer.from('{}') }, {}],
    [
      'cordum',
      { meta: { actor_id: 'ann', actor_type: 'ACTOR_TYPE_HUMAN', risk_tags: ['x'] }, of_tomorrow: 'unknown to us' },
      { rule_id: 'tenants.default.allow_topics[0]', policy_snapshot: anyText },
    ],
  ])('%s asks and understands', async (name, more, told) => {
    const question = { job_id: 'j', tenant: 'default', ...more };
    // Zeros are left out; what a client has no name for does not reach it.
    expect(await method(name)({ ...question, topic: 'job.x' })).toEqual({
      code: 0,
      message: { decision: 'DECISION_TYPE_ALLOW', ...told },
    });
    expect((await method(name)({ ...question, topic: 'sys.destroy' })).message).toMatchObject({
      decision: 'DECISION_TYPE_DENY',
      reason: 'topic denied by policy',
    });
  });

  test.each(['cortex', 'coretex', 'cordum'])('plain JSON as %s', async (name) => {
    const answer = await fetch(`${kernel.urls['rpc']}/${name}.agent.v1.SafetyKernel/Check`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ job_id: 'j', topic: 'job.x', tenant: 'default' }),
    });
    expect(await answer.json()).toMatchObject({ decision: 'DECISION_TYPE_ALLOW' });
  });

  test.each(['Evaluate', 'Explain', 'Simulate', 'ListSnapshots'])('%s is not there', async (name) => {
    const { code, details = '' } = await method('cordum', name)({ topic: 'job.x' });
    expect([code, decodeURIComponent(details)]).toEqual([
      status.UNIMPLEMENTED,
      `cordum.agent.v1.SafetyKernel/${name} is not served here`,
    ]);
  });
});
