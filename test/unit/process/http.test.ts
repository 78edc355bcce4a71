import { Agent, request } from 'node:http';
import { once } from 'node:events';
import { Hono } from 'hono';
import { afterEach, describe, expect, it } from 'vitest';
import { CortexError } from '#core/errors.ts';
import { mountConnect } from '#core/http/connect.ts';
import { createLog, silentLog } from '#core/log.ts';
import { type FetchHandler, type HttpServer, serveHttp, type ServeOptions } from '#core/process/http.node.ts';
import { SafetyKernel } from '#proto/cortex/agent/v1/safety_pb.ts';
import { rawClient } from './raw.ts';

const loopback = { host: '127.0.0.1', port: 0 };
const servers: HttpServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close(0)));
});

async function serve(fetch: FetchHandler, more: Partial<ServeOptions> = {}): Promise<HttpServer> {
  const server = await serveHttp({ fetch, addr: loopback, log: silentLog, ...more });
  servers.push(server);
  return server;
}

/** An application that holds its answer until told. */
function held() {
  const came = Promise.withResolvers<Request>();
  const answer = Promise.withResolvers<Response>();
  return { came: came.promise, answer: answer.resolve, fetch: (r: Request) => (came.resolve(r), answer.promise) };
}

describe('serveHttp', () => {
  it('binds port 0 and says which it got', async () => {
    const server = await serve((r) => new Response(`${r.method} ${new URL(r.url).pathname}`));
    expect(server.address.port).toBeGreaterThan(0);
    expect(server.url).toBe(`http://127.0.0.1:${server.address.port}`);
    const response = await fetch(`${server.url}/x`, { method: 'POST', body: 'b' });
    expect(await response.text()).toBe('POST /x');
  });

  it.each([
    ['taken', () => servers[0]?.address.port ?? 0, '127.0.0.1', /^METRICS_ADDR: port \d+ is taken by another process$/],
    ['on a foreign host', () => 0, '192.0.2.1', /^METRICS_ADDR: this machine has no address 192\.0\.2\.1$/],
  ])('says in one line that its address is %s', async (_, port, host, message) => {
    await serve(() => new Response());
    const again = serve(() => new Response(), { addr: { host, port: port() }, variable: 'METRICS_ADDR' });
    await expect(again).rejects.toMatchObject({
      name: 'CortexError',
      message: expect.stringMatching(message) as string,
    });
  });

  it('lets a request under way finish, takes no other, and closes kept connections', async () => {
    const app = held();
    const server = await serve(app.fetch);
    const agent = new Agent({ keepAlive: true });
    const response = once(request(server.url, { agent }).end(), 'response');
    await app.came;
    const closed = server.close(5_000);
    await expect(fetch(server.url)).rejects.toThrow('fetch failed');
    app.answer(new Response('done'));
    const [message] = (await response) as [import('node:http').IncomingMessage];
    expect(message.headers.connection).toBe('close');
    expect((await message.toArray()).join('')).toBe('done');
    expect(await closed).toBe(0);
    agent.destroy();
  });

  it('does not wait for kept connections without a request, nor for silent ones', async () => {
    const server = await serve(() => new Response('ok'));
    const silent = await rawClient(server.address.port);
    const kept = await rawClient(server.address.port);
    kept.say('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await kept.hears(/ok$/);
    expect(await server.close(5_000)).toBe(0);
    await Promise.all([silent.closed(), kept.closed()]);
  });

  it('ends a kept connection after an answer that had begun before the close', async () => {
    const rest = Promise.withResolvers<void>();
    const body = new ReadableStream<Uint8Array>({
      async start(controller) {
        controller.enqueue(new TextEncoder().encode('begin'));
        await rest.promise;
        controller.enqueue(new TextEncoder().encode('end'));
        controller.close();
      },
    });
    const server = await serve(() => new Response(body));
    const client = await rawClient(server.address.port);
    client.say('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(await client.hears(/begin/)).toMatch(/connection: keep-alive/i);
    const closed = server.close(5_000);
    rest.resolve();
    expect(await client.closed()).toMatch(/end\r\n0\r\n\r\n$/);
    expect(await closed).toBe(0);
  });

  it('cuts what is left at the deadline and counts it; the application sees its signal abort', async () => {
    const app = held();
    const server = await serve(app.fetch);
    const client = await rawClient(server.address.port);
    client.say('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const { signal } = await app.came;
    expect(signal.aborted).toBe(false);
    expect(await server.close(30)).toBe(1);
    expect(await client.closed()).toBe('');
    expect(signal.aborted).toBe(true);
    app.answer(new Response());
  });

  it('a second close may shorten the first', async () => {
    const app = held();
    const server = await serve(app.fetch);
    const client = await rawClient(server.address.port);
    client.say('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await app.came;
    const patient = server.close(60_000);
    await server.close(10);
    await patient;
    await client.closed();
    app.answer(new Response());
  });

  it('answers 408 to headers that do not end, 431 to ones too large, 400 to garbage and to a bad host', async () => {
    const server = await serve(() => new Response('ok'), { limits: { headersMs: 200, maxHeaderBytes: 2_048 } });
    const say = async (bytes: string): Promise<string> => {
      const client = await rawClient(server.address.port);
      client.say(bytes);
      const [head = '', body = ''] = (await client.closed()).split('\r\n\r\n');
      const [line = ''] = head.split('\r\n');
      expect(head.toLowerCase()).toContain('content-type: application/problem+json');
      const status = Number(line.split(' ')[1]);
      expect(JSON.parse(/\{.*\}/.exec(body)?.[0] ?? '')).toMatchObject({
        status,
        title: line.slice('HTTP/1.1 400 '.length),
      });
      return line;
    };
    expect(await say('GET / HTTP/1.1\r\nHost: x\r\n')).toBe('HTTP/1.1 408 Request Timeout');
    expect(await say(`GET / HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(3_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 /);
    expect(await say('\u0016\u0003\u0001 no\r\n\r\n')).toBe('HTTP/1.1 400 Bad Request');
    expect(await say('GET / HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n')).toBe('HTTP/1.1 400 Bad Request');
    expect(await say('GET / HTTP/1.1\r\nHost: x\r\nExpect: tea\r\nConnection: close\r\n\r\n')).toMatch(/ 417 /);
  });

  it('garbage behind an answer under way does not become a part of it', async () => {
    const app = new TransformStream<Uint8Array, Uint8Array>();
    const server = await serve(() => new Response(app.readable));
    const writer = app.writable.getWriter();
    const client = await rawClient(server.address.port);
    client.say('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    void writer.write(new TextEncoder().encode('first'));
    await client.hears(/first/);
    client.say('\u0016\u0003\u0001 no\r\n\r\n');
    expect(await client.closed()).not.toContain('problem+json');
    await writer.close().catch(() => undefined);
  });

  it('a call that is refused before its message is read leaves the connection as it was', async () => {
    const app = new Hono();
    mountConnect(app, (router) => router.service(SafetyKernel, { check: () => ({}) }), {
      admit: () => {
        throw new CortexError('unauthenticated', 'no');
      },
    });
    const server = await serve(app.fetch);
    const client = await rawClient(server.address.port);
    const size = 2 * 1024 * 1024;
    const head = ['POST /cortex.agent.v1.SafetyKernel/Check HTTP/1.1', 'Host: x', 'Content-Type: application/proto'];
    for (let n = 1; n <= 2; n++) {
      client.say(`${[...head, `Content-Length: ${size}`].join('\r\n')}\r\n\r\n`);
      client.say(new Uint8Array(size));
      await client.hears(new RegExp(`(?:HTTP/1\\.1 401 [^]*){${n}}`));
    }
  });

  it('an application that throws becomes a problem without its words, and a line in the log', async () => {
    const lines: string[] = [];
    const log = createLog({ level: 'info', now: () => 0, write: (line) => void lines.push(line) });
    const server = await serve(() => Promise.reject(new Error('password of 10.0.0.3')), { log });
    const response = await fetch(server.url);
    expect(response.status).toBe(500);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(await response.text()).not.toContain('10.0.0.3');
    expect(lines.join('')).toContain('password of 10.0.0.3');
  });
});
