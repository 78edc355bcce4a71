// The bus in memory keeps the contract.
import { expect, test } from 'vitest';
import { createMemoryBus, createMemoryBusServer, type MemoryBus } from '#core/bus/memory.ts';
import { testBus } from './bus.ts';

testBus('memory', async () => {
  const streams: Record<string, readonly string[]> = {};
  const server = createMemoryBusServer({ streams });
  const clients: MemoryBus[] = [];
  return Promise.resolve({
    async connect({ onError, deadlineMs }) {
      const client = server.connect({ onError, deadlineMs });
      clients.push(client);
      return Promise.resolve(client);
    },
    async down() {
      for (const client of clients) client.disconnect();
      return Promise.resolve();
    },
    async up() {
      for (const client of clients) client.reconnect();
      return Promise.resolve();
    },
    async capture(stream, subjects) {
      streams[stream] = subjects;
      return Promise.resolve();
    },
    subscriptions: () => Promise.resolve(server.subscriptions),
    stop: () => Promise.resolve(),
  });
});

test('one call makes a server with one client', async () => {
  const bus = createMemoryBus();
  const got = new Promise<string>((resolve) => {
    bus.subscribe('a', ({ subject }) => resolve(subject)).catch(expect.unreachable);
  });
  await bus.publish([{ subject: 'a', data: new Uint8Array() }]);
  expect(await got).toBe('a');
  await bus.close();
});
