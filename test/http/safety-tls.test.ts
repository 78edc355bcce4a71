// The safety kernel behind TLS, each side a process of its own: who is let in, whom a scheduler trusts, and what jobs do meanwhile.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import * as grpc from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createShortFetch } from '#core/http/short-fetch.node.ts';
import { createRpcChecker } from '#core/policy/rpc-checker.ts';
import { systemClock } from '#core/system.ts';
import { DecisionType, SafetyKernel } from '#proto/cortex/agent/v1/safety_pb.ts';
import { checkInput, failure } from '../contract/checker.ts';
import { connectGrpc } from '../helpers/grpc.ts';
import { startNats, startRedis, type TestServer } from '../helpers/servers.ts';
import { type ServiceProcess, startService } from '../helpers/service-process.ts';
import { until } from '../helpers/until.ts';

const entry = 'functions/safety/node.ts';
const fixture = (name: string): string => fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));
const pem = { cert: fixture('kernel-cert.pem'), key: fixture('kernel-key.pem') };
/** One signed the kernel's certificate, the other has nothing to do with it. */
const ca = { right: fixture('kernel-ca.pem'), wrong: fixture('other-ca.pem') };
const base = {
  SAFETY_KERNEL_ADDR: '127.0.0.1:0',
  SAFETY_KERNEL_TLS_CERT: pem.cert,
  SAFETY_KERNEL_TLS_KEY: pem.key,
};

let kernel: ServiceProcess;
let url: string;
beforeAll(async () => {
  kernel = await startService(entry, base, ['rpc', 'metrics']);
  url = kernel.urls['rpc'] as string;
});
afterAll(async () => {
  expect(await kernel.stop()).toBe(0);
});

describe('one port', () => {
  test('gRPC', async () => {
    expect(url).toMatch(/^https:/);
    const asked = async (trusted: Buffer) => {
      const client = connectGrpc(url, grpc.credentials.createSsl(trusted));
      const check = client.method('cortex/agent/v1/safety.proto', 'cortex.agent.v1.SafetyKernel', 'Check');
      const answer = await check({ tenant: 'default', topic: 'job.x' });
      client.close();
      return answer;
    };
    expect(await asked(readFileSync(ca.right))).toMatchObject({
      code: 0,
      message: { decision: 'DECISION_TYPE_ALLOW' },
    });
    expect((await asked(readFileSync(ca.wrong))).code).toBe(grpc.status.UNAVAILABLE);
  });

  test.each(['1.1', '2'] as const)('Connect over HTTP/%s', async (httpVersion) => {
    const nodeOptions = { ca: readFileSync(ca.right) };
    const client = createClient(SafetyKernel, createConnectTransport({ baseUrl: url, httpVersion, nodeOptions }));
    expect((await client.check({ tenant: 'default', topic: 'job.x' })).decision).toBe(DecisionType.ALLOW);
  });
});

describe('the checker', () => {
  const clock = systemClock;

  test('trusts the given authority', async () => {
    const checker = createRpcChecker({ baseUrl: url, clock, fetch: createShortFetch({ ca: readFileSync(ca.right) }) });
    const inputs = Array.from({ length: 600 }, () => checkInput());
    const { verdicts } = await checker.check(inputs);
    expect(new Set(verdicts.map((v) => v.decision))).toEqual(new Set(['ALLOW']));
    expect(verdicts).toHaveLength(600);
  });

  test.each([
    [
      'another authority',
      () => createRpcChecker({ baseUrl: url, clock, fetch: createShortFetch({ ca: readFileSync(ca.wrong) }) }),
    ],
    ['those of the system alone', () => createRpcChecker({ baseUrl: url, clock })],
  ])('with %s refuses the kernel', async (_, make) => {
    expect(await failure(make().check([checkInput()]))).toMatch(
      /^failed_precondition: the server's certificate is not trusted \(\w+\)$/,
    );
  });

  test('cannot reach a kernel without TLS, and waits for none longer than it may', async () => {
    const plain = await startService(entry, { SAFETY_KERNEL_ADDR: '127.0.0.1:0' }, ['rpc', 'metrics']);
    try {
      const baseUrl = (plain.urls['rpc'] ?? '').replace('http:', 'https:');
      const fetch = createShortFetch({ ca: readFileSync(ca.right) });
      const ask = (timeoutMs: number) =>
        failure(createRpcChecker({ baseUrl, clock, fetch, timeoutMs }).check([checkInput()]));
      expect(await ask(2_000)).toMatch(/^unavailable: .*no TLS connection could be made \((EPROTO|ERR_SSL_\w+)\)$/);
      await plain.pause();
      expect(await ask(200)).toMatch(/^unavailable: the safety kernel does not answer: .*(time|deadline)/);
    } finally {
      plain.resume();
      await plain.stop();
    }
  });
});

