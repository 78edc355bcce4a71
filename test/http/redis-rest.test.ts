// The REST front of Redis against the client that it is for: replies as Upstash gives them, refusals in Redis's words, and who may ask.
import { type RedisConfigNodejs, Redis as UpstashClient } from '@upstash/redis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createBackend } from '../../local/redis-rest/backend.ts';
import { type RedisRestFront, startRedisRest } from '../helpers/redis-rest.ts';
import { startRedis, type TestServer } from '../helpers/servers.ts';
import { until } from '../helpers/until.ts';

let server: TestServer;
let front: RedisRestFront;
beforeAll(async () => {
  server = await startRedis();
  front = await startRedisRest(server.url, { maxRequestBytes: 100_000, maxStreams: 3 });
});
afterAll(async () => {
  await front.stop();
  await server.stop();
  expect(front.errors).toEqual([]);
});

const client = (options: Partial<RedisConfigNodejs> = {}) =>
  new UpstashClient({ url: front.url, token: front.token, retry: { retries: 0 }, enableTelemetry: false, ...options });

interface Sent {
  readonly path?: string;
  readonly headers?: Record<string, string>;
}
async function post(body: unknown, { path = '/', headers = {} }: Sent = {}) {
  const answer = await fetch(`${front.url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${front.token}`, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: answer.status, body: (await answer.json()) as unknown };
}
const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe.each([
  ['as base64', {}],
  ['as plain JSON', { responseEncoding: false }],
  ['gathered by the client', { enableAutoPipelining: true }],
] as const)("Upstash's client, %s", (_, options) => {
  test('gets and sets', async () => {
    const redis = client(options);
    expect(await redis.set('k', 'välue 👋')).toBe('OK');
    expect(await redis.get('k')).toBe('välue 👋');
    expect(await redis.get('none')).toBeNull();
    expect(await redis.set('k', { a: [1, 'OK'] }, { px: 60_000 })).toBe('OK');
    expect(await redis.get('k')).toEqual({ a: [1, 'OK'] });
    expect(await redis.pttl('k')).toBeGreaterThan(50_000);
    expect(await redis.incrby('n:' + String(Math.random()), 5)).toBe(5);
    expect(await redis.hset('h', { a: '1', b: 'two' })).toBeTypeOf('number');
    expect(await redis.hgetall('h')).toEqual({ a: 1, b: 'two' });
    expect(await redis.del('h')).toBe(1);
  });

  test('runs scripts', async () => {
    const redis = client(options);
    expect(await redis.eval("return {KEYS[1], ARGV[1], 7, {'in', {'deep', false}}}", ['key'], ['arg'])).toEqual([
      ...['key', 'arg', 7],
      ['in', ['deep', null]],
    ]);
    await expect(redis.evalsha('0'.repeat(40), [], [])).rejects.toThrow('NOSCRIPT');
    const digest = await redis.scriptLoad("return 'loaded'");
    expect(await redis.evalsha(digest, [], [])).toBe('loaded');
    expect(await redis.scriptExists(digest)).toEqual([1]);
    await expect(redis.eval("return redis.call('HGET', KEYS[1], 'a')", ['k'], [])).rejects.toThrow('WRONGTYPE');
  });

  test('sends many at once, each with its own answer', async () => {
    const redis = client(options);
    const answers = await redis.pipeline().set('a', 1).get('a').lpush('a', 'x').get('none').exec({ keepErrors: true });
    expect(answers.map(({ result, error }) => error?.split(' ')[0] ?? result)).toEqual(['OK', 1, 'WRONGTYPE', null]);
    const none = client(options).multi().set('b', 'one').get('b').lrange('none', 0, -1).exec();
    expect(await none).toEqual(['OK', 'one', []]);
    const many = await Promise.all(Array.from({ length: 50 }, (__, i) => redis.echo(String(i))));
    expect(many.map(String)).toEqual(Array.from({ length: 50 }, (__, i) => String(i)));
  });
});

