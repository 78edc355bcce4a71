// The layout record on a real Redis: written once, told again to a server that forgot it, and processes that would spread keys otherwise
// do not start there.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CortexError } from '#core/errors.ts';
import { createKeys } from '#core/jobs/keys.ts';
import { assertLayout, keepLayout } from '#core/jobs/layout.ts';
import { startNats, startRedis, type TestServer } from '../helpers/servers.ts';
import { startService } from '../helpers/service-process.ts';
import { until } from '../helpers/until.ts';
import { ask, cli, connect } from './redis-clients.ts';

let server: TestServer;
let nats: TestServer;
beforeAll(async () => {
  [server, nats] = await Promise.all([startRedis(), startNats()]);
});
afterAll(() => Promise.all([server.stop(), nats.stop()]));

const flush = (): Promise<unknown> => cli(server.port, 'FLUSHALL');

test('is written once, and is one key', async () => {
  await flush();
  const redis = await connect(server);
  await assertLayout(redis, createKeys(4));
  await assertLayout(redis, createKeys(4));
  expect(await redis.get('layout')).toBe('P=4 v=1');
  expect(await ask(redis, 'DBSIZE')).toBe(1);
  expect(await ask(redis, 'TTL', 'layout')).toBe(-1);
});

test.each([
  ['another P', ['SET', 'layout', 'P=4 v=1'], 'P=4 v=1'],
  ['another version', ['SET', 'layout', 'P=1 v=2'], 'P=1 v=2'],
  ['a key of another type', ['RPUSH', 'layout', 'x'], 'something else'],
])('%s is refused in one line, and stays', async (_, write, shown) => {
  await flush();
  const redis = await connect(server);
  await ask(redis, ...write);
  const before = await ask(redis, 'DUMP', 'layout');
  await expect(assertLayout(redis, createKeys(1))).rejects.toMatchObject({
    code: 'failed_precondition',
    message: `REDIS_URL: the Redis there is laid out with ${shown} (key layout), and this process works with P=1 v=1: it would miss its jobs`,
  });
  expect(await ask(redis, 'DUMP', 'layout')).toEqual(before);
});

test('is told again to a server that forgot it; one that is another server is a fault', async () => {
  await flush();
  const redis = await connect(server);
  const faults: CortexError[] = [];
  await keepLayout(redis, createKeys(1), (error) => void faults.push(error));
  await server.restart(); // with nothing on its disk
  await until(async () => (await redis.get('layout')) === 'P=1 v=1', { message: 'the record to be written again' });
  expect(faults).toEqual([]);
  await cli(server.port, 'SET', 'layout', 'P=16 v=1');
  await cli(server.port, 'CLIENT', 'KILL', 'TYPE', 'normal');
  await until(() => faults.length > 0, { message: 'the fault to be told' });
  expect(faults).toMatchObject([{ code: 'failed_precondition' }]);
});

describe('a process that makes a store', () => {
  const entries = ['functions/gateway', 'services/scheduler', 'services/worker', 'services/orchestrator'];
  const env = (): Record<string, string> => ({
    ...{ REDIS_URL: server.url, NATS_URL: nats.url, GATEWAY_HTTP_ADDR: '127.0.0.1:0', GATEWAY_RPC_ADDR: '127.0.0.1:0' },
    SAFETY_KERNEL_ADDR: '127.0.0.1:1',
  });

  test.each(entries)('%s does not start on a Redis that is laid out otherwise', async (entry) => {
    await flush();
    await cli(server.port, 'SET', 'layout', 'P=4 v=1');
    await expect(startService(`${entry}/node.ts`, env(), ['never'])).rejects.toThrow(
      /ended: cortex-[a-z-]+: REDIS_URL: the Redis there is laid out with P=4 v=1 .* this process works with P=1 v=1/,
    );
    expect(await cli(server.port, 'DBSIZE')).toBe(1);
  });

  test.each(entries)('%s writes the record', async (entry) => {
    await flush();
    const service = await startService(`${entry}/node.ts`, env(), ['metrics']);
    await until(async () => (await cli(server.port, 'GET', 'layout')) === 'P=1 v=1', { message: 'the record' });
    await service.kill();
  });
});
