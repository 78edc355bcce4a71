// The RPC mount and the client, in one process without a socket: the app's own fetch is the network.
import { create } from '@bufbuild/protobuf';
import { createContextKey, createContextValues } from '@connectrpc/connect';
import { Hono } from 'hono';
import { describe, expect, it } from 'vitest';
import { CortexError } from '#core/errors.ts';
import { createRpcClient, mountConnect } from '#core/http/connect.ts';
import { requestIdOf } from '#core/http/request-id.ts';
import { PolicyCheckResponseSchema, SafetyKernel } from '#proto/cortex/agent/v1/safety_pb.ts';
import { testKernel } from '../process/kernel.ts';
import { numbersService } from './streaming.ts';

function clientOf(app: Hono, more: Partial<Parameters<typeof createRpcClient>[1]> = {}) {
  const inits: (RequestInit | undefined)[] = [];
  const client = createRpcClient(SafetyKernel, {
    baseUrl: 'http://kernel',
    fetch: (input, init) => {
      inits.push(init);
      return app.fetch(new Request(input, init));
    },
    ...more,
  });
  return { client, inits };
}

describe('the client', () => {
  it.each([true, false])('speaks to the mount (binary: %s)', async (binary) => {
    const { client } = clientOf(testKernel().app, { binary });
    expect((await client.check({ topic: 'job.a' })).reason).toBe('job.a');
    expect((await client.checkMany({ checks: [] })).policySnapshot).toBe('1');
  });

  it('sends nothing that workerd refuses, and its token', async () => {
    const { client, inits } = clientOf(testKernel().app, { token: 't0k' });
    await client.check({ topic: 'job.a' });
    const [init] = inits;
    expect(Object.keys(init ?? {}).sort()).toEqual(['body', 'headers', 'method', 'redirect', 'signal']);
    expect(init?.redirect).toBe('manual');
    expect(new Headers(init?.headers).get('authorization')).toBe('Bearer t0k');
    expect(new Headers(init?.headers).get('content-type')).toBe('application/proto');
  });

  it('throws CortexErrors alone', async () => {
    const { client } = clientOf(testKernel().app);
    const thrown = async (topic: string) => client.check({ topic }).catch((error: unknown) => error);
    expect(await thrown('')).toMatchObject({
      name: 'CortexError',
      code: 'invalid_argument',
      field: 'topic',
      message: 'topic: is empty',
    });
    expect(await thrown('job.away')).toMatchObject({ name: 'CortexError', code: 'unavailable', message: 'no policy' });
    expect(await thrown('job.broken')).toMatchObject({ name: 'CortexError', code: 'internal' });
  });

  it('says unavailable when nobody answers, deadline_exceeded when nobody answers in time, canceled when told to stop', async () => {
    const refused = createRpcClient(SafetyKernel, { baseUrl: 'http://127.0.0.1:1' });
    await expect(refused.check({})).rejects.toMatchObject({ code: 'unavailable' });
    const proxy = createRpcClient(SafetyKernel, {
      baseUrl: 'http://x',
      fetch: () => new Response('no', { status: 502 }),
    });
    await expect(proxy.check({})).rejects.toMatchObject({ code: 'unavailable' });

    const kernel = testKernel();
    const { client } = clientOf(kernel.app, { timeoutMs: 30 });
    await expect(client.check({ topic: 'job.slow' })).rejects.toMatchObject({ code: 'deadline_exceeded' });
    const stop = new AbortController();
    const call = clientOf(kernel.app).client.check({ topic: 'job.slow' }, { signal: stop.signal });
    stop.abort();
    await expect(call).rejects.toMatchObject({ code: 'canceled' });
    kernel.answer();
  });

  it('reads a stream, and its error comes as a CortexError', async () => {
    const service = numbersService();
    const app = new Hono();
    mountConnect(app, (router) =>
      router.service(service, {
        async *count() {
          yield { value: '1' };
          await Promise.resolve();
          yield { value: '2' };
          throw new CortexError('aborted', 'enough', { field: 'n' });
        },
      }),
    );
    const client = createRpcClient(service, {
      baseUrl: 'http://x',
      fetch: (input, init) => app.fetch(new Request(input, init)),
    });
    const seen: unknown[] = [];
    const read = async (): Promise<void> => {
      for await (const item of client.count({})) seen.push((item as unknown as { value: string }).value);
    };
    await expect(read()).rejects.toMatchObject({ name: 'CortexError', code: 'aborted', message: 'enough', field: 'n' });
    expect(seen).toEqual(['1', '2']);
  });
});