test('answers in the form of the dialect', async () => {
  expect(await post(['set', 'k', 'v'])).toEqual({ status: 200, body: { result: 'OK' } });
  expect(await post(['GET', 'none'])).toEqual({ status: 200, body: { result: null } });
  expect(await post(['set', 'k', 12.5])).toEqual({ status: 200, body: { result: 'OK' } });
  expect(await post(['hget', 'k', 'a'])).toEqual({
    status: 400,
    body: { error: 'WRONGTYPE Operation against a key holding the wrong kind of value' },
  });
  const headers = { 'upstash-encoding': 'base64' };
  expect(await post(['EVAL', "return {'a', 1, {'b', {false, 'ü'}}}", 0], { headers })).toEqual({
    status: 200,
    body: { result: [base64('a'), 1, [base64('b'), [null, base64('ü')]]] },
  });
  const bytes = await post(['EVAL', "return '\\255\\0\\128'", 0], { headers });
  expect(bytes.body).toEqual({ result: Buffer.from([255, 0, 128]).toString('base64') });
  const pipeline = await post([['get', 'k'], ['hget', 'k', 'a'], ['CONFIG', 'GET', '*'], ['ping']], {
    path: '/pipeline',
    headers,
  });
  expect(pipeline).toEqual({
    status: 200,
    body: [
      { result: base64('12.5') },
      { error: 'WRONGTYPE Operation against a key holding the wrong kind of value' },
      { error: "ERR Command is not available: 'CONFIG'" },
      { result: base64('PONG') },
    ],
  });
  expect(
    await post(
      [
        ['set', 'k', '1'],
        ['hget', 'k', 'a'],
        ['incr', 'k'],
      ],
      { path: '/multi-exec' },
    ),
  ).toEqual({
    status: 200,
    body: [{ result: 'OK' }, { error: expect.stringMatching(/^WRONGTYPE/) as string }, { result: 2 }],
  });
  const refused = await post([['set', 'k', '9'], ['incr']], { path: '/multi-exec' });
  expect(refused).toEqual({ status: 400, body: { error: expect.stringMatching(/^EXECABORT/) as string } });
  expect((await post([['set', 'k', '9'], ['monitor']], { path: '/multi-exec' })).status).toBe(400);
  expect((await post(['GET', 'k'])).body).toEqual({ result: '2' });
});

test('transactions of many clients at once do not mix', async () => {
  await post(['DEL', 'mixed']);
  const one = (i: number) =>
    post(
      [
        ['RPUSH', 'mixed', `${i}`],
        ['RPUSH', 'mixed', `${i}`],
      ],
      { path: i % 2 === 0 ? '/multi-exec' : '/pipeline' },
    );
  const other = (i: number) => post(['SET', 'other', `${i}`]);
  const all = await Promise.all(Array.from({ length: 60 }, (_, i) => (i % 3 === 0 ? other(i) : one(i))));
  expect(all.map(({ status }) => status)).toEqual(all.map(() => 200));
  expect((await post(['LLEN', 'mixed'])).body).toEqual({ result: 80 });
});