describe('a scheduler', () => {
  let nats: TestServer;
  let redis: TestServer;
  let gateway: ServiceProcess;
  let scheduler: ServiceProcess | undefined;
  beforeAll(async () => {
    [nats, redis] = await Promise.all([startNats(), startRedis()]);
    const addresses = { GATEWAY_HTTP_ADDR: '127.0.0.1:0', GATEWAY_RPC_ADDR: '127.0.0.1:0' };
    gateway = await startService('functions/gateway/node.ts', { ...servers(), ...addresses }, ['http']);
  });
  afterEach(async () => {
    await scheduler?.kill();
    scheduler = undefined;
  });
  afterAll(async () => {
    await gateway.stop();
    await Promise.all([nats.stop(), redis.stop()]);
  });

  const servers = () => ({ NATS_URL: nats.url, REDIS_URL: redis.url });
  const start = async (env: Record<string, string>): Promise<ServiceProcess> => {
    const SAFETY_KERNEL_ADDR = new URL(url).host;
    const all = { ...servers(), SAFETY_KERNEL_ADDR, ...env };
    scheduler = await startService('services/scheduler/node.ts', all, ['metrics']);
    return scheduler;
  };
  const submit = async (): Promise<string> => {
    const init = { method: 'POST', body: '{"topic":"job.echo"}' };
    const response = await fetch(`${gateway.urls['http']}/api/v1/jobs`, init);
    return ((await response.json()) as { job_id: string }).job_id;
  };
  const job = async (id: string) => {
    const response = await fetch(`${gateway.urls['http']}/api/v1/jobs/${id}`);
    return (await response.json()) as { state: string; safety_decision: string; safety_reason: string };
  };
  /** Waits until the job says why it is not judged. */
  const held = (id: string) =>
    until(
      async () => {
        const { state, safety_reason } = await job(id);
        return state === 'PENDING' ? safety_reason : '';
      },
      { message: `a reason why ${id} waits` },
    );
  const judged = (id: string) =>
    until(async () => ((await job(id)).state === 'SCHEDULED' ? job(id) : undefined), { message: `${id} to be judged` });

  test('with the right authority has its jobs judged', async () => {
    await start({ SAFETY_KERNEL_TLS_CA: ca.right });
    expect((await judged(await submit())).safety_decision).toBe('ALLOW');
  });

  test('with a wrong one says why, and the jobs wait until it is mended', async () => {
    const wrong = await start({ SAFETY_KERNEL_TLS_CA: ca.wrong });
    const id = await submit();
    expect(await held(id)).toContain("the server's certificate is not trusted (");
    await wrong.kill();
    await start({ SAFETY_KERNEL_TLS_CA: ca.right });
    await judged(id);
  });

  const plain = 'the server could not be reached';
  const publicly = "the server's certificate is not trusted";
  test.each([
    ['true dials without TLS, although an authority is named', 'true', { SAFETY_KERNEL_TLS_CA: ca.right }, plain],
    ['false dials with TLS and trusts whom the system trusts', 'false', {}, publicly],
    ['unset dials without TLS', '', {}, plain],
  ])('with SAFETY_KERNEL_INSECURE %s', async (_, SAFETY_KERNEL_INSECURE, env, why) => {
    await start({ SAFETY_KERNEL_INSECURE, ...env });
    expect(await held(await submit())).toContain(why);
  });

  test.each([
    ['is not there', '/nowhere/ca.pem'],
    ['is no certificate', pem.key],
  ])('is not started with an authority that %s', async (_, path) => {
    const { exited, stderr } = await start({ SAFETY_KERNEL_TLS_CA: path });
    expect(await exited).toBe(1);
    expect(stderr.join()).toContain('cortex-scheduler: SAFETY_KERNEL_TLS_CA: ');
  });
});

test.each([
  ['there is no such file', { ...base, SAFETY_KERNEL_TLS_CERT: '/nowhere/cert.pem' }],
  ['the two do not belong together', { ...base, SAFETY_KERNEL_TLS_CERT: fixture('tls-cert.pem') }],
  ['one of them is missing', { SAFETY_KERNEL_ADDR: '127.0.0.1:0', SAFETY_KERNEL_TLS_KEY: pem.key }],
])('a kernel is not started when %s', async (_, env) => {
  const error = await startService(entry, env, ['rpc']).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(String(error)).toContain('cortex-safety-kernel: SAFETY_KERNEL_TLS_CERT: ');
});
