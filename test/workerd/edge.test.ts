// What only the edge can get wrong: the bundle, its configuration, keys from Redis, round trips, servers that are away.
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { pushConfig, storedKey } from '#core/config/stored.ts';
import { formatApiKey } from '#core/http/api-keys.ts';
import { createKeys } from '#core/jobs/keys.ts';
import { createRedisStore } from '#core/jobs/redis-store.ts';
import { script } from '#core/redis/redis.ts';
import { NODE_PACKAGES } from '../architecture/layout.ts';
import { packageName } from '../architecture/source/tree.ts';
import { until } from '../helpers/until.ts';
import { expectProblem } from '../http/expect-problem.ts';
import { as, keyEntries } from '../http/keys.ts';
import { workerEntry } from '../../local/edge/bundle.ts';
import { boundTo, bundleOf, startFunction, startWorkerd, type Workerd } from './runtime.ts';
import { type EdgeStage, startEdgeStage } from './stage.ts';

describe.each(['gateway', 'safety'])('the bundle of %s', (name) => {
  test('holds nothing of Node, and asks the runtime for nothing but itself', async () => {
    const { code, inputs, imports } = await bundleOf(workerEntry(name));
    const packages = new Set(inputs.flatMap((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []));
    expect([...packages].filter((one) => NODE_PACKAGES.has(packageName(one)))).toEqual([]);
    expect(inputs.filter((path) => /\.node\.ts$|(^|\/)node\.ts$/.test(path))).toEqual([]);
    expect(imports).toEqual(name === 'gateway' ? ['cloudflare:workers'] : []);
    expect(code).not.toMatch(/"node:/);
    expect([...packages].filter((one) => /nats|redis/.test(one)).sort()).toEqual(
      name === 'gateway' ? ['@upstash/redis', 'nats.ws'] : ['@upstash/redis'],
    );
  });

  test('is small enough to start quickly', async () => {
    expect(gzipSync((await bundleOf(workerEntry(name))).code).length).toBeLessThan(300_000);
  });
});

const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop();
});
const start = async (name: string, env: Readonly<Record<string, string>>): Promise<Workerd> => {
  const workerd = await startFunction(name, env);
  running.push(workerd);
  return workerd;
};
const post = (url: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Response> =>
  fetch(`${url}/api/v1/jobs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });

describe('a gateway at the edge', () => {
  let stage: EdgeStage;
  beforeAll(async () => {
    stage = await startEdgeStage();
  });
  afterAll(() => stage.stop());
  const del = script('del', `return redis.call('DEL',KEYS[1])`);
  const local = () => ({ ...stage.env, EDGE_LOOPBACK: 'true' });
  const jobOf = async (answer: Response): Promise<string> => {
    expect(answer.status).toBe(202);
    return ((await answer.json()) as { readonly job_id: string }).job_id;
  };

  test('that is not configured says which variables are wrong, and no value', async () => {
    const { url, log } = await start('gateway', {
      ...{ REDIS_REST_URL: 'redis://secret-host', NATS_WS_URL: stage.env.NATS_WS_URL, API_RATE_LIMIT_RPS: 'many' },
    });
    const answer = await fetch(`${url}/health`);
    const text = await answer.text();
    expect(answer.status).toBe(503);
    for (const name of ['REDIS_REST_URL', 'REDIS_REST_TOKEN', 'API_RATE_LIMIT_RPS']) expect(text).toContain(name);
    expect(text).not.toContain('secret-host');
    expect(log.join('\n')).toContain('REDIS_REST_TOKEN');
  });

  test('lets nobody in without keys, unless it serves this machine alone', async () => {
    const { url } = await start('gateway', stage.env);
    await expectProblem(await fetch(`${url}/api/v1/jobs`), 401);
    expect((await fetch(`${url}/health`)).status).toBe(200);
    const open = await start('gateway', local());
    expect((await fetch(`${open.url}/api/v1/jobs`)).status).toBe(200);
    await expectProblem(await fetch(`${open.url}/api/v1/jobs`, { headers: { Origin: 'https://evil.example' } }), 403);
  });

  test('takes keys from Redis: in force within a second, gone within a second, refused when they are broken', async () => {
    const { url } = await start('gateway', stage.env);
    const status = async (): Promise<number> => (await fetch(`${url}/api/v1/jobs`, { headers: as('viewer') })).status;
    expect(await status()).toBe(401);
    await pushConfig(stage.db, 'keys', keyEntries.map(formatApiKey).join(''));
    await until(async () => (await status()) === 200, { message: 'the key to be known', timeout: 3_000 });
    await pushConfig(stage.db, 'keys', 'no keys at all');
    await until(async () => (await status()) === 503, { message: 'broken keys to be refused', timeout: 3_000 });
    await stage.db.run(del, [storedKey('keys')], []);
    await until(async () => (await status()) === 401, { message: 'the key to be forgotten', timeout: 3_000 });
  });

  test('asks Redis once for what a request needs', async () => {
    const { url } = await start('gateway', local());
    const send = (path: string, init?: RequestInit): Promise<Response> => fetch(`${url}${path}`, init);
    const requestsOf = async (call: () => Promise<Response>): Promise<number> => {
      // The look at the keys is good for a second: one that has just been made.
      await send('/api/v1/jobs/nothing');
      const before = stage.rest.requests();
      const answer = await call();
      expect(answer.ok).toBe(true);
      await answer.text();
      return stage.rest.requests() - before;
    };
    const id = await jobOf(await post(url, { prompt: 'warm' }));
    for (const path of ['/api/v1/jobs', `/api/v1/jobs/${id}`, '/api/v1/workers']) await (await send(path)).text();
    await (await send(`/api/v1/jobs/${await jobOf(await post(url, {}))}/cancel`, { method: 'POST' })).text();
    const counts = {
      create: await requestsOf(() => post(url, { prompt: 'x' })),
      view: await requestsOf(() => send(`/api/v1/jobs/${id}`)),
      page: await requestsOf(() => send('/api/v1/jobs?limit=200')),
      cancel: await requestsOf(() => send(`/api/v1/jobs/${id}/cancel`, { method: 'POST' })),
    };
    for (const [what, count] of Object.entries(counts)) expect([what, count]).toEqual([what, 1]);
  });

  test('accepts a payload that is larger than a request to Redis may be', async () => {
    const { url } = await start('gateway', local());
    const context = 'é'.repeat(900_000);
    const id = await jobOf(await post(url, { prompt: 'large', context }));
    const payload = JSON.parse((await stage.db.get(`ctx:${id}`)) ?? '') as { readonly context: string };
    expect(payload.context === context).toBe(true);
  });

  test('accepts jobs while NATS is away, and says so in its health', async () => {
    const { url, log } = await start('gateway', local());
    await stage.nats.kill();
    const began = performance.now();
    const id = await jobOf(await post(url, { prompt: 'x' }));
    expect(performance.now() - began).toBeLessThan(2_000);
    const store = createRedisStore({ redis: stage.db, keys: createKeys(1), random: () => 'test' });
    expect(await store.view(id, 'default')).toMatchObject({ state: 'PENDING' });
    expect(await (await fetch(`${url}/health`)).json()).toMatchObject({
      ...{ status: 'degraded', redis: { ok: true }, nats: { ok: false } },
    });
    await until(() => log.some((line) => line.includes('unavailable')), { message: 'the lost news in the log' });
    await stage.nats.restart();
    expect(await (await fetch(`${url}/health`)).json()).toMatchObject({ nats: { ok: true } });
  });

  test('says in time that Redis is away, and goes on when it is back', async () => {
    const { url } = await start('gateway', local());
    await jobOf(await post(url, { prompt: 'x' }));
    await stage.redis.kill();
    const began = performance.now();
    await expectProblem(await post(url, { prompt: 'x' }), 503);
    expect(performance.now() - began).toBeLessThan(5_000);
    expect((await fetch(`${url}/health`)).status).toBe(503);
    await stage.redis.restart();
    await until(async () => (await post(url, { prompt: 'x' })).status === 202, {
      message: 'jobs to be accepted again',
    });
  });

  test('tells of the kernel that it reaches by an address, or that is bound to it', async () => {
    await pushConfig(stage.db, 'policy', 'tenants: {default: {allow_topics: ["job.*"]}}');
    const safety = await start('safety', stage.env);
    const { url } = await start('gateway', { ...local(), SAFETY_KERNEL_URL: safety.url });
    expect(await (await fetch(`${url}/health`)).json()).toMatchObject({
      ...{ status: 'ok', safety: { ok: true, policy: expect.stringMatching(/^\d{13}:/) as string } },
    });
    // One that is bound to it comes first, and needs no address.
    const bound = await startWorkerd(
      workerEntry('gateway'),
      { ...local(), SAFETY_KERNEL_URL: 'http://127.0.0.1:1' },
      0,
      { SAFETY: boundTo(safety.url) },
    );
    running.push(bound);
    expect(await (await fetch(`${bound.url}/health`)).json()).toMatchObject({
      ...{ status: 'ok', safety: { ok: true, policy: expect.stringMatching(/^\d{13}:/) as string } },
    });
    await safety.stop();
    expect(await (await fetch(`${url}/health`)).json()).toMatchObject({ status: 'degraded', safety: { ok: false } });
  });
});