test.each([
  ...[
    'SUBSCRIBE c',
    'PSUBSCRIBE *',
    'MONITOR',
    'BLPOP l 0',
    'BRPOP l 0',
    'XREAD BLOCK 0 STREAMS s $',
    'WAIT 1 0',
    'KEYS *',
  ],
  ...[
    'CONFIG GET *',
    'SHUTDOWN',
    'CLIENT KILL TYPE normal',
    'AUTH x',
    'HELLO 3',
    'SELECT 1',
    'FLUSHALL',
    'FLUSHDB',
    'DEBUG SLEEP 9',
  ],
  ...[
    'SCRIPT FLUSH',
    'SCRIPT KILL',
    'MULTI',
    'EXEC',
    'WATCH k',
    'RESET',
    'QUIT',
    'REPLICAOF a 1',
    'MIGRATE',
    'SAVE',
    'ACL LIST',
    'MODULE LIST',
  ],
  ...['FUNCTION FLUSH', 'CLUSTER RESET', 'OBJECT', 'INFO', 'config get *', 'get\r\nFLUSHALL', '__proto__'],
])('%s is not passed on', async (line) => {
  const answer = await post(line.includes('\r') ? [line] : line.split(' '));
  expect(answer).toEqual({
    status: 400,
    body: { error: expect.stringMatching(/^ERR Command is not available: '/) as string },
  });
  expect((await post(['PING'])).status).toBe(200);
});

test.each([
  ['no JSON', '{', 'the body'],
  ['no list', { a: 1 }, 'command'],
  ['an empty list', [], 'command'],
  ['no name', [1, 'a'], 'command'],
  ['a list inside', ['SET', 'a', ['b']], 'command'],
  ['null inside', ['SET', 'a', null], 'command'],
  ['text', '"GET a"', 'command'],
])('%s is one clear error', async (_, body, what) => {
  const answer = await post(body);
  expect(answer).toEqual({
    status: 400,
    body: { error: expect.stringContaining(`ERR Failed to parse ${what}`) as string },
  });
  const many = await post(body, { path: '/pipeline' });
  expect(many.status).toBe(400);
});

test('a body over the limit is refused, told or not, and the next request is served', async () => {
  const large = JSON.stringify(['SET', 'large', 'x'.repeat(100_000)]);
  const error = { error: 'ERR max request size exceeded. Limit: 100000 bytes' };
  expect(await post(large)).toEqual({ status: 413, body: error });
  const streamed = await fetch(front.url, {
    method: 'POST',
    headers: { authorization: `Bearer ${front.token}` },
    body: new Blob([large]).stream(),
    duplex: 'half',
  } as RequestInit);
  expect({ status: streamed.status, body: await streamed.json() }).toEqual({ status: 413, body: error });
  expect((await post(['EXISTS', 'large'])).body).toEqual({ result: 0 });
});

test('nothing else is there; the health is for everybody', async () => {
  expect((await post([], { path: '/set/a/b' })).status).toBe(404);
  const health = await fetch(`${front.url}/health`);
  expect({ status: health.status, body: await health.json() }).toEqual({ status: 200, body: { status: 'ok' } });
});

describe('who may ask', () => {
  test.each([undefined, '', 'Bearer', 'Bearer ', 'Bearer wrong', 'bearer x', 'Basic eDp5', 'token'])(
    'with %j nobody',
    async (authorization) => {
      const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
      for (const path of ['/', '/pipeline', '/multi-exec', '/subscribe/c', '/nothing']) {
        const answer = await fetch(`${front.url}${path}`, { method: 'POST', headers, body: '["PING"]' });
        expect({ status: answer.status, body: await answer.json() }).toEqual({
          status: 401,
          body: { error: 'WRONGPASS invalid or missing auth token' },
        });
      }
    },
  );

  test('without a token this machine alone, and no web page', async () => {
    const open = await startRedisRest(server.url, { token: null });
    const ask = async (headers: Record<string, string>) => {
      const answer = await fetch(open.url, { method: 'POST', headers, body: '["PING"]' });
      return { status: answer.status, body: (await answer.json()) as { error?: string } };
    };
    expect(await ask({})).toEqual({ status: 200, body: { result: 'PONG' } });
    expect(await ask({ authorization: 'Bearer any' })).toEqual({ status: 200, body: { result: 'PONG' } });
    const page = await ask({ origin: 'https://somewhere.example' });
    expect(page).toMatchObject({ status: 403, body: { error: expect.stringMatching(/^NOPERM /) as string } });
    await open.stop();
  });
});

describe('a subscription', () => {
  test("brings messages to Upstash's client, and ends with it", async () => {
    const subscriber = client({ automaticDeserialization: false }).subscribe<string>(['news/of:all']);
    const got: string[] = [];
    let counted = 0;
    subscriber.on('subscribe', (count) => void (counted = count));
    subscriber.on('message', ({ message }) => void got.push(message));
    await until(() => counted === 1);
    expect(await client().publish('news/of:all', 'first, with a comma')).toBe(1);
    await client().publish('news/of:all', '{"a":"ü"}');
    await client().publish('another', 'not for it');
    await until(() => got.length === 2);
    expect(got).toEqual(['first, with a comma', '{"a":"ü"}']);
    await subscriber.unsubscribe();
    await until(async () => (await client().publish('news/of:all', 'nobody')) === 0);
  });

  test('is not taken away by one that ends while it begins', async () => {
    const backend = createBackend({ url: server.url, onTrouble: () => undefined });
    const got: string[] = [];
    const follower = (name: string) => ({
      message: (text: string) => void got.push(`${name} ${text}`),
      lost: () => undefined,
    });
    const stop = await backend.follow('shared', follower('first'));
    const second = backend.follow('shared', follower('second'));
    stop();
    const stopSecond = await second;
    await backend.run([['PUBLISH', 'shared', 'hi']]);
    await until(() => got.length > 0, { message: 'the message' });
    expect(got).toEqual(['second hi']);
    stopSecond();
    await until(async () => (await client().publish('shared', 'nobody')) === 0);
    backend.close();
  });

  test('many of one channel share it; too many are refused; the loss of Redis ends them', async () => {
    const mine = await startRedis();
    const before = await startRedisRest(mine.url, { maxStreams: 2 });
    const headers = { authorization: `Bearer ${before.token}` };
    const open = () => fetch(`${before.url}/subscribe/c`, { method: 'POST', headers });
    const [a, b] = [await open(), await open()];
    expect((await open()).status).toBe(429);
    const publish = () => fetch(before.url, { method: 'POST', headers, body: '["PUBLISH","c","two\\nlines"]' });
    expect(await (await publish()).json()).toEqual({ result: 1 });
    const texts = Promise.all([a.text(), b.text()]);
    await mine.kill();
    for (const text of await texts) {
      expect(text).toBe('data: subscribe,c,1\n\ndata: message,c,two\ndata: lines\n\n');
    }
    await mine.restart();
    await until(async () => {
      const again = await open();
      await again.body?.cancel();
      return again.status === 200;
    });
    await before.stop();
    await mine.stop();
  });
});

test('Redis away is 503 at once, in words that are not its own; it is all well again when Redis is', async () => {
  const mine = await startRedis();
  const before = await startRedisRest(mine.url, { commandTimeoutMs: 300 });
  const headers = { authorization: `Bearer ${before.token}` };
  const ask = async (path: string, body: string) => {
    const answer = await fetch(`${before.url}${path}`, { method: 'POST', headers, body });
    return { status: answer.status, body: (await answer.json()) as unknown };
  };
  const all = () =>
    Promise.all([
      ask('/', '["PING"]'),
      ask('/pipeline', '[["PING"],["GET","a"]]'),
      ask('/multi-exec', '[["PING"]]'),
      ask('/subscribe/c', '[]'),
    ]);
  const expected = {
    status: 503,
    body: { error: expect.stringMatching(/^Redis (is not there|did not answer)/) as string },
  };
  for (const [take, give] of [
    [mine.kill, mine.restart],
    [mine.pause, async () => Promise.resolve(mine.resume())],
  ] as const) {
    await take();
    const began = performance.now();
    expect(await all()).toEqual([expected, expected, expected, expected]);
    expect((await fetch(`${before.url}/health`)).status).toBe(503);
    expect(performance.now() - began).toBeLessThan(2_000);
    await give();
    await until(async () => (await ask('/', '["PING"]')).status === 200, { timeout: 10_000 });
  }
  await before.stop();
  await mine.stop();
});
