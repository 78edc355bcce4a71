// Requests of an upgrade from clients that mean no good, or none: none of them holds a place, a connection or memory.
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startNats, startRedis, type TestServer } from '../helpers/servers.ts';
import { type ServiceProcess, startService } from '../helpers/service-process.ts';
import { openSocket } from './sockets.ts';

let nats: TestServer;
let redis: TestServer;
let gateway: ServiceProcess;
let port = 0;
beforeAll(async () => {
  [nats, redis] = await Promise.all([startNats(), startRedis()]);
  const env = { GATEWAY_HTTP_ADDR: '127.0.0.1:0', GATEWAY_RPC_ADDR: '127.0.0.1:0', STREAMS_MAX_PER_TENANT: '1' };
  const all = { NATS_URL: nats.url, REDIS_URL: redis.url, ...env };
  gateway = await startService('functions/gateway/node.ts', all, ['http', 'rpc', 'metrics']);
  port = Number(new URL(gateway.urls['http'] ?? '').port);
});
afterAll(async () => {
  await gateway.kill();
  await Promise.all([nats.stop(), redis.stop()]);
});

/** Sends lines over a connection of its own, which stays open on this side, and answers the first piece of what comes back. */
async function raw(lines: readonly string[]): Promise<{ readonly socket: Socket; readonly answer: string }> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  const [piece] = (await once(socket, 'data')) as [Buffer];
  return { socket, answer: piece.toString('latin1') };
}

const host = 'Host: 127.0.0.1';
const upgrade = ['Connection: Upgrade', 'Upgrade: websocket'];
const handshake = ['Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=='];

test('a request that cannot become a WebSocket takes no place of a stream', async () => {
  const { socket, answer } = await raw(['GET /api/v1/stream HTTP/1.1', host, 'Upgrade: websocket']);
  expect(answer).toMatch(/^HTTP\/1\.1 426 /);
  const opened = await openSocket(gateway.urls['http'] ?? '', '/api/v1/stream');
  expect(opened.refused).toBeUndefined();
  opened.socket?.close();
  await opened.socket?.closed;
  socket.destroy();
});

test('a request with a method of its own is that request, whatever it would rather speak', async () => {
  const body = ['Content-Length: 2', 'Content-Type: application/json', '', '{}'].join('\r\n');
  const { socket, answer } = await raw(['POST /api/v1/jobs HTTP/1.1', host, ...upgrade, ...handshake, body]);
  expect(answer).toMatch(/^HTTP\/1\.1 202 /);
  socket.destroy();
});

test('a refused upgrade ends its connection, also when the client leaves its side open', async () => {
  const { socket, answer } = await raw(['GET /nothing HTTP/1.1', host, ...upgrade, ...handshake]);
  expect(answer).toMatch(/^HTTP\/1\.1 404 /);
  await once(socket, 'end');
  // What is written to a connection that is gone comes back as a reset.
  socket.on('error', () => undefined);
  const gone = new Promise((resolve) => socket.once('close', resolve));
  const poke = setInterval(() => socket.write('x'), 100);
  await gone;
  clearInterval(poke);
}, 8_000);

test.each(['127.0.0.1/health?', 'a:b@127.0.0.1', '127.0.0.1#', '127.0.0.1\\health?'])(
  'a Host of %s is none, and says nothing of the path',
  async (name) => {
    const { socket, answer } = await raw(['GET /nothing HTTP/1.1', `Host: ${name}`, ...upgrade, ...handshake]);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    socket.destroy();
  },
);

test('and none of it is a fault of ours', () => {
  expect(gateway.log.filter(({ level }) => level === 'error')).toEqual([]);
});
