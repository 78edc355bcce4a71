// The whole system with its functions at the edge: what comes in through workerd is judged in workerd, scheduled and run on Node, and
// read back through workerd and through Node alike.
import { fileURLToPath } from 'node:url';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pushConfig } from '#core/config/stored.ts';
import { type ServiceProcess, startService } from '../helpers/service-process.ts';
import { until } from '../helpers/until.ts';
import { startFunction, type Workerd } from './runtime.ts';
import { type EdgeStage, startEdgeStage } from './stage.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

describe('jobs that come in at the edge', () => {
  let stage: EdgeStage;
  let [gateway, safety]: Workerd[] = [];
  let [scheduler, worker, node]: ServiceProcess[] = [];
  const request = async (
    at: string | undefined,
    path: string,
    body?: unknown,
  ): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> => {
    const answer = await fetch(`${at}${path}`, {
      ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
      headers: { 'content-type': 'application/json' },
    });
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  };

  beforeAll(async () => {
    stage = await startEdgeStage();
    const policy = 'tenants: {default: {allow_topics: ["job.*"], deny_topics: ["job.forbidden"]}}';
    await pushConfig(stage.db, 'policy', policy);
    await pushConfig(stage.db, 'pools', readFileSync(`${root}config/pools.yaml`, 'utf8'));
    safety = await startFunction('safety', stage.env);
    gateway = await startFunction('gateway', {
      ...stage.env,
      ...{ EDGE_LOOPBACK: 'true', SAFETY_KERNEL_URL: safety.url },
    });
    const env = {
      ...{ NATS_URL: stage.nats.url, REDIS_URL: stage.redis.url, LOG_LEVEL: 'warn' },
      ...{ SAFETY_KERNEL_ADDR: new URL(safety.url).host, POOL_CONFIG_PATH: 'redis' },
    };
    [scheduler, node] = await Promise.all([
      startService('services/scheduler/node.ts', env, ['metrics']),
      startService(
        'functions/gateway/node.ts',
        { ...env, GATEWAY_HTTP_ADDR: '127.0.0.1:0', GATEWAY_RPC_ADDR: '127.0.0.1:0' },
        ['http', 'rpc', 'metrics'],
      ),
    ]);
    worker = await startService('services/worker/node.ts', { ...env, WORKERS: 'echo,chat' }, ['metrics']);
  });
  afterAll(async () => {
    for (const process of [worker, node, scheduler]) expect(await process?.stop()).toBe(0);
    await gateway?.stop();
    await safety?.stop();
    await stage.stop();
  });

  test('are judged, run and told, through both runtimes alike', async () => {
    const { status, body } = await request(gateway?.url, '/api/v1/jobs?wait=20', { prompt: 'hello' });
    expect(status).toBe(200);
    expect(body).toMatchObject({ state: 'SUCCEEDED', result: { response: 'Echo: hello' } });
    expect(body['policy_snapshot']).toMatch(/^\d{13}:/);
    const [edge, onNode] = await Promise.all(
      [gateway?.url, node?.urls['http']].map((at) => request(at, `/api/v1/jobs/${String(body['job_id'])}`)),
    );
    expect(edge).toEqual(onNode);
    expect((await request(gateway?.url, '/api/v1/workers')).body).toEqual(
      (await request(node?.urls['http'], '/api/v1/workers')).body,
    );
  });

  test('are denied by the policy that was pushed', async () => {
    const { body } = await request(gateway?.url, '/api/v1/jobs?wait=20', { prompt: 'x', topic: 'job.forbidden' });
    expect(body).toMatchObject({ state: 'DENIED', rule: 'tenants.default.deny_topics[0]' });
  });

  test('are cancelled through the other runtime, and the one that waits at the edge hears of it', async () => {
    const { body } = await request(node?.urls['http'], '/api/v1/jobs', { prompt: 'x', topic: 'job.nobody.serves' });
    const id = String(body['job_id']);
    const waiting = request(gateway?.url, `/api/v1/jobs/${id}?wait=20`);
    expect((await request(gateway?.url, `/api/v1/jobs/${id}/cancel`, {})).status).toBe(200);
    expect((await waiting).body['state']).toMatch(/^(CANCELLED|FAILED)$/);
  });

  test('are all told, fifty of them at once, half through each runtime', async () => {
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        request([gateway?.url, node?.urls['http']][i % 2], '/api/v1/jobs?wait=30', {
          prompt: `${i}`,
        }),
      ),
    );
    expect(answers.map(({ body }) => body['state'])).toEqual(Array.from({ length: 50 }, () => 'SUCCEEDED'));
    expect(answers.map(({ body }) => (body['result'] as { prompt?: unknown }).prompt)).toEqual(
      Array.from({ length: 50 }, (_, i) => `${i}`),
    );
  });

  test('wait while the kernel at the edge is away', async () => {
    const { url } = safety as Workerd;
    await safety?.stop();
    const { body } = await request(gateway?.url, '/api/v1/jobs', { prompt: 'later' });
    const id = String(body['job_id']);
    await until(
      async () => String((await request(gateway?.url, `/api/v1/jobs/${id}`)).body['safety_reason']).includes('waits'),
      {
        message: 'the reason to be seen',
        timeout: 10_000,
      },
    );
    safety = await startFunction('safety', stage.env, Number(new URL(url).port));
    expect((await request(gateway?.url, `/api/v1/jobs/${id}?wait=20`)).body).toMatchObject({ state: 'SUCCEEDED' });
  });
});
