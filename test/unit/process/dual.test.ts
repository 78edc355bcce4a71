// One port, every protocol: HTTP/1.1, HTTP/2 with prior knowledge, Connect, gRPC-Web, gRPC by two independent clients.
import { connect as connect2, constants, type ClientHttp2Session } from 'node:http2';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { ConnectError, createClient, type Transport } from '@connectrpc/connect';
import {
  createConnectTransport as nodeTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from '@connectrpc/connect-node';
import * as grpc from '@grpc/grpc-js';
import * as loader from '@grpc/proto-loader';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRpcClient } from '#core/http/connect.ts';
import { isGrpc } from '#core/http/grpc.node.ts';
import { silentLog } from '#core/log.ts';
import { type HttpLimits, type HttpServer, serveDual } from '#core/process/http.node.ts';
import { classify } from '#core/process/sniff.node.ts';
import { SafetyKernel } from '#proto/cortex/agent/v1/safety_pb.ts';
import { until } from '../../helpers/until.ts';
import { type Kernel, testKernel } from './kernel.ts';
import { rawClient } from './raw.ts';

const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const emptySettings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

let kernel: Kernel;
const servers: HttpServer[] = [];
beforeEach(() => {
  kernel = testKernel();
});
afterEach(async () => {
  kernel.answer();
  await Promise.all(servers.splice(0).map((server) => server.close(0)));
});

async function serve(limits: Partial<HttpLimits> = {}): Promise<HttpServer> {
  const server = await serveDual({
    fetch: kernel.app.fetch,
    grpc: kernel.grpc,
    addr: { host: '127.0.0.1', port: 0 },
    log: silentLog,
    limits,
  });
  servers.push(server);
  return server;
}

async function get2(session: ClientHttp2Session, path: string): Promise<[number, string]> {
  const stream = session.request({ ':path': path });
  const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
  return [Number(headers[':status']), (await stream.toArray()).join('')];
}

const definition = loader.loadSync('cortex/agent/v1/safety.proto', {
  includeDirs: [fileURLToPath(new URL('../../../proto', import.meta.url))],
});

/** grpc-js speaks through untyped stubs; one call, promised. */
function grpcJs(port: number, service: string, request: object): Promise<{ reason: string }> {
  const methods = definition[service];
  if (methods === undefined || !('Check' in methods)) throw new Error(`no ${service}`);
  const Client = grpc.makeGenericClientConstructor(methods, service);
  const client = new Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  const { path, requestSerialize, responseDeserialize } =
    (methods as grpc.ServiceDefinition)['Check'] ?? expect.unreachable();
  return new Promise<{ reason: string }>((resolve, reject) => {
    client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      { deadline: Date.now() + 5_000 },
      (error, value) => (error === null ? resolve(value as { reason: string }) : reject(error)),
    );
  }).finally(() => client.close());
}

describe('the first bytes', () => {
  it('tell the version as soon as they can', () => {
    expect(classify(Buffer.from(preface))).toBe('http2');
    expect(classify(Buffer.concat([Buffer.from(preface), emptySettings]))).toBe('http2');
    for (let n = 0; n < preface.length; n++) expect(classify(Buffer.from(preface.slice(0, n)))).toBeUndefined();
    for (const text of ['GET / HTTP/1.1', 'P0', 'PRI * HTTP/1.1\r\n', `${preface.slice(0, -1)}x`, '\u0016\u0003']) {
      expect(classify(Buffer.from(text))).toBe('http1');
    }
  });

  it('the content type tells gRPC from gRPC-Web', () => {
    expect(['application/grpc', 'application/grpc+proto', 'application/grpc;x=1'].every(isGrpc)).toBe(true);
    expect(['application/grpc-web', 'application/grpc-web+proto', 'application/json', undefined].some(isGrpc)).toBe(
      false,
    );
  });
});

