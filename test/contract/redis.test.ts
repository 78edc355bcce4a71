// The Redis driver over TCP keeps the contract of the port; bytes, the connection, and its URL are its own.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { script } from '#core/redis/redis.ts';
import { startRedis, type TestServer } from '../helpers/servers.ts';
import { until } from '../helpers/until.ts';
import { testRedis } from './redis.ts';
import { cli, connect, echo, spin } from './redis-clients.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(async () => {
  await server.stop();
});

testRedis('TCP', { server: () => server, open: () => connect(server), many: 2_000, sharesLoading: true });

test('bytes go there and back', async () => {
  const redis = await connect(server);
  const store = script('store', "redis.call('SET', KEYS[1], ARGV[1]) return {#ARGV[1], ARGV[2]}");
  const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => (i * 7) % 256);
  const view = bytes.subarray(10, 50_010);
  expect(await redis.runBytes(store, ['bytes'], [view, 'text'])).toEqual([50_000, 'text']);
  const back = await redis.getBytes('bytes');
  expect(back).toBeInstanceOf(Uint8Array);
  expect(Buffer.isBuffer(back)).toBe(false);
  expect(Buffer.compare(back ?? new Uint8Array(), view)).toBe(0);
  expect(await redis.runBytes(store, ['bytes'], [new Uint8Array(), ''])).toEqual([0, '']);
  expect(await redis.getBytes('bytes')).toEqual(new Uint8Array());
  expect(await redis.getBytes('missing')).toBeNull();
});

test('counts one call for each get, set and run', async () => {
  const redis = await connect(server);
  await redis.run(echo, [], []);
  const before = redis.calls;
  await Promise.all([redis.get('a'), redis.set('a', 'b'), redis.run(echo, [], []), redis.getBytes('a')]);
  await redis.runBytes(echo, [], [new Uint8Array(1)]);
  await redis.durability();
  await redis.assertNoEviction();
  expect(redis.calls - before).toBe(5);
});

test('shows its name, and is gone after close, which waits for what is under way', async () => {
  const [redis, other] = [await connect(server, { name: 'scheduler-1' }), await connect(server)];
  const clients = async () => String(await cli(server.port, 'CLIENT', 'LIST'));
  expect(await clients()).toContain('name=scheduler-1');
  const states: string[] = [];
  redis.onState((state) => states.push(state));
  const last = redis.run(spin, [], [50]);
  await Promise.all([redis.close(), redis.close()]);
  expect(await last).toBe(1);
  expect(redis.state).toBe('closed');
  expect(states).toEqual(['closed']);
  await until(async () => !(await clients()).includes('name=scheduler-1'));
  await expect(redis.get('a')).rejects.toMatchObject({ code: 'unavailable' });
  expect(await other.get('missing')).toBeNull();
});

test.each(['', 'localhost:6379', 'http://localhost', 'redis://', 'redis://localhost/x', 'redis://a:b:c'])(
  'refuses the URL %j',
  async (url) => {
    await expect(connect({ url })).rejects.toMatchObject({ code: 'invalid_argument', field: 'url' });
  },
);

test('uses the database of the URL', async () => {
  const [zero, three] = [await connect(server), await connect({ url: `${server.url}/3` })];
  await three.set('only-in-three', '3');
  expect(await zero.get('only-in-three')).toBeNull();
  expect(await three.get('only-in-three')).toBe('3');
});
