// The Redis driver over TCP on a real redis-server: replies as the port promises them, refusals as our errors, and a server that
// is killed, stopped, loading, a replica or in need of a password.
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { CortexError, isRetryable } from '#core/errors.ts';
import { type ConnectRedisOptions, connectRedis, scriptDigest } from '#core/redis/ioredis.node.ts';
import { type RedisConnection, script } from '#core/redis/redis.ts';
import { freePort } from '../../local/servers/ports.ts';
import { startRedis, type TestServer } from '../helpers/servers.ts';
import { until } from '../helpers/until.ts';

const open: RedisConnection[] = [];
const errors: CortexError[] = [];

async function connect(server: { readonly url: string }, options: Partial<ConnectRedisOptions> = {}) {
  const onError = (error: CortexError): void => void errors.push(error);
  const redis = await connectRedis({ url: server.url, name: 'contract', onError, ...options });
  open.push(redis);
  return redis;
}

afterEach(async () => {
  for (const redis of open.splice(0)) await redis.close();
  expect(errors.splice(0)).toEqual([]);
});

const echo = script('echo', 'return ARGV');
const raw = script('raw', 'return redis.call(unpack(ARGV))');
/** Keeps the server busy for so many milliseconds. */
const spin = script(
  'spin',
  `local function at() local t = redis.call('TIME') return t[1] * 1000 + t[2] / 1000 end
  local start = at() while at() - start < tonumber(ARGV[1]) do end return 1`,
);
const ask = (redis: RedisConnection, ...command: (string | number)[]) => redis.run(raw, [], command);