describe('the mount', () => {
  it('answers curl', async () => {
    const { app } = testKernel();
    const check = (body: string, headers: Record<string, string> = {}) =>
      app.request('/cortex.agent.v1.SafetyKernel/Check', {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body,
      });
    const good = await check('{"topic":"job.a"}');
    expect([good.status, await good.json()]).toEqual([200, { decision: 'DECISION_TYPE_ALLOW', reason: 'job.a' }]);
    const bad = await check('{}');
    expect([bad.status, await bad.json()]).toEqual([400, { code: 'invalid_argument', message: 'topic: is empty' }]);
    expect((await check('{')).status).toBe(400);
    expect((await check('{}', { 'content-type': 'text/plain' })).status).toBe(415);
    expect((await app.request('/cortex.agent.v1.SafetyKernel/Check')).status).toBe(405);
    expect((await app.request('/cortex.agent.v1.SafetyKernel/Nope', { method: 'POST' })).status).toBe(404);
  });

  it('refuses a message above its limit', async () => {
    const app = new Hono();
    mountConnect(app, (router) => router.service(SafetyKernel, { check: () => ({}) }), { readMaxBytes: 100 });
    const { client } = clientOf(app);
    await expect(client.check({ topic: 'x'.repeat(200) })).rejects.toMatchObject({ code: 'resource_exhausted' });
  });

  it('lets nobody in by the message: a caller without a right to call is not read', async () => {
    const errors: unknown[] = [];
    const ends: unknown[] = [];
    const app = new Hono();
    mountConnect(app, (router) => router.service(SafetyKernel, { check: () => ({}) }), {
      admit({ requestHeader }) {
        if (requestHeader.get('x-key') !== 'k') throw new CortexError('unauthenticated', 'a key is needed');
      },
      onError: (error, method) => errors.push([method, error]),
      onCall: (method) => (error) => ends.push([method, error?.code]),
    });
    let read = false;
    const ask = (headers: Record<string, string>, type = 'application/proto') => {
      const body = new ReadableStream<Uint8Array>(
        {
          pull(controller) {
            read = true;
            controller.enqueue(new Uint8Array([0xff, 0xff, 0xff]));
            controller.close();
          },
        },
        { highWaterMark: 0 },
      );
      const init = {
        method: 'POST',
        body,
        headers: { 'content-type': type, ...headers },
        duplex: 'half',
      };
      return app.request('/cortex.agent.v1.SafetyKernel/Check', init);
    };
    const method = 'cortex.agent.v1.SafetyKernel/Check';
    const refused = await ask({});
    expect([refused.status, await refused.json()]).toEqual([
      401,
      { code: 'unauthenticated', message: 'a key is needed' },
    ]);
    const web = await ask({}, 'application/grpc-web+proto');
    expect([web.status, web.headers.get('grpc-status')]).toEqual([200, null]);
    expect(await web.text()).toContain('grpc-status: 16');
    expect(read).toBe(false);
    expect(errors).toHaveLength(2);

    const bad = await ask({ 'x-key': 'k' });
    expect([bad.status, await bad.json()]).toMatchObject([400, { code: 'invalid_argument' }]);
    expect((await (await ask({ 'x-key': 'k' }, 'application/json')).json()) as object).toMatchObject({
      code: 'invalid_argument',
    });
    const good = await app.request(`/${method}`, {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json', 'x-key': 'k' },
    });
    expect(good.status).toBe(200);
    expect(ends).toEqual([
      [method, 'unauthenticated'],
      [method, 'unauthenticated'],
      [method, 'invalid_argument'],
      [method, 'invalid_argument'],
      [method, undefined],
    ]);
  });

  it('hands the handlers what the middleware found out', async () => {
    const key = createContextKey('nobody');
    const app = new Hono<{ Variables: { found: string } }>();
    app.use(async (c, next) => {
      c.set('found', 'out');
      await next();
    });
    mountConnect(
      app,
      (router) =>
        router.service(SafetyKernel, {
          check: (_, context) => create(PolicyCheckResponseSchema, { reason: context.values.get(key) }),
        }),
      { contextValues: (c) => createContextValues().set(key, c.var.found) },
    );
    const client = createRpcClient(SafetyKernel, {
      baseUrl: 'http://x',
      fetch: (input, init) => app.fetch(new Request(input, init)),
    });
    expect((await client.check({})).reason).toBe('out');
  });
});

describe('the id of a request', () => {
  const of = (header?: string): string => requestIdOf(header, { random: () => 'fresh' });

  it("is the caller's when harmless, else fresh", () => {
    expect(of('abc-1.2_3')).toBe('abc-1.2_3');
    for (const bad of [undefined, '', 'a b', '<script>', 'x'.repeat(129)]) expect(of(bad)).toBe('fresh');
  });
});
