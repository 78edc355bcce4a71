// The REST front of Redis as its own process: its variables, its health, and its end.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createUpstashRedis } from '#core/redis/upstash.ts';
import { startRedis, type TestServer } from '../helpers/servers.ts';
import { startService } from '../helpers/service-process.ts';
import { until } from '../helpers/until.ts';

const entry = 'local/redis-rest/node.ts';
let server: TestServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

test('serves whoever has the token, tells its health, and ends with open subscriptions', async () => {
  const token = 'a-token-of-the-test';
  const env = { REDIS_URL: server.url, REDIS_REST_ADDR: '127.0.0.1:0', REDIS_REST_TOKEN: token };
  const service = await startService(entry, env, ['metrics', 'http']);
  const { http: url = '', metrics = '' } = service.urls;
  const redis = createUpstashRedis({ url, token });
  await redis.set('a', 'b');
  expect(await redis.get('a')).toBe('b');
  await until(async () => (await fetch(`${metrics}/health`)).status === 200);
  const stream = await fetch(`${url}/subscribe/c`, { method: 'POST', headers: { authorization: `Bearer ${token}` } });
  await server.kill();
  await until(async () => (await fetch(`${metrics}/health`)).status === 503);
  await expect(redis.get('a')).rejects.toMatchObject({ code: 'unavailable' });
  await server.restart();
  await until(async () => (await fetch(`${metrics}/health`)).status === 200, { timeout: 10_000 });
  expect(await stream.text()).toBe('data: subscribe,c,1\n\n'); // ended by the loss
  const open = await fetch(`${url}/subscribe/c`, { method: 'POST', headers: { authorization: `Bearer ${token}` } });
  expect(await service.stop()).toBe(0);
  expect(await open.text()).toBe('data: subscribe,c,1\n\n');
  expect(JSON.stringify([service.log, service.stderr])).not.toContain(token);
});

test('other machines are not served without a token', async () => {
  const env = { REDIS_URL: server.url, REDIS_REST_ADDR: ':0' };
  await expect(startService(entry, env, ['http'])).rejects.toThrow('REDIS_REST_TOKEN: is not set');
});