describe('calls', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(async () => {
    await server.stop();
  });

  test('get and set, with and without an end', async () => {
    const redis = await connect(server);
    expect(await redis.get('missing')).toBeNull();
    await redis.set('key', 'välue\r\n\u0000');
    expect(await redis.get('key')).toBe('välue\r\n\u0000');
    expect(await ask(redis, 'PTTL', 'key')).toBe(-1);
    await redis.set('key', '', { ttlMs: 60_000 });
    expect(await redis.get('key')).toBe('');
    expect(await ask(redis, 'PTTL', 'key')).toSatisfy((ttl) => Number(ttl) > 50_000 && Number(ttl) <= 60_000);
    await redis.set('key', 'again');
    expect(await ask(redis, 'PTTL', 'key')).toBe(-1);
  });

  test('replies of scripts: nested, numbers as numbers, text as text, nothing as null', async () => {
    const redis = await connect(server);
    const shapes = script('shapes', "return {1, '1', {2, {'three', false}}, false, {}, -5, 2^52, 3.99, 'ü', ''}");
    expect(await redis.run(shapes, [], [])).toEqual([
      1,
      '1',
      [2, ['three', null]],
      null,
      [],
      -5,
      4503599627370496,
      3,
      'ü',
      '',
    ]);
    const say = (source: string) => redis.run(script('one', source), [], []);
    expect(await say('return false')).toBeNull();
    expect(await say('return true')).toBe(1);
    expect(await say('return nil')).toBeNull();
    expect(await say('return {1, nil, 3}')).toEqual([1]); // Lua's own: a list ends at its first nil
    expect(await say("return redis.status_reply('FINE')")).toBe('FINE');
    expect(await say("return redis.call('HMGET', 'none', 'a', 'b')")).toEqual([null, null]);
    expect(await say("return redis.call('HGETALL', 'none')")).toEqual([]);
    expect(await say("return string.format('%.0f', 2^60)")).toBe('1152921504606846976');
  });

  test('keys and arguments arrive as text, numbers in full', async () => {
    const redis = await connect(server);
    const both = script('both', 'return {KEYS, ARGV}');
    expect(await redis.run(both, ['a', 'b'], [1, 1732294023123, 'x y', '', 1.5])).toEqual([
      ['a', 'b'],
      ['1', '1732294023123', 'x y', '', '1.5'],
    ]);
  });

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

  test('a script is loaded once, and again when the server forgot it', async () => {
    const redis = await connect(server);
    const fresh = script('fresh', `return {'${crypto.randomUUID()}', ARGV[1]}`);
    const before = redis.calls;
    await redis.run(fresh, [], [1]);
    expect(redis.calls - before).toBe(3); // EVALSHA, SCRIPT LOAD, EVALSHA
    await redis.run(fresh, [], [2]);
    expect(redis.calls - before).toBe(4);
    expect(await cli(server.port, 'SCRIPT', 'EXISTS', scriptDigest(fresh))).toEqual([1]);
    await cli(server.port, 'SCRIPT', 'FLUSH');
    const after = redis.calls;
    const many = await Promise.all(Array.from({ length: 20 }, (_, i) => redis.run(fresh, [], [i])));
    expect(many.map((reply) => (reply as string[])[1])).toEqual(Array.from({ length: 20 }, (_, i) => String(i)));
    expect(redis.calls - after).toBe(41); // 20 refused, one load for all, 20 again
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

  test('many calls at once answer each their own', async () => {
    const redis = await connect(server);
    const replies = await Promise.all(Array.from({ length: 2_000 }, (_, i) => redis.run(echo, [], [i])));
    expect(replies).toEqual(Array.from({ length: 2_000 }, (_, i) => [String(i)]));
  });

  test("a script's own failure is ours to repair, with the server's words in the cause", async () => {
    const redis = await connect(server);
    await redis.set('text', 'not a hash');
    const broken = script('broken', "return redis.call('HGET', KEYS[1], 'a')");
    const error = await redis.run(broken, ['text'], []).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'internal', message: expect.stringContaining('broken') as string });
    expect(String((error as CortexError).cause)).toContain('WRONGTYPE');
    expect(isRetryable(error)).toBe(false);
    const wrong = redis.run(script('syntax', 'this is not Lua'), [], []);
    await expect(wrong).rejects.toMatchObject({
      code: 'internal',
      message: expect.stringContaining('syntax') as string,
    });
  });

  test.each([
    ['LOADING Redis is loading the dataset in memory', 'unavailable'],
    ["MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", 'unavailable'],
    ['CLUSTERDOWN Hash slot not served', 'unavailable'],
    ['BUSY Redis is busy running a script.', 'unavailable'],
    ['MISCONF Redis is configured to save RDB snapshots', 'unavailable'],
    ["OOM command not allowed when used memory > 'maxmemory'.", 'resource_exhausted'],
    ['NOPERM this user has no permissions', 'permission_denied'],
    ['ERR anything else', 'internal'],
  ])('%s is %s', async (refusal, code) => {
    const redis = await connect(server);
    const say = script('say', 'return redis.error_reply(ARGV[1])');
    const failed = redis.run(say, [], [refusal]);
    await expect(failed).rejects.toMatchObject({ code, cause: { message: refusal } });
  });

  test('a signal gives up waiting', async () => {
    const redis = await connect(server);
    const aborted = redis.run(echo, [], [], { signal: AbortSignal.abort() });
    await expect(aborted).rejects.toMatchObject({ code: 'canceled' });
    const controller = new AbortController();
    const waiting = redis.run(spin, [], [300], { signal: controller.signal });
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'canceled' });
    expect(await redis.run(echo, [], ['next'], { signal: new AbortController().signal })).toEqual(['next']);
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
});

