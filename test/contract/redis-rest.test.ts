// The Redis driver over REST keeps the contract of the port, through our front; and what only HTTP can do wrong is one clear error each.
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { script } from '#core/redis/redis.ts';
import { createUpstashRedis, type UpstashRedisOptions } from '#core/redis/upstash.ts';
import { type RedisRestFront, startRedisRest } from '../helpers/redis-rest.ts';
import { startRedis, type TestServer } from '../helpers/servers.ts';
import { until } from '../helpers/until.ts';
import { testRedis } from './redis.ts';
import { echo, spin } from './redis-clients.ts';

let server: TestServer;
let front: RedisRestFront;
beforeAll(async () => {
  server = await startRedis();
  front = await startRedisRest(server.url);
});
afterAll(async () => {
  await front.stop();
  await server.stop();
  expect(front.errors).toEqual([]);
});

const open = (options: Partial<UpstashRedisOptions> = {}) =>
  createUpstashRedis({ url: front.url, token: front.token, ...options });

testRedis('REST', {
  server: () => server,
  open: async () => Promise.resolve(open()),
  many: 100,
  sharesLoading: false,
});

test('each call is one request', async () => {
  const redis = open();
  await redis.run(echo, [], []);
  const [requests, calls] = [front.requests(), redis.calls];
  await redis.get('a');
  await redis.set('a', 'b', { ttlMs: 1_000 });
  await redis.run(echo, ['k'], ['x'.repeat(900_000)]);
  expect(front.requests() - requests).toBe(3);
  expect(redis.calls - calls).toBe(3);
});

test('a command that is larger than a request may be is not sent, and is nothing to try again', async () => {
  const redis = open({ maxRequestBytes: 1_000 });
  const before = front.requests();
  for (const text of ['x'.repeat(990), 'ü'.repeat(495), '\u0000'.repeat(165), '"'.repeat(495), '👋'.repeat(248)])
    await expect(redis.set('a', text)).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringMatching(/^SET takes 1?\d{3,4} bytes, and a request to Redis may have 1000$/) as string,
    });
  expect(front.requests()).toBe(before);
  await redis.set('a', 'x'.repeat(900));
  // A server that takes less than it is said to.
  const large = open({ maxRequestBytes: 5_000_000 }).set('a', 'x'.repeat(2_000_000));
  await expect(large).rejects.toMatchObject({ code: 'invalid_argument' });
});

test('a wrong token is refused, and is told nowhere', async () => {
  const wrong = open({ token: 'another-secret' });
  const error = await wrong.get('a').catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'unauthenticated' });
  expect(inspect(error, { depth: 9 })).not.toContain('another-secret');
});

test.each(['', 'redis://localhost', 'https://u:p@host', 'https://host?a=b', 'host:6380'])(
  'refuses the URL %j',
  (url) => {
    expect(() => open({ url })).toThrow(expect.objectContaining({ code: 'invalid_argument', field: 'url' }));
  },
);

test.each(['', 'with blank', 'line\n', 'ü'])('refuses the token %j, without showing it', (token) => {
  expect(() => open({ token })).toThrow(
    expect.objectContaining({ code: 'invalid_argument', message: 'token: must be visible ASCII characters' }),
  );
});

