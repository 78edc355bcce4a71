// The WebSocket listener of the nats-server of `npm start`: where it is, and who is let in. Whole, as in start.test.ts.
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type Checkout, createCheckout } from '../../helpers/checkout.ts';
import { natsOverWebSocket, statusForPage } from '../../helpers/nats-web-socket.ts';

vi.setConfig({ testTimeout: 60_000 });

let checkout: Checkout;
beforeEach(() => {
  checkout = createCheckout();
});
afterEach(() => checkout.remove());

it('moves on from a port that is taken, and leaves the one that TCP wishes for alone', async () => {
  const holder = createServer();
  await once(holder.listen(0, '127.0.0.1'), 'listening');
  const { port } = holder.address() as AddressInfo;
  const command = checkout.run('start.mjs', [], { NATS_WS_PORT: String(port), NATS_PORT: String(port + 1) });
  const run = await checkout.ready(command);
  holder.close();
  const [tcp, ws] = [Number(new URL(run.nats).port), Number(new URL(run.nats_ws).port)];
  expect(tcp).toBeGreaterThan(port);
  expect(ws).toBeGreaterThan(port + 1);
  expect(ws).not.toBe(tcp);
  expect(command.output()).toContain(`port ${port} is in use: nats-server listens on ${ws}`);
  expect(await natsOverWebSocket(run.nats_ws)).toMatchObject({ port: tcp });
});

it('leaves its port to TCP when both are told the same', async () => {
  const holder = createServer();
  await once(holder.listen(0, '127.0.0.1'), 'listening');
  const { port } = holder.address() as AddressInfo;
  await once(holder.close(), 'close');
  const same = { NATS_PORT: String(port), NATS_WS_PORT: String(port) };
  const run = await checkout.ready(checkout.run('start.mjs', [], same));
  const { port: tcp } = new URL(run.nats);
  expect(run.nats_ws).not.toContain(tcp);
  expect(await natsOverWebSocket(run.nats_ws)).toMatchObject({ port: Number(tcp) });
});

it('is closed to pages from elsewhere, also to those whose name leads here', async () => {
  const { nats_ws: url } = await checkout.ready(checkout.run('start.mjs'));
  const { host, port } = new URL(url);
  expect(await statusForPage(url, 'https://evil.example')).toBe(403);
  expect(await statusForPage(url, `http://evil.example:${port}`, `evil.example:${port}`)).toBe(403);
  expect(await statusForPage(url, 'null')).toBe(403);
  expect(await statusForPage(url, `http://${host}`)).toBe(101);
});