describe('a server that fails', () => {
  test('killed: what is under way and what comes is refused in time, and calls go on after the restart', async () => {
    const server = await startRedis({ appendonly: true, appendfsync: 'always' });
    const redis = await connect(server, { commandTimeoutMs: 500 });
    await redis.set('kept', 'yes');
    await Promise.all([redis.run(echo, [], []), redis.run(spin, [], [0])]);
    const states: string[] = [];
    redis.onState((state) => states.push(state));
    const underWay = redis.run(spin, [], [5_000]).catch((error: unknown) => error);
    await server.kill();
    expect(await underWay).toMatchObject({ code: 'unavailable' });
    await until(() => redis.state === 'disconnected');
    const before = redis.calls;
    const began = performance.now();
    const results = await Promise.allSettled([redis.get('kept'), redis.set('a', 'b'), redis.run(echo, [], [])]);
    for (const result of results) expect(result).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } });
    const took = performance.now() - began;
    expect(took).toBeGreaterThan(400);
    expect(took).toBeLessThan(1_500);
    expect(redis.calls - before).toBe(3);
    await server.restart();
    await until(() => redis.state === 'connected', { timeout: 10_000 });
    expect(await redis.get('kept')).toBe('yes');
    expect(await redis.get('a')).toBeNull(); // nothing was kept for later
    expect(await redis.run(echo, [], ['x'])).toEqual(['x']); // the restart forgot the script
    expect(states).toEqual(['disconnected', 'connected']);
    await redis.close();
    await server.stop();
  });

  test('a call bridges a short absence', async () => {
    const server = await startRedis();
    const redis = await connect(server, { commandTimeoutMs: 10_000 });
    await server.kill();
    await until(() => redis.state === 'disconnected');
    const waiting = redis.run(echo, [], ['kept']);
    await server.restart();
    expect(await waiting).toEqual(['kept']);
    await redis.close();
    await server.stop();
  });

  test('a broken connection never sends a call twice', async () => {
    const server = await startRedis();
    const redis = await connect(server);
    const count = script('count', "return redis.call('INCR', KEYS[1])");
    await redis.run(count, ['n'], []);
    let answered = 1;
    let refused = 0;
    for (let round = 0; round < 5; round++) {
      const calls = Array.from({ length: 500 }, () => redis.run(count, ['n'], []));
      const cut = cutConnections(server.port);
      for (const result of await Promise.allSettled(calls)) {
        if (result.status === 'fulfilled') answered++;
        else {
          expect(result.reason).toMatchObject({ code: 'unavailable' });
          refused++;
        }
      }
      await cut;
      await until(() => redis.state === 'connected');
    }
    const counted = Number(await redis.get('n'));
    expect(counted).toBeGreaterThanOrEqual(answered);
    expect(counted).toBeLessThanOrEqual(answered + refused);
    await redis.close();
    await server.stop();
  });

  test('stopped: calls time out, the silence is told, and all is well when it goes on', async () => {
    const server = await startRedis();
    const redis = await connect(server, { commandTimeoutMs: 400 });
    await server.pause();
    const began = performance.now();
    await expect(redis.get('a')).rejects.toMatchObject({ code: 'unavailable' });
    expect(performance.now() - began).toBeLessThan(1_200);
    await until(() => redis.state === 'disconnected', { timeout: 4_000 });
    await expect(redis.get('a')).rejects.toMatchObject({ code: 'unavailable' });
    server.resume();
    await until(() => redis.state === 'connected', { timeout: 10_000 });
    expect(await redis.get('a')).toBeNull();
    await redis.close();
    await server.stop();
  });

  test('out of memory is told apart', async () => {
    const server = await startRedis({ args: ['--maxmemory', '1'] });
    const redis = await connect(server);
    await expect(redis.set('a', 'b')).rejects.toMatchObject({ code: 'resource_exhausted' });
    const write = script('write', "return redis.call('SET', KEYS[1], ARGV[1])");
    await expect(redis.run(write, ['a'], ['b'])).rejects.toMatchObject({ code: 'resource_exhausted' });
    await redis.close();
    await server.stop();
  });

  test('a replica refuses writes as unavailable', async () => {
    const server = await startRedis();
    const redis = await connect(server);
    await cli(server.port, 'REPLICAOF', '127.0.0.1', String(await freePort()));
    const write = script('write', "return redis.call('SET', KEYS[1], ARGV[1])");
    await expect(redis.run(write, ['a'], ['b'])).rejects.toMatchObject({ code: 'unavailable' });
    await cli(server.port, 'REPLICAOF', 'NO', 'ONE');
    await until(() =>
      redis.run(write, ['a'], ['b']).then(
        () => true,
        () => false,
      ),
    );
    await redis.close();
    await server.stop();
  });

  test('one that comes later is waited for, one that never comes is named', async () => {
    const port = await freePort();
    const connecting = connect({ url: `redis://127.0.0.1:${port}` });
    const late = await startRedis({ port });
    expect(await (await connecting).get('a')).toBeNull();
    for (const redis of open.splice(0)) await redis.close();
    await late.stop();
    const failed = connect({ url: `redis://u:hidden@127.0.0.1:${port}` }, { connectMs: 300 });
    await expect(failed).rejects.toMatchObject({ code: 'unavailable' });
    await expect(failed).rejects.toThrow(`redis://127.0.0.1:${port}`);
    await expect(failed).rejects.not.toThrow('hidden');
  });

  test('a password that is missing or wrong is told at once', async () => {
    const server = await startRedis();
    await cli(server.port, 'ACL', 'SETUSER', 'worker', 'on', '>se:cret', '~*', '+@all');
    await cli(server.port, 'ACL', 'SETUSER', 'default', '-@all', '+auth', '+ping');
    const address = `127.0.0.1:${server.port}`;
    const wrong = connect({ url: `redis://worker:wrong@${address}` });
    await expect(wrong).rejects.toMatchObject({ code: 'unauthenticated' });
    await expect(wrong).rejects.not.toThrow('wrong@');
    const right = await connect({ url: `redis://worker:${encodeURIComponent('se:cret')}@${address}` });
    expect(await right.get('a')).toBeNull();
    await right.close();
    await server.stop();
  });
});