describe('an answer that is none', () => {
  const servers: ReturnType<typeof createServer>[] = [];
  afterEach(() => {
    for (const one of servers.splice(0)) {
      one.close();
      one.closeAllConnections();
    }
  });
  const secret = 'the-secret-token';
  let asked = 0;
  /** A Redis where something else listens. */
  async function before(listener: RequestListener) {
    asked = 0;
    const made = createServer((request, response) => {
      asked++;
      request.resume().on('end', () => listener(request, response));
    });
    servers.push(made);
    await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(made.address() as AddressInfo).port}`;
    return createUpstashRedis({ url, token: secret, commandTimeoutMs: 300 });
  }
  const html = `<html><body>Bad Gateway, you sent Bearer ${secret}</body></html>`;

  test.each<[string, RequestListener, string]>([
    ['a page of a proxy', (_, r) => r.writeHead(502, { 'content-type': 'text/html' }).end(html), 'unavailable'],
    ['a page with 200', (_, r) => r.writeHead(200).end(html), 'unavailable'],
    ['JSON of a proxy', (_, r) => r.writeHead(503).end('{"error":"upstream timed out"}'), 'unavailable'],
    ['JSON of something else', (_, r) => r.writeHead(404).end('{"title":"Not Found"}'), 'unavailable'],
    ['JSON without a result', (_, r) => r.writeHead(200).end('{}'), 'unavailable'],
    ['null', (_, r) => r.writeHead(200).end('null'), 'unavailable'],
    ['nothing', (_, r) => r.writeHead(204).end(), 'unavailable'],
    ['a line that is cut', (_, r) => r.socket?.destroy(), 'unavailable'],
    [
      'an answer that is cut',
      (_, r) => r.writeHead(200, { 'content-length': 99 }).write('{"result":"', () => r.socket?.destroy()),
      'unavailable',
    ],
    ['an answer that ends early', (_, r) => r.writeHead(200).end('{"result":"private'), 'unavailable'],
    ['an answer that never ends', (_, r) => void r.writeHead(200).write('{"result":"'), 'unavailable'],
    ['silence', () => undefined, 'unavailable'],
    ['401', (_, r) => r.writeHead(401).end('{"error":"Unauthorized"}'), 'unauthenticated'],
    [
      'a limit of a day',
      (_, r) => r.writeHead(400).end('{"error":"ERR max daily request limit exceeded."}'),
      'resource_exhausted',
    ],
    [
      'a limit of size',
      (_, r) => r.writeHead(400).end('{"error":"ERR max request size exceeded."}'),
      'invalid_argument',
    ],
    ['out of memory', (_, r) => r.writeHead(400).end('{"error":"OOM command not allowed"}'), 'resource_exhausted'],
    ['words of a pipeline', (_, r) => r.writeHead(200).end('{"error":"Command failed: READONLY x"}'), 'unavailable'],
  ])('%s', async (_, listener, code) => {
    const redis = await before(listener);
    const began = performance.now();
    const calls = [() => redis.get('a'), () => redis.set('a', 'private'), () => redis.run(echo, [], ['private'])];
    for (const call of calls) {
      const error = await call().catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ name: 'CortexError', code });
      const told = inspect(error, { depth: 9, showHidden: true });
      expect(told).not.toContain(secret);
      expect(told).not.toContain('private');
    }
    expect(performance.now() - began).toBeLessThan(3_000);
    expect(asked).toBe(3); // nothing is sent twice
  });

  test('nobody there', async () => {
    const redis = await before(() => undefined);
    servers[0]?.close();
    await until(() => servers[0]?.listening === false);
    const error = await redis.get('a').catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'unavailable',
      cause: { message: expect.stringContaining('ECONNREFUSED') as string },
    });
  });

  test('a signal closes its own request and no other', async () => {
    const closed: string[] = [];
    const redis = await before((request, response) => {
      response.on('close', () => closed.push(request.url ?? ''));
    });
    const [one, other] = [new AbortController(), new AbortController()];
    const calls = [one, other].map(({ signal }) =>
      redis.run(echo, [], [], { signal }).catch((thrown: unknown) => thrown),
    );
    await until(() => asked === 2);
    one.abort();
    expect(await calls[0]).toMatchObject({ code: 'canceled' });
    await until(() => closed.length === 1);
    expect(await calls[1]).toMatchObject({ code: 'unavailable' });
  });
});

test('a Redis that goes away behind the front is unavailable in time, and comes back', async () => {
  const mine = await startRedis({ appendonly: true, appendfsync: 'always' });
  const before = await startRedisRest(mine.url, { commandTimeoutMs: 500 });
  const redis = createUpstashRedis({ url: before.url, token: before.token });
  await redis.set('kept', 'yes');
  await redis.run(echo, [], []);
  await redis.run(spin, [], [0]);
  const underWay = redis.run(spin, [], [5_000]).catch((error: unknown) => error);
  await mine.kill();
  expect(await underWay).toMatchObject({ code: 'unavailable' });
  await expect(redis.get('kept')).rejects.toMatchObject({ code: 'unavailable' });
  await mine.restart();
  await until(
    () =>
      redis.get('kept').then(
        (value) => value === 'yes',
        () => false,
      ),
    { timeout: 10_000 },
  );
  expect(await redis.run(echo, [], ['x'])).toEqual(['x']); // the restart forgot the script
  await mine.pause();
  const began = performance.now();
  await expect(redis.get('kept')).rejects.toMatchObject({ code: 'unavailable' });
  expect(performance.now() - began).toBeLessThan(1_500);
  mine.resume();
  await until(
    () =>
      redis.get('kept').then(
        (value) => value === 'yes',
        () => false,
      ),
    { timeout: 10_000 },
  );
  await before.stop();
  await mine.stop();
});

test('a call that ran, but whose answer was lost, is not sent again', async () => {
  const count = script('count', "return redis.call('INCR', KEYS[1])");
  await open().run(count, ['n'], []);
  let cut = false;
  const line = createServer((request, response) => {
    const body: Buffer[] = [];
    request.on('data', (data: Buffer) => body.push(data));
    request.on('end', () => {
      const { authorization = '' } = request.headers;
      void fetch(front.url, { method: 'POST', headers: { authorization }, body: Buffer.concat(body) })
        .then((answer) => answer.text())
        .then((text) => (cut ? request.socket.destroy() : response.end(text)));
    });
  });
  await new Promise<void>((resolve) => line.listen(0, '127.0.0.1', resolve));
  const redis = open({ url: `http://127.0.0.1:${(line.address() as AddressInfo).port}` });
  await redis.run(count, ['n'], []);
  cut = true;
  await expect(redis.run(count, ['n'], [])).rejects.toMatchObject({ code: 'unavailable' });
  expect(await open().get('n')).toBe('3');
  line.close();
});
