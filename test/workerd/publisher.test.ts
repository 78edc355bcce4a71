// The publisher's contract in workerd, where no connection outlives its request: a second publish in a second request arrives, a server
// that is away is told within the deadline, and what was posted arrives after the answer.
import { connect as connectRaw, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { freePort } from '../../local/servers/ports.ts';
import { startNats, type TestServer } from '../helpers/servers.ts';
import { until } from '../helpers/until.ts';
import { startWorkerd, type Workerd } from './runtime.ts';

describe('a publisher in workerd', () => {
  let server: TestServer;
  let workerd: Workerd;
  let ear: NatsConnection;
  const heard: string[] = [];
  const call = async (path: string): Promise<unknown> => (await fetch(`${workerd.url}${path}`)).json();
  const told = async (): Promise<unknown> => call('/told');

  beforeAll(async () => {
    const webSocketPort = await freePort();
    server = await startNats({ webSocketPort });
    workerd = await startWorkerd('test/workerd/publisher-worker.ts', {
      NATS_WS_URL: `ws://127.0.0.1:${webSocketPort}`,
    });
    ear = await connectRaw({ servers: server.url, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
    ear.subscribe('x', { callback: (_, message) => void heard.push(message.string()) });
    await ear.flush();
  });
  beforeEach(() => heard.splice(0));
  afterAll(async () => {
    await workerd.stop();
    await ear.close();
    await server.stop();
  });

  test('publishes in each of many requests, one after the other and side by side', async () => {
    for (let i = 0; i < 5; i++) expect(await call(`/publish${i}`)).toMatchObject({ code: 'ok' });
    expect(heard).toEqual(['/publish0', '/publish1', '/publish2', '/publish3', '/publish4']);
    await Promise.all(Array.from({ length: 20 }, (_, i) => call(`/publish${i}`)));
    expect(heard).toHaveLength(25);
  });

  test('what is posted arrives, though nobody waits for it', async () => {
    for (let i = 0; i < 5; i++) expect(await (await fetch(`${workerd.url}/post${i}`)).text()).toBe('posted');
    await until(() => heard.length === 10, { message: 'two of each' });
    await Promise.all(Array.from({ length: 20 }, () => fetch(`${workerd.url}/post`).then((answer) => answer.text())));
    await until(() => heard.length === 50, { message: 'two of each' });
    expect(await told()).toEqual([]);
  });

  test('a subject that no server takes is the fault of the caller', async () => {
    expect(await call('/publish?subject=a%20b')).toMatchObject({ code: 'invalid_argument' });
  });

  test('a server that is down is unavailable in time, and works again when it is back', async () => {
    await server.kill();
    const down = (await call('/publish')) as { readonly code: string; readonly ms: number };
    expect(down.code).toBe('unavailable');
    expect(down.ms).toBeLessThan(1_500);
    await fetch(`${workerd.url}/post`);
    await until(async () => ((await told()) as string[]).includes('unavailable'), { message: 'what was posted' });
    await server.restart();
    expect(await call('/publish')).toMatchObject({ code: 'ok' });
  });

  test('a server that does not answer is unavailable by the deadline', async () => {
    await server.pause();
    const silent = (await call('/publish')) as { readonly code: string; readonly ms: number };
    server.resume();
    expect(silent.code).toBe('unavailable');
    expect(silent.ms).toBeLessThan(2_000);
  });
});
