// Configuration in Redis, on a real one: versions, what is refused, and how soon a change is seen.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { findConfig } from '#core/config/find.node.ts';
import { createStoredSource, pushConfig, readConfig, storedKey } from '#core/config/stored.ts';
import { digestOf } from '#core/jobs/submission.ts';
import { connectRedis } from '#core/redis/ioredis.node.ts';
import { type RedisConnection, script } from '#core/redis/redis.ts';
import { err, ok } from '#core/result.ts';
import { startRedis, type TestServer } from '../helpers/servers.ts';

const command = script('command', `return redis.call(unpack(ARGV))`);

let server: TestServer;
let redis: RedisConnection;
const connect = () => connectRedis({ url: server.url, name: 'test', onError: () => undefined });
beforeAll(async () => {
  server = await startRedis();
  redis = await connect();
});
beforeEach(() => redis.run(command, [], ['FLUSHALL']));
afterAll(async () => {
  await redis.close();
  await server.stop();
});

describe('a configuration in Redis', () => {
  test('has a version that grows with every change, and stays with the same text', async () => {
    expect(await readConfig(redis, 'policy')).toBeUndefined();
    const first = await pushConfig(redis, 'policy', 'a: 1\n');
    expect(first).toEqual({
      version: { sequence: expect.any(Number) as number, hash: digestOf('a: 1\n') },
      changed: true,
    });
    expect(Math.abs(first.version.sequence - Date.now())).toBeLessThan(10_000);
    expect(await pushConfig(redis, 'policy', 'a: 1\n')).toEqual({ ...first, changed: false });
    let last = first.version.sequence;
    for (let i = 0; i < 20; i++) {
      const { version } = await pushConfig(redis, 'policy', `a: ${i % 2 === 0 ? 'é' : '1'}\n`);
      expect(version.sequence).toBeGreaterThan(last);
      last = version.sequence;
    }
    expect(await readConfig(redis, 'policy')).toEqual({
      version: { sequence: last, hash: digestOf('a: 1\n') },
      text: 'a: 1\n',
    });
  });

  test('keeps each name by itself', async () => {
    await pushConfig(redis, 'keys', 'the keys');
    expect(await readConfig(redis, 'pools')).toBeUndefined();
    expect(await readConfig(redis, 'keys')).toMatchObject({ text: 'the keys' });
  });

  test.each([
    ['another text', ['HSET', storedKey('keys'), 'text', 'by hand']],
    ['no text', ['HDEL', storedKey('keys'), 'text']],
    ['no sequence', ['HSET', storedKey('keys'), 'sequence', 'soon']],
  ])('that holds %s by somebody else is refused', async (_, change) => {
    await pushConfig(redis, 'keys', 'ours');
    await redis.run(command, [], change);
    await expect(readConfig(redis, 'keys')).rejects.toMatchObject({ code: 'data_loss' });
  });

  test('that is a key of another type is refused', async () => {
    await redis.set(storedKey('keys'), 'text');
    await expect(readConfig(redis, 'keys')).rejects.toMatchObject({ code: 'data_loss' });
  });
});

describe('a source of it', () => {
  const open = (everyMs?: number) => {
    let time = 5_000;
    const current = createStoredSource({
      ...{ redis, name: 'policy' as const, clock: { monotonic: () => time } },
      parse: (text) => (text.startsWith('bad') ? err(['is bad', 'is very bad']) : ok({ text })),
      ...(everyMs === undefined ? {} : { everyMs }),
    });
    return { current, advance: (ms: number) => void (time += ms) };
  };

  test('looks once a second, and answers the same object until it changes', async () => {
    const { current, advance } = open();
    expect(await current()).toEqual(ok(undefined));
    await pushConfig(redis, 'policy', 'one');
    advance(999);
    expect(await current()).toEqual(ok(undefined));
    advance(1);
    const first = await current();
    expect(first).toMatchObject({ ok: true, value: { value: { text: 'one' } } });
    const before = redis.calls;
    expect(await current()).toBe(first);
    expect(redis.calls).toBe(before);
    advance(1_000);
    expect(await current()).toBe(first);
    await pushConfig(redis, 'policy', 'two');
    advance(1_000);
    expect(await current()).toMatchObject({ ok: true, value: { value: { text: 'two' } } });
  });

  test('a text that cannot be used is told with every problem, and the one before is not used instead', async () => {
    const { current, advance } = open();
    await pushConfig(redis, 'policy', 'one');
    expect((await current()).ok).toBe(true);
    await pushConfig(redis, 'policy', 'bad');
    advance(1_000);
    const told = await current();
    expect(told).toMatchObject({ ok: false, error: { code: 'failed_precondition' } });
    if (!told.ok) expect(told.error.message).toMatch(/^config:policy \(\d+:.*\): is bad; is very bad$/);
    await pushConfig(redis, 'policy', 'three');
    advance(1_000);
    expect(await current()).toMatchObject({ ok: true, value: { value: { text: 'three' } } });
  });

  test('a Redis that is away is told at once, and asked again by the next', async () => {
    const own = await startRedis();
    const connection = await connectRedis({
      url: own.url,
      name: 'test',
      onError: () => undefined,
      commandTimeoutMs: 200,
    });
    const current = createStoredSource({
      ...{ redis: connection, name: 'policy' as const, clock: { monotonic: () => performance.now() }, everyMs: 0 },
      parse: (text) => ok(text),
    });
    await own.kill();
    expect(await current()).toMatchObject({ ok: false, error: { code: 'unavailable' } });
    await own.restart();
    await connection.set('x', 'y').catch(() => undefined);
    await connection.close();
    await own.stop();
  });
});

describe('a process that reads it', () => {
  test('takes the file, or what is in Redis when the path says so', async () => {
    await pushConfig(redis, 'pools', 'topics: {}');
    expect(await findConfig('/nothing/there.yaml', 'pools', connect)).toEqual({
      path: '/nothing/there.yaml',
      text: undefined,
    });
    expect(await findConfig('redis', 'pools', connect)).toEqual({ path: 'config:pools in Redis', text: 'topics: {}' });
    expect(await findConfig('redis', 'timeouts', connect)).toMatchObject({
      text: undefined,
      fault: expect.stringContaining('cortex config push') as string,
    });
    const nowhere = () =>
      connectRedis({ url: 'redis://127.0.0.1:1', name: 'test', onError: () => undefined, connectMs: 100 });
    expect(await findConfig('redis', 'pools', nowhere)).toMatchObject({
      fault: expect.stringContaining('127.0.0.1:1') as string,
    });
  });
});