describe('one port', () => {
  it('answers HTTP/1.1, with bodies larger than one read', async () => {
    const { url } = await serve();
    expect(await (await fetch(`${url}/health`)).text()).toBe('ok');
    for (const size of [0, 1, 65_537, 3_000_000]) {
      expect(await (await fetch(`${url}/echo`, { method: 'POST', body: new Uint8Array(size) })).text()).toBe(
        String(size),
      );
    }
  });

  it('answers several HTTP/1.1 requests on one connection, sent byte by byte or at once', async () => {
    const { address } = await serve();
    const client = await rawClient(address.port);
    client.socket.setNoDelay(true);
    const request = 'GET /health HTTP/1.1\r\nHost: x\r\n\r\n';
    for (const byte of request) client.say(byte);
    client.say(request + request);
    await until(() => client.heard().split('HTTP/1.1 200').length === 4, { message: client.heard });
    client.socket.destroy();
  });

  it('answers HTTP/2 with prior knowledge, with bodies larger than one read', async () => {
    const { url } = await serve();
    const session = connect2(url);
    expect(await get2(session, '/health')).toEqual([200, 'ok']);
    const stream = session.request({ ':path': '/echo', ':method': 'POST' });
    stream.end(Buffer.alloc(3_000_000));
    expect((await stream.toArray()).join('')).toBe('3000000');
    session.close();
    await once(session, 'close');
  });

  it('answers HTTP/2 whose preface comes in pieces', async () => {
    const { address, url } = await serve();
    const client = await rawClient(address.port);
    const pieces = [preface.slice(0, 3), preface.slice(3, 20), preface.slice(20) + emptySettings.toString('latin1')];
    for (const piece of pieces) {
      client.say(Buffer.from(piece, 'latin1'));
      await (await fetch(`${url}/health`)).text(); // by its answer the server has read the piece alone
    }
    await until(() => client.heard().length >= 9, { message: 'the settings of the server' });
    expect(client.heard().charCodeAt(3)).toBe(4); // a SETTINGS frame
    client.socket.destroy();
  });

  const transports: [string, (baseUrl: string) => Transport][] = [
    ['Connect JSON on HTTP/1.1', (baseUrl) => nodeTransport({ baseUrl, httpVersion: '1.1', useBinaryFormat: false })],
    ['Connect binary on HTTP/1.1', (baseUrl) => nodeTransport({ baseUrl, httpVersion: '1.1' })],
    ['Connect JSON on HTTP/2', (baseUrl) => nodeTransport({ baseUrl, httpVersion: '2', useBinaryFormat: false })],
    ['Connect binary on HTTP/2', (baseUrl) => nodeTransport({ baseUrl, httpVersion: '2' })],
    ['gRPC-Web on HTTP/1.1', (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: '1.1' })],
    ['gRPC-Web on HTTP/2', (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: '2' })],
    ['gRPC on HTTP/2', (baseUrl) => createGrpcTransport({ baseUrl })],
  ];
  it.each(transports)('answers %s, and its errors', async (_, transport) => {
    const { url } = await serve();
    const client = createClient(SafetyKernel, transport(url));
    expect((await client.check({ topic: 'job.a' })).reason).toBe('job.a');
    const topics = Array.from({ length: 2_000 }, (__, i) => ({ topic: `job.${i}` }));
    expect((await client.checkMany({ checks: topics })).results).toHaveLength(2_000);
    await expect(client.check({})).rejects.toThrow('[invalid_argument] topic: is empty');
    await expect(client.check({ topic: 'job.broken' })).rejects.toThrow(/^\[internal\] (?!.*secret)/);
    await expect(client.check({ topic: 'job.away' })).rejects.toThrow('[unavailable] no policy');
    expect(kernel.errors.map(String)).toContain('Error: secret of 10.0.0.3');
  });

  it('answers our own client', async () => {
    const { url } = await serve();
    const client = createRpcClient(SafetyKernel, { baseUrl: url, timeoutMs: 5_000 });
    expect((await client.check({ topic: 'job.a' })).reason).toBe('job.a');
    await expect(client.check({})).rejects.toMatchObject({
      name: 'CortexError',
      code: 'invalid_argument',
      field: 'topic',
    });
  });

  it('answers grpc-js, and says UNIMPLEMENTED to it for a service that is not there', async () => {
    const { address } = await serve();
    expect((await grpcJs(address.port, 'cortex.agent.v1.SafetyKernel', { topic: 'job.g' })).reason).toBe('job.g');
    await expect(grpcJs(address.port, 'cortex.agent.v1.SafetyKernel', {})).rejects.toMatchObject({
      code: grpc.status.INVALID_ARGUMENT,
      // Connect encodes more than gRPC asks for, and grpc-js decodes less; clients in other languages read the colon.
      details: 'topic%3A is empty',
    });
    const session = connect2(`http://127.0.0.1:${address.port}`);
    const stream = session.request({
      ':path': '/no.Such/Method',
      ':method': 'POST',
      'content-type': 'application/grpc',
    });
    stream.end();
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
    expect([headers[':status'], headers['grpc-status']]).toEqual([200, '12']);
    session.close();
  });

  it('gRPC on HTTP/1.1 is refused in words', async () => {
    const { url } = await serve();
    const response = await fetch(`${url}/cortex.agent.v1.SafetyKernel/Check`, {
      method: 'POST',
      headers: { 'content-type': 'application/grpc' },
      body: new Uint8Array(5),
    });
    expect(response.status).toBe(415);
  });
});

