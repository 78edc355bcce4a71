// The bus over TCP keeps the contract on a real nats-server, and what only a real connection can get wrong.
import { randomUUID } from 'node:crypto';
import { connect as connectRaw } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BusConnection, BusState } from '#core/bus/bus.ts';
import { type ConnectBusOptions, connectBus } from '#core/bus/nats-tcp.node.ts';
import type { CortexError } from '#core/errors.ts';
import { freePort } from '../../local/servers/ports.ts';
import { startNats, type TestServer } from '../helpers/servers.ts';
import { until } from '../helpers/until.ts';
import { testBus } from './bus.ts';

interface Connz {
  readonly connections: readonly { readonly name: string; readonly subscriptions: number }[];
}

async function connections(monitor: number): Promise<Connz['connections']> {
  const answer = await fetch(`http://127.0.0.1:${monitor}/connz`);
  return ((await answer.json()) as Connz).connections;
}

testBus('NATS over TCP', async () => {
  const monitor = await freePort();
  const server = await startNats({ args: ['-js', '-sd', '{dir}', '-m', String(monitor)] });
  return {
    connect: (options) => connectBus({ url: server.url, ...options }),
    down: () => server.kill(),
    up: () => server.restart(),
    async capture(stream, subjects) {
      const raw = await connectRaw({ servers: server.url });
      const config = { name: stream, subjects, storage: 'memory', retention: 'limits' };
      const answer = await raw.request(`$JS.API.STREAM.CREATE.${stream}`, JSON.stringify(config), { timeout: 5_000 });
      expect(answer.json()).not.toHaveProperty('error');
      await raw.close();
    },
    subscriptions: async () => (await connections(monitor)).reduce((sum, { subscriptions }) => sum + subscriptions, 0),
    stop: () => server.stop(),
  };
});

describe('connectBus', () => {
  let server: TestServer;
  let monitor: number;
  const open: BusConnection[] = [];
  const errors: CortexError[] = [];
  const connect = async (options: Partial<ConnectBusOptions> = {}): Promise<BusConnection> => {
    const onError = (error: CortexError): void => void errors.push(error);
    const bus = await connectBus({ url: server.url, name: 'test', onError, ...options });
    open.push(bus);
    return bus;
  };
  beforeAll(async () => {
    monitor = await freePort();
    server = await startNats({
      args: ['-m', String(monitor), '-c', new URL('nats-users.conf', import.meta.url).pathname],
    });
  });
  afterAll(async () => {
    for (const bus of open) await bus.close();
    await server.stop();
  });
  const as = (user: string): string => `nats://${user}:secret@127.0.0.1:${server.port}`;

  test('names its connection, and reads credentials from the URL', async () => {
    const bus = await connect({ url: as('all'), name: 'scheduler-1' });
    expect((await connections(monitor)).map(({ name }) => name)).toContain('scheduler-1');
    await bus.close();
  });

  test('takes credentials as options', async () => {
    const bus = await connect({ credentials: { user: 'all', pass: 'secret' } });
    await bus.ping();
  });

  test('a server that refuses the credentials is told at once, without them', async () => {
    const url = `nats://all:wrong-password@127.0.0.1:${server.port}`;
    const failed = connectBus({ url, name: 'test', onError: () => undefined });
    await expect(failed).rejects.toMatchObject({ code: 'unauthenticated' });
    await expect(failed).rejects.toThrow(`nats://127.0.0.1:${server.port}`);
    await expect(failed).rejects.not.toThrow('wrong-password');
  });

  test('a subject that permissions deny is told to publish, to subscribe, and to onError for a post', async () => {
    const bus = await connect({ url: as('some') });
    const denied = { subject: 'denied.a', data: new Uint8Array(1) };
    const allowed = { subject: 'allowed.a', data: new Uint8Array(1) };
    for (let i = 0; i < 20; i++) {
      const both = await Promise.allSettled([bus.publish([denied, allowed]), bus.publish([allowed])]);
      expect(both[0]).toMatchObject({ status: 'rejected', reason: { code: 'permission_denied' } });
      expect(both[1]).toMatchObject({ status: 'fulfilled' });
    }
    await expect(bus.subscribe('denied.>', () => undefined)).rejects.toMatchObject({ code: 'permission_denied' });
    expect(errors).toEqual([]);
    bus.post(denied);
    await bus.ping();
    expect(errors.map(({ code }) => code)).toEqual(['permission_denied']);
    errors.length = 0;
  });

  test('waits for a server that comes later', async () => {
    const port = await freePort();
    const connecting = connect({ url: `nats://127.0.0.1:${port}` });
    const late = await startNats({ port });
    const bus = await connecting;
    await bus.ping();
    await bus.close();
    await late.stop();
  });

  test('gives up on a server that never comes, naming it', async () => {
    const url = `nats://127.0.0.1:${await freePort()}`;
    const began = performance.now();
    const failed = connectBus({ url, name: 'test', onError: () => undefined, connectMs: 500 });
    await expect(failed).rejects.toMatchObject({ code: 'unavailable' });
    await expect(failed).rejects.toThrow(url);
    expect(performance.now() - began).toBeLessThan(1_500);
  });

  test.each(['', 'http://localhost:4222', 'nats://', 'nats://a:b:c', 'nats://localhost/x'])(
    'refuses %j',
    async (url) => {
      const failed = connectBus({ url, name: 'test', onError: () => undefined });
      await expect(failed).rejects.toMatchObject({ code: 'invalid_argument', field: 'url' });
    },
  );

  test('capturing is empty where there is no JetStream', async () => {
    const bus = await connect({ url: as('all') });
    expect(await bus.capturing('job.>')).toEqual([]);
  });

  test('notices a server that stopped answering, drops what cannot be sent, and comes back', async () => {
    const silent = await startNats();
    const bus = await connect({ url: silent.url, deadlineMs: 500, maxUnsentBytes: 8_000_000 });
    let received = 0;
    await bus.subscribe('after', () => received++); // what was given up may arrive all the same, so not that
    const states: { readonly state: BusState; readonly at: number }[] = [];
    bus.onState((state) => states.push({ state, at: performance.now() }));
    await silent.pause();
    const began = performance.now();
    const data = new Uint8Array(500_000);
    // More than the sockets hold, so that the client's own farewell would wait behind it for ever.
    for (let i = 0; i < 100; i++) bus.post({ subject: 'big', data });
    expect(bus.dropped).toBeGreaterThan(80);
    await expect(bus.publish([{ subject: 'big', data }])).rejects.toMatchObject({ code: 'unavailable' });
    await until(() => states.length > 0, { timeout: 4_000, message: 'the silence to be noticed' });
    expect(states[0]?.state).toBe('disconnected');
    expect((states[0]?.at ?? 0) - began).toBeLessThan(2_500);
    silent.resume();
    await until(() => bus.state === 'connected', { timeout: 10_000, message: 'the connection to come back' });
    await bus.publish([{ subject: 'after', data }]);
    await bus.ping();
    expect(received).toBe(1);
    await bus.close();
    await silent.stop();
  });

  test('publish under pressure waits for room instead of growing', async () => {
    const bus = await connect({ url: as('all'), maxUnsentBytes: 1_000_000, deadlineMs: 10_000 });
    const subject = `p.${randomUUID()}`;
    let received = 0;
    await bus.subscribe(subject, () => received++);
    const data = new Uint8Array(300_000);
    await Promise.all(Array.from({ length: 40 }, () => bus.publish([{ subject, data }])));
    await bus.ping();
    expect(received).toBe(40);
    expect(bus.dropped).toBe(0);
  });
});
