// The gateway as a process, where a suite for every runtime cannot go: gRPC and TLS, servers that go away, its start and its end.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createClient } from '@connectrpc/connect';
import { createGrpcTransport, createConnectTransport as nodeTransport } from '@connectrpc/connect-node';
import * as grpc from '@grpc/grpc-js';
import * as loader from '@grpc/proto-loader';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { formatApiKey, generateApiKey } from '#core/http/api-keys.ts';
import { CortexApi } from '#proto/cortex/v1/gateway_pb.ts';
import { startNats, startRedis, type TestServer } from '../helpers/servers.ts';
import { type ServiceProcess, startService } from '../helpers/service-process.ts';
import { until } from '../helpers/until.ts';
import { expectProblem } from './expect-problem.ts';

const fixture = (name: string): string => fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));
const entry = 'functions/gateway/node.ts';
const names = ['http', 'rpc', 'metrics'];

let nats: TestServer;
let redis: TestServer;
let folder: string;
let gateway: ServiceProcess | undefined;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cortex-gateway-'));
  [nats, redis] = await Promise.all([startNats(), startRedis()]);
});
afterEach(async () => {
  await gateway?.kill();
  gateway = undefined;
});
afterAll(async () => {
  await Promise.all([nats.stop(), redis.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

const anywhere = { GATEWAY_HTTP_ADDR: '127.0.0.1:0', GATEWAY_RPC_ADDR: '127.0.0.1:0' };

async function start(env: Record<string, string> = {}): Promise<ServiceProcess> {
  gateway = await startService(entry, { NATS_URL: nats.url, REDIS_URL: redis.url, ...anywhere, ...env }, names);
  return gateway;
}

function submit({ urls }: ServiceProcess, query = '', init: RequestInit = {}): Promise<Response> {
  return fetch(`${urls['http']}/api/v1/jobs${query}`, { method: 'POST', body: '{"topic":"job.echo"}', ...init });
}

const definition = loader.loadSync('cortex/v1/gateway.proto', {
  includeDirs: [fileURLToPath(new URL('../../proto', import.meta.url))],
  keepCase: true,
  defaults: true,
});

interface Answer {
  readonly code: number;
  readonly message: Record<string, string>;
}

/** Bytes in place of a message to SubmitJob. */
function raw(url: string, bytes: Buffer, headers: Record<string, string>): Promise<Answer> {
  return callWith(url, 'SubmitJob', () => bytes, {}, headers, grpc.credentials.createInsecure());
}

/** One call by the independent gRPC client. */
function call(
  url: string,
  method: 'SubmitJob' | 'GetJobStatus',
  request: object,
  headers: Record<string, string> = {},
  credentials = grpc.credentials.createInsecure(),
): Promise<Answer> {
  return callWith(url, method, definitionOf(method).requestSerialize, request, headers, credentials);
}

function definitionOf(method: string) {
  const service = (definition['cortex.v1.CortexApi'] as grpc.ServiceDefinition)[method];
  if (service === undefined) throw new Error(`no method ${method}`);
  return service;
}

function callWith(
  url: string,
  method: string,
  serialize: (request: object) => Buffer,
  request: object,
  headers: Record<string, string>,
  credentials: grpc.ChannelCredentials,
): Promise<Answer> {
  const client = new grpc.Client(new URL(url).host, credentials);
  const metadata = new grpc.Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  return new Promise((resolve) => {
    const { path, responseDeserialize } = definitionOf(method);
    const deadline = Date.now() + 5_000;
    const done = (error: grpc.ServiceError | null, message?: unknown): void => {
      client.close();
      resolve({ code: error?.code ?? 0, message: (message ?? { details: error?.details ?? '' }) as Answer['message'] });
    };
    client.makeUnaryRequest(path, serialize, responseDeserialize, request, metadata, { deadline }, done);
  });
}

describe('gRPC', () => {
  test('grpc-js and connect-node submit and ask, with the key in a header', async () => {
    const { urls } = await start({ API_KEY: 'grpc-key' });
    const rpc = urls['rpc'] ?? '';
    const key = { 'x-api-key': 'grpc-key' };
    const made = await call(rpc, 'SubmitJob', { topic: 'job.echo', prompt: 'hi' }, key);
    expect(made).toMatchObject({ code: grpc.status.OK, message: { job_id: expect.any(String) } });
    const { job_id } = made.message;
    const status = await call(rpc, 'GetJobStatus', { job_id }, key);
    expect(status).toEqual({ code: 0, message: { job_id, status: 'PENDING', result_ptr: '' } });
    const unknown = await call(rpc, 'GetJobStatus', { job_id: 'x' }, { authorization: 'Bearer grpc-key' });
    expect(unknown.message['status']).toBe('UNKNOWN');

    expect(await call(rpc, 'SubmitJob', { topic: 'job.echo' })).toMatchObject({ code: grpc.status.UNAUTHENTICATED });
    const wrong = await call(rpc, 'SubmitJob', { topic: 'sys.x' }, key);
    expect(wrong.code).toBe(grpc.status.INVALID_ARGUMENT);
    // grpc-js leaves reserved characters of the sentence percent-encoded.
    expect(decodeURIComponent(wrong.message['details'] ?? '')).toContain('topic: ');

    // The key comes before the message: what cannot be parsed, or is too large, is not looked at without one.
    const junk = (bytes: number, given: Record<string, string>) => raw(rpc, Buffer.alloc(bytes, 0xff), given);
    expect((await junk(4 * 1024 * 1024, {})).code).toBe(grpc.status.UNAUTHENTICATED);
    expect((await junk(100, key)).code).toBe(grpc.status.INVALID_ARGUMENT);
    expect((await junk(600_000, key)).code).toBe(grpc.status.RESOURCE_EXHAUSTED);
    const counted = await (await fetch(`${urls['metrics']}/metrics`)).text();
    for (const [status, n] of [
      [200, 1],
      [400, 2],
      [401, 2],
      [429, 1],
    ]) {
      const labels = `{method="POST",route="/cortex.v1.CortexApi/SubmitJob",status="${status}"}`;
      expect(counted).toContain(`cortex_api_gateway_http_requests_total${labels} ${n}`);
    }

    const headers = new Headers(key);
    for (const transport of [
      createGrpcTransport({ baseUrl: rpc }),
      nodeTransport({ baseUrl: rpc, httpVersion: '2' }),
      nodeTransport({ baseUrl: rpc, httpVersion: '1.1' }),
      nodeTransport({ baseUrl: urls['http'] ?? '', httpVersion: '1.1' }),
    ]) {
      const answer = await createClient(CortexApi, transport).getJobStatus({ jobId: job_id ?? '' }, { headers });
      expect(answer.status).toBe('PENDING');
    }
  });

  test('without a key it serves this machine, by each protocol', async () => {
    const { urls } = await start();
    const rpc = urls['rpc'] ?? '';
    expect(await call(rpc, 'GetJobStatus', { job_id: 'x' })).toMatchObject({ code: 0 });
    const client = createClient(CortexApi, nodeTransport({ baseUrl: rpc, httpVersion: '2' }));
    expect(await client.getJobStatus({ jobId: 'x' })).toMatchObject({ status: 'UNKNOWN' });
    const evil = await call(rpc, 'SubmitJob', { topic: 'job.echo' }, { origin: 'https://evil.example' });
    expect(evil.code).toBe(grpc.status.PERMISSION_DENIED);
  });

  test('a store that is away is UNAVAILABLE', async () => {
    const { urls } = await start();
    await redis.kill();
    try {
      const answer = await call(urls['rpc'] ?? '', 'SubmitJob', { topic: 'job.echo' });
      expect(answer.code).toBe(grpc.status.UNAVAILABLE);
    } finally {
      await redis.restart();
    }
  });

  test('GRPC_TLS_CERT and GRPC_TLS_KEY put TLS on that port', async () => {
    const tls = { GRPC_TLS_CERT: fixture('tls-cert.pem'), GRPC_TLS_KEY: fixture('tls-key.pem') };
    const { urls } = await start(tls);
    const rpc = urls['rpc'] ?? '';
    expect(rpc).toMatch(/^https:/);
    const ca = readFileSync(tls.GRPC_TLS_CERT);
    const credentials = grpc.credentials.createSsl(ca);
    expect(await call(rpc, 'GetJobStatus', { job_id: 'x' }, {}, credentials)).toMatchObject({ code: 0 });
    for (const httpVersion of ['1.1', '2'] as const) {
      const client = createClient(CortexApi, nodeTransport({ baseUrl: rpc, httpVersion, nodeOptions: { ca } }));
      expect(await client.getJobStatus({ jobId: 'x' })).toMatchObject({ status: 'UNKNOWN' });
    }
    const plain = await call(rpc, 'GetJobStatus', { job_id: 'x' });
    expect(plain.code).toBe(grpc.status.UNAVAILABLE);
  });
});

describe('servers that go away', () => {
  test('without NATS jobs are accepted and waits end; the health says so', async () => {
    const process = await start();
    await nats.kill();
    try {
      const response = await submit(process);
      expect(response.status).toBe(202);
      const { job_id } = (await response.json()) as { job_id: string };
      const path = `${process.urls['http']}/api/v1/jobs/${job_id}`;
      const wait = fetch(`${path}?wait=30`);
      expect(await (await fetch(`${path}/cancel`, { method: 'POST' })).json()).toEqual({
        id: job_id,
        state: 'CANCELLED',
      });
      expect(await (await wait).json()).toMatchObject({ state: 'CANCELLED' });
      const health = await until(async () => {
        const answer = await fetch(`${process.urls['http']}/health`);
        const body = (await answer.json()) as { status: string; nats: { ok: boolean } };
        return body.nats.ok ? undefined : { code: answer.status, ...body };
      });
      expect(health).toMatchObject({ code: 200, status: 'degraded', redis: { ok: true } });
      const dropped = async (): Promise<boolean> => {
        const text = await (await fetch(`${process.urls['metrics']}/metrics`)).text();
        return /^cortex_bus_dropped_total [1-9]/m.test(text) && /^cortex_redis_calls_total [1-9]/m.test(text);
      };
      await until(dropped, { message: 'the count of dropped news' });
    } finally {
      await nats.restart();
    }
    await until(async () => {
      const body = (await (await fetch(`${process.urls['http']}/health`)).json()) as { nats: { ok: boolean } };
      return body.nats.ok;
    });
  });

  test('without Redis nothing is accepted, and everything is again once it is back', async () => {
    const process = await start();
    await redis.kill();
    try {
      await expectProblem(await submit(process), 503, { code: 'unavailable' });
      await expectProblem(await fetch(`${process.urls['http']}/api/v1/jobs/x`), 503);
      await expectProblem(await fetch(`${process.urls['http']}/api/v1/workers`), 503);
      expect((await fetch(`${process.urls['http']}/health`)).status).toBe(503);
    } finally {
      await redis.restart();
    }
    await until(async () => (await submit(process)).status === 202, { timeout: 10_000 });
  }, 15_000);
});

describe('start', () => {
  const refused = async (env: Record<string, string>): Promise<string> => {
    const error = await start(env).then(
      () => new Error('it started'),
      (thrown: unknown) => thrown,
    );
    return error instanceof Error ? error.message : String(error);
  };

  test('without a key it says so in the log', async () => {
    const { log } = await start({ TENANT_ID: 'acme' });
    const line = log.find(({ msg }) => msg?.startsWith('no API key is configured'));
    expect(line).toMatchObject({ level: 'warn', tenant: 'acme' });
  });

  test.each(['GATEWAY_HTTP_ADDR', 'GATEWAY_RPC_ADDR'])('without a key %s stays on this machine', async (variable) => {
    const message = await refused({ [variable]: '0.0.0.0:0' });
    expect(message).toContain(`${variable}: without API_KEY or API_KEYS_PATH the gateway serves this machine alone`);
  });

  test('with a key it may be reached from anywhere', async () => {
    const { urls } = await start({ API_KEY: 'k', GATEWAY_HTTP_ADDR: '0.0.0.0:0' });
    const headers = { 'X-API-Key': 'k', Origin: 'https://elsewhere.example' };
    expect((await fetch(`${urls['http']}/api/v1/jobs`, { headers })).status).toBe(200);
  });

  test.each([
    ['API_KEYS_PATH', { API_KEYS_PATH: '/nowhere/keys.yaml' }],
    ['GRPC_TLS_CERT', { GRPC_TLS_CERT: '/nowhere/cert.pem', GRPC_TLS_KEY: fixture('tls-key.pem') }],
    ['GRPC_TLS_CERT', { GRPC_TLS_CERT: fixture('tls-key.pem'), GRPC_TLS_KEY: fixture('tls-key.pem') }],
  ])('a wrong %s is one clear line', async (variable, env) => {
    expect(await refused(env)).toContain(`cortex-api-gateway: ${variable}: `);
  });

  test('a Redis that may throw jobs away is refused', async () => {
    const forgetful = await startRedis({ args: ['--maxmemory-policy', 'allkeys-lru'] });
    try {
      expect(await refused({ REDIS_URL: forgetful.url })).toContain('noeviction');
    } finally {
      await forgetful.stop();
    }
  });

  test('a key added to the file opens without a restart', async () => {
    const path = join(folder, 'keys.yaml');
    const key = (n: number) =>
      generateApiKey(new Uint8Array(32).fill(n), { tenant: 't', principal: 'p', role: 'submitter' });
    writeFileSync(path, formatApiKey(key(1).entry));
    const process = await start({ API_KEYS_PATH: path });
    const headers = { 'X-API-Key': key(2).key };
    expect((await submit(process, '', { headers })).status).toBe(401);
    writeFileSync(path, formatApiKey(key(2).entry), { flag: 'a' });
    await until(async () => (await submit(process, '', { headers })).status === 202);

    const health = async () => {
      const answer = await fetch(`${process.urls['http']}/health`);
      return { code: answer.status, ...((await answer.json()) as { api_keys: { ok: boolean } }) };
    };
    expect(await health()).toMatchObject({ code: 200, api_keys: { ok: true, keys: 2 } });
    rmSync(path);
    const degraded = await until(async () => {
      const now = await health();
      return now.api_keys.ok ? undefined : now;
    });
    expect(degraded).toMatchObject({ code: 200, status: 'degraded', api_keys: { ok: false } });
    expect(JSON.stringify(degraded)).not.toContain(path);
    expect((await submit(process, '', { headers })).status).toBe(202);
  }, 15_000);
});

describe('end', () => {
  test('who waits for what it submitted gets the ids, and the process ends well', async () => {
    const process = await start();
    const waiting = submit(process, '?wait=60');
    await until(() => process.log.length > 0 && jobsWaiting(process), { message: 'a request that waits' });
    const code = process.stop();
    const accepted = await waiting;
    expect(accepted.status).toBe(202);
    const ids = (await accepted.json()) as Record<string, unknown>;
    expect(ids).toEqual({ job_id: expect.any(String), trace_id: expect.any(String) });
    expect(accepted.headers.get('location')).toBe(`/api/v1/jobs/${String(ids['job_id'])}`);
    expect(await code).toBe(0);
    expect(process.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  /** Its submission is there, so its wait has begun or is about to. */
  async function jobsWaiting({ urls }: ServiceProcess): Promise<boolean> {
    const page = await fetch(`${urls['http']}/api/v1/jobs?state=PENDING&topic=job.echo&limit=1`);
    return ((await page.json()) as { items: unknown[] }).items.length > 0;
  }
});
