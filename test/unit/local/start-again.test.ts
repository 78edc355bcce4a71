// What `npm start` and `npm run dev` start again while they run: what crashed, what was killed, what has changed. Whole, as in
// start.test.ts.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { readRun, type RunNote } from '../../../local/bootstrap/checkout.mjs';
import { probeNats, probeRedis } from '../../../local/servers/probe.ts';
import { type Checkout, createCheckout } from '../../helpers/checkout.ts';
import { natsOverWebSocket } from '../../helpers/nats-web-socket.ts';
import { until } from '../../helpers/until.ts';

vi.setConfig({ testTimeout: 60_000 });

let checkout: Checkout;
beforeEach(() => {
  checkout = createCheckout();
});
afterEach(() => checkout.remove());

/** The machine may be busy with other tests. */
const patient = { timeout: 15_000 };
const pidOf = (run: RunNote | undefined, name: string) => run?.children.find((child) => child.name === name)?.pid;

it('starts a crashed service and a killed server again, and says so', async () => {
  const command = checkout.run('start.mjs');
  const run = await checkout.ready(command);
  await fetch(`${run.urls['gateway']}/crash`).catch(() => undefined);
  await until(() => command.output().includes('gateway runs again'), patient);
  expect(command.output()).toMatch(/gateway ended \(exit code 9\): starting it again in \d/);
  // The same addresses as before: nobody needs to be told.
  expect((await fetch(`${run.urls['gateway']}/health`)).status).toBe(200);

  process.kill(pidOf(run, 'redis-server') ?? 0, 'SIGKILL');
  await until(() => command.output().includes('redis-server runs again'), patient);
  const now = readRun(checkout.root);
  expect((await probeRedis(Number(new URL(run.redis).port)))?.pid).toBe(pidOf(now, 'redis-server'));
  expect(pidOf(now, 'redis-server')).not.toBe(pidOf(run, 'redis-server'));
  expect(pidOf(now, 'gateway')).not.toBe(pidOf(run, 'gateway'));

  process.kill(pidOf(run, 'nats-server') ?? 0, 'SIGKILL');
  await until(() => command.output().includes('nats-server runs again'), patient);
  const bus = await probeNats(Number(new URL(run.nats).port));
  expect(await natsOverWebSocket(run.nats_ws)).toMatchObject({ server_name: bus?.name });
});

it('npm run dev restarts the service whose file has changed, and only that one', async () => {
  const command = checkout.run('start.mjs', ['--watch']);
  const before = await checkout.ready(command);
  const entry = join(checkout.root, 'functions/gateway/node.ts');
  writeFileSync(entry, `${readFileSync(entry, 'utf8')}// changed\n`);
  await until(() => command.output().includes('gateway runs again'), patient);
  expect(command.output()).toContain('functions/gateway/node.ts changed: restarting gateway');
  const after = readRun(checkout.root);
  expect(pidOf(after, 'gateway')).not.toBe(pidOf(before, 'gateway'));
  expect(pidOf(after, 'safety')).toBe(pidOf(before, 'safety'));
});