describe('durability', () => {
  test.each([
    [{ appendonly: true, appendfsync: 'always' }, 'always'],
    [{ appendonly: true, appendfsync: 'everysec' }, 'everysec'],
    [{ appendonly: true, args: ['--appendfsync', 'no'] }, 'none'],
    [{ appendonly: false, args: ['--save', '60 1'] }, 'none'],
  ] as const)('%j is %s', async (options, expected) => {
    const server = await startRedis(options);
    const redis = await connect(server);
    expect(await redis.durability()).toEqual({
      class: expected,
      evictionPolicy: 'noeviction',
      log: options.appendonly,
      logFailing: false,
      snapshots: 'args' in options && options.args[0] === '--save' ? '60 1' : '',
    });
    await redis.assertNoEviction();
    await redis.close();
    await server.stop();
  });

  test('a server without CONFIG tells what INFO knows', async () => {
    const server = await startRedis({ appendonly: true, args: ['--rename-command', 'CONFIG', ''] });
    const redis = await connect(server);
    expect(await redis.durability()).toMatchObject({ class: 'unknown', log: true, evictionPolicy: 'noeviction' });
    await redis.assertNoEviction();
    await redis.close();
    await server.stop();
  });

  test.each([
    [['--maxmemory-policy', 'allkeys-lru']],
    [['--maxmemory-policy', 'volatile-ttl', '--rename-command', 'CONFIG', '']],
  ])('a server with %j is refused by the name of its policy', async (args) => {
    const server = await startRedis({ args });
    const redis = await connect(server);
    const refused = redis.assertNoEviction();
    await expect(refused).rejects.toMatchObject({ code: 'failed_precondition' });
    await expect(refused).rejects.toThrow(args[1]);
    await redis.close();
    await server.stop();
  });
});

/** One command by a client of its own. */
async function cli(port: number, name: string, ...args: string[]): Promise<unknown> {
  const client = new Redis(port, '127.0.0.1');
  try {
    return await client.call(name, ...args);
  } finally {
    client.disconnect();
  }
}

/** Cuts every other connection in the middle of what it does. */
const cutConnections = (port: number): Promise<unknown> =>
  cli(port, 'CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
