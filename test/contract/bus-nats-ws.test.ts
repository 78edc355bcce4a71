// The bus over WebSocket on a real nats-server: each call connects, is done within its deadline, and leaves no connection behind.
import { connect as connectRaw, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createWsBus, type WsBus } from '#core/bus/nats-ws.ts';
import type { CortexError } from '#core/errors.ts';
import { freePort } from '../../local/servers/ports.ts';
import { startNats, type TestServer } from '../helpers/servers.ts';
import { until } from '../helpers/until.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('the bus over WebSocket', () => {
  let server: TestServer;
  let monitor: number;
  let url: string;
  let ear: NatsConnection;
  const errors: CortexError[] = [];
  const busAt = (address = url, deadlineMs = 2_000): WsBus =>
    createWsBus({ url: address, name: 'edge', onError: (error) => errors.push(error), deadlineMs });
  const connections = async (): Promise<number> => {
    const answer = await fetch(`http://127.0.0.1:${monitor}/connz`);
    const { connections: all } = (await answer.json()) as {
      readonly connections: readonly { readonly name: string }[];
    };
    return all.filter(({ name }) => name === 'edge').length;
  };
  const noneLeft = () => until(async () => (await connections()) === 0, { message: 'no connection is left' });

  beforeAll(async () => {
    monitor = await freePort();
    const webSocketPort = await freePort();
    url = `ws://127.0.0.1:${webSocketPort}`;
    server = await startNats({ args: ['-m', String(monitor)], webSocketPort });
    ear = await connectRaw({ servers: server.url });
  });
  afterAll(async () => {
    await ear.close();
    await server.stop();
  });

  test('publishes with headers of ours, in order, and is gone then', async () => {
    const heard: string[] = [];
    const subscription = ear.subscribe('a.>', {
      callback: (_, message) =>
        void heard.push(`${message.subject} ${message.string()} ${message.headers?.get('Cortex-X') ?? ''}`),
    });
    await ear.flush();
    const bus = busAt();
    await bus.publish([
      { subject: 'a.1', data: bytes('one'), headers: { 'Cortex-X': '7' } },
      { subject: 'a.2', data: bytes('two') },
    ]);
    await bus.publish([{ subject: 'a.3', data: bytes('three') }]);
    await ear.flush();
    expect(heard).toEqual(['a.1 one 7', 'a.2 two ', 'a.3 three ']);
    subscription.unsubscribe();
    await noneLeft();
  });

  test.each([
    ['a subject with a blank', { subject: 'a b', data: bytes('') }, 'subject'],
    ['a wildcard', { subject: 'a.*', data: bytes('') }, 'subject'],
    ["a client's header", { subject: 'a', data: bytes(''), headers: { 'Nats-Msg-Id': '1' } }, 'headers.Nats-Msg-Id'],
    ['more than the server takes', { subject: 'a', data: new Uint8Array(2_000_000) }, 'data'],
  ])('refuses %s, and sends nothing of the batch', async (_, message, field) => {
    let heard = 0;
    const subscription = ear.subscribe('good', { callback: () => void heard++ });
    await ear.flush();
    const sent = busAt().publish([{ subject: 'good', data: bytes('') }, message]);
    await expect(sent).rejects.toMatchObject({ code: 'invalid_argument', field });
    await ear.flush();
    expect(heard).toBe(0);
    subscription.unsubscribe();
    await noneLeft();
  });

  test('hears until it is closed, and a handler that throws ends nothing', async () => {
    const heard: string[] = [];
    const subscription = await busAt().subscribe('b.>', ({ subject, data }) => {
      heard.push(`${subject} ${new TextDecoder().decode(data)}`);
      if (subject === 'b.1') throw new Error('a fault of the handler');
    });
    expect(await connections()).toBe(1);
    ear.publish('b.1', 'one');
    ear.publish('b.2', 'two');
    await until(() => heard.length === 2, { message: 'both' });
    expect(heard).toEqual(['b.1 one', 'b.2 two']);
    expect(errors.splice(0)).toMatchObject([{ code: 'internal' }]);
    await Promise.all([subscription.close(), subscription.close()]);
    await noneLeft();
  });

  test('tells of a subscription that was lost', async () => {
    let lost = 0;
    await busAt().subscribe(
      'c',
      () => undefined,
      () => void lost++,
    );
    await server.kill();
    await until(() => lost === 1, { message: 'the loss' });
    expect(errors.splice(0)).toMatchObject([{ code: 'unavailable' }]);
    await server.restart();
    await busAt().ping();
  });

  test('a server that is down is unavailable, at once', async () => {
    await server.kill();
    const began = performance.now();
    for (const call of [
      busAt().publish([{ subject: 'a', data: bytes('') }]),
      busAt().subscribe('a', () => undefined),
      busAt().ping(),
    ])
      await expect(call).rejects.toMatchObject({ code: 'unavailable' });
    expect(performance.now() - began).toBeLessThan(2_000);
    await server.restart();
  });

  test('a server that does not answer is unavailable by the deadline, and nothing stays connected to it', async () => {
    await server.pause();
    const began = performance.now();
    const bus = busAt(url, 500);
    const calls = await Promise.allSettled([bus.publish([{ subject: 'a', data: bytes('') }]), bus.ping()]);
    expect(performance.now() - began).toBeLessThan(1_500);
    for (const call of calls) expect(call).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } });
    server.resume();
    await noneLeft();
  });

  test.each(['', 'http://localhost:4223', 'nats://localhost:4222', 'ws://'])('refuses the address %j', (address) => {
    expect(() => busAt(address)).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
  });
});

test('credentials come from the address, and a refusal tells none of them', async () => {
  const webSocketPort = await freePort();
  const server = await startNats({ webSocketPort, args: ['--user', 'ann', '--pass', 'right'] });
  const busAs = (password: string): WsBus =>
    createWsBus({ url: `ws://ann:${password}@127.0.0.1:${webSocketPort}`, name: 'edge', onError: () => undefined });
  await busAs('right').ping();
  const refused = busAs('wrong-word').ping();
  await expect(refused).rejects.toMatchObject({ code: 'unauthenticated' });
  await expect(refused).rejects.not.toThrow('wrong-word');
  await server.stop();
});
