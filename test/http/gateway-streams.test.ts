// Streams of the gateway as a process: on the other port, through TLS, and at its end.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { startNats, startRedis, type TestServer } from '../helpers/servers.ts';
import { type ServiceProcess, startService } from '../helpers/service-process.ts';
import { expectProblem } from './expect-problem.ts';
import { openSocket } from './sockets.ts';
import { readSse } from './sse.ts';

let nats: TestServer;
let redis: TestServer;
let gateway: ServiceProcess | undefined;
beforeAll(async () => {
  [nats, redis] = await Promise.all([startNats(), startRedis()]);
});
afterEach(async () => {
  await gateway?.kill();
  gateway = undefined;
});
afterAll(async () => {
  await Promise.all([nats.stop(), redis.stop()]);
});

async function start(env: Record<string, string> = {}): Promise<ServiceProcess> {
  const anywhere = { GATEWAY_HTTP_ADDR: '127.0.0.1:0', GATEWAY_RPC_ADDR: '127.0.0.1:0' };
  const all = { NATS_URL: nats.url, REDIS_URL: redis.url, ...anywhere, ...env };
  gateway = await startService('functions/gateway/node.ts', all, ['http', 'rpc', 'metrics']);
  return gateway;
}

async function submit(url: string | undefined): Promise<string> {
  const response = await fetch(`${url}/api/v1/jobs`, { method: 'POST', body: '{}' });
  return ((await response.json()) as { job_id: string }).job_id;
}

test('a gateway that stops tells every stream, and is gone at once', async () => {
  const { urls, stop } = await start();
  const id = await submit(urls['http']);
  const sse = readSse(await fetch(`${urls['http']}/api/v1/jobs/${id}/events`));
  await sse.next();
  const { socket } = await openSocket(urls['http'] ?? '', '/api/v1/stream?cursor=');
  await socket?.first(1);
  const began = performance.now();
  const code = stop();
  expect(await sse.next()).toMatchObject({ event: 'bye', data: { reason: 'stopping', cursor: sse.lastId } });
  expect(await sse.next()).toBeUndefined();
  expect(await socket?.closed).toMatchObject({ code: 1001, reason: expect.stringContaining('your cursor') });
  expect(await code).toBe(0);
  expect(performance.now() - began).toBeLessThan(3_000);
});

test('a client that does not answer does not hold the end up for long', async () => {
  const { urls, stop } = await start();
  const id = await submit(urls['http']);
  const ws = new WebSocket(`${urls['http']?.replace(/^http/, 'ws')}/api/v1/stream?cursor=`);
  await once(ws, 'message');
  ws.pause();
  const stuck = await fetch(`${urls['http']}/api/v1/jobs/${id}/events`);
  expect(stuck.status).toBe(200);
  const began = performance.now();
  expect(await stop()).toBe(0);
  expect(performance.now() - began).toBeLessThan(6_000);
  ws.terminate();
  await stuck.body?.cancel().catch(() => undefined);
});

test('the port of gRPC serves streams as well, through TLS', async () => {
  const fixture = (name: string): string => fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));
  const tls = { GRPC_TLS_CERT: fixture('tls-cert.pem'), GRPC_TLS_KEY: fixture('tls-key.pem') };
  const { urls } = await start(tls);
  const id = await submit(urls['http']);
  const ca = readFileSync(tls.GRPC_TLS_CERT);
  const base = (urls['rpc'] ?? '').replace('https', 'wss');
  const ws = new WebSocket(`${base}/api/v1/stream?cursor=0`, { ca });
  const frames: string[] = [];
  ws.on('message', (data: Buffer) => frames.push(data.toString()));
  await once(ws, 'message');
  while (!frames.some((frame) => frame.includes(id))) await once(ws, 'message');
  ws.close();
  await once(ws, 'close');
});

test('what is no WebSocket is answered like any other request', async () => {
  const { urls } = await start();
  const http = urls['http'] ?? '';
  // Another protocol is not taken up, and another path has no socket.
  const h2c = await fetch(`${http}/api/v1/jobs`);
  expect(h2c.status).toBe(200);
  for (const [path, status] of [
    ['/api/v1/jobs', 200],
    ['/nothing', 404],
    ['/health', 200],
  ] as const) {
    const { refused } = await openSocket(http, path);
    expect(refused?.status).toBe(status);
    expect(refused?.headers.get('x-request-id')).not.toBeNull();
  }
  const { refused } = await openSocket(http, '/api/v1/stream', { Origin: 'https://evil.example' });
  await expectProblem(refused as Response, 403, { field: 'Origin' });
});