describe('one port and bad manners', () => {
  it('answers garbage with 400 and closes', async () => {
    const { address } = await serve();
    for (const garbage of [
      '\u0016\u0003\u0001\u0002\u0000 hello',
      'PRI * HTTP/2.0\r\n\r\nNO\r\n\r\n',
      'hello\r\n\r\n',
    ]) {
      const client = await rawClient(address.port);
      client.say(Buffer.from(garbage, 'latin1'));
      expect(await client.closed()).toMatch(/^HTTP\/1\.1 400 /);
    }
  });

  it('cuts whoever says nothing, half a preface, or half a header', async () => {
    const { address } = await serve({ headersMs: 150 });
    const silent = await rawClient(address.port);
    const slow = await rawClient(address.port);
    slow.say(preface.slice(0, 10));
    const half = await rawClient(address.port);
    half.say('GET / HTTP/1.1\r\n');
    expect(await silent.closed()).toBe('');
    expect(await slow.closed()).toBe('');
    expect(await half.closed()).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('survives clients that leave at every moment', async () => {
    const { address, url } = await serve();
    for (const bytes of ['', 'P', preface, preface + emptySettings.toString('latin1'), 'GET / HT']) {
      const client = await rawClient(address.port, { allowHalfOpen: true });
      client.say(Buffer.from(bytes, 'latin1'));
      client.socket.end();
      await client.closed(); // the server ends its half too
      const rude = await rawClient(address.port);
      rude.say(Buffer.from(bytes, 'latin1'));
      rude.socket.resetAndDestroy();
    }
    expect((await fetch(`${url}/health`)).status).toBe(200);
  });

  it('ends a stream whose body never comes', async () => {
    const { url } = await serve({ requestMs: 100 });
    const session = connect2(url);
    const stream = session.request({ ':path': '/echo', ':method': 'POST' });
    stream.on('error', () => undefined);
    stream.write('begin');
    await once(stream, 'close');
    expect(await get2(session, '/health')).toEqual([200, 'ok']); // the connection is as good as before
    session.close();
  });

  it('leaves alone a stream whose client has said everything, read or unread, however long the answer takes', async () => {
    const { url } = await serve({ headersMs: 50, requestMs: 50 });
    const session = connect2(url);
    const held = [
      session.request({ ':path': '/hold' }),
      session.request({ ':path': '/hold', ':method': 'POST' }).end('body'),
    ];
    const cut = session.request({ ':path': '/hold', ':method': 'POST' });
    cut.write('half a body');
    await once(cut, 'close'); // so the time is up for all three
    kernel.answer();
    for (const stream of held) expect((await stream.toArray()).join('')).toBe('held');
    session.close();
  });

  it('refuses headers too large on HTTP/2', async () => {
    const { url } = await serve({ maxHeaderBytes: 2_048 });
    const session = connect2(url);
    await once(session, 'remoteSettings'); // the limit binds a client from when it has learned of it
    const stream = session.request({ ':path': '/health', big: 'x'.repeat(10_000) });
    const [error] = (await once(stream, 'error')) as [Error];
    expect(error.message).toContain('NGHTTP2_ENHANCE_YOUR_CALM');
    expect(await get2(session, '/health')).toEqual([200, 'ok']);
    session.close();
  });

  it('asks a quiet HTTP/2 connection to go', async () => {
    const { url } = await serve({ idleMs: 100 });
    const session = connect2(url);
    expect(await get2(session, '/health')).toEqual([200, 'ok']);
    const [code] = (await once(session, 'goaway')) as [number];
    expect(code).toBe(constants.NGHTTP2_NO_ERROR);
    await once(session, 'close');
  });
});

describe('the close of one port', () => {
  it('lets calls under way finish on both versions, then is free of connections', async () => {
    const server = await serve();
    const session = connect2(server.url);
    expect(await get2(session, '/health')).toEqual([200, 'ok']);
    const over2 = createClient(SafetyKernel, createGrpcTransport({ baseUrl: server.url })).check({ topic: 'job.slow' });
    const over1 = createRpcClient(SafetyKernel, { baseUrl: server.url }).check({ topic: 'job.slow' });
    await kernel.came;
    await until(async () => (await fetch(`${server.url}/health`)).ok); // both calls were sent before this one
    const silent = await rawClient(server.address.port);
    const goaway = once(session, 'goaway');
    const closed = server.close(5_000);
    await goaway;
    await silent.closed();
    await expect(fetch(server.url)).rejects.toThrow('fetch failed');
    kernel.answer();
    expect((await over1).reason).toBe('job.slow');
    expect((await over2).reason).toBe('job.slow');
    expect(await closed).toBe(0);
  });

  it('cuts at the deadline what does not finish', async () => {
    const server = await serve();
    const call = createClient(SafetyKernel, createGrpcTransport({ baseUrl: server.url })).check({ topic: 'job.slow' });
    const failed = call.catch((error: unknown) => error);
    await kernel.came;
    expect(await server.close(30)).toBe(1);
    expect(await failed).toBeInstanceOf(ConnectError);
  });
});
