// cortex.v1.CortexApi by the protocols and headers that clients without our code use: plain JSON, gRPC-Web, deadlines, compression,
// methods that are not there. The same on every runtime; gRPC itself is in original-rpc.test.ts.
import { gzipSync } from 'node:zlib';
import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import { createConnectTransport, createGrpcWebTransport } from '@connectrpc/connect-web';
import { describe, expect, test } from 'vitest';
import { ContextEngine } from '#proto/cortex/v1/context_pb.ts';
import { CortexApi } from '#proto/cortex/v1/gateway_pb.ts';
import { json, storedPacket } from '../drive.ts';
import { expectProblem } from '../expect-problem.ts';
import { as, keyEntries } from '../keys.ts';
import { type GatewayUnderTest, gatewayFor, type MakeGateway } from '../under-test.ts';

const api = '/cortex.v1.CortexApi';

export function testRpcProtocols(make: MakeGateway): void {
  /** A stranger's transport, with these headers on every call. */
  const through = (gateway: GatewayUnderTest, headers: Record<string, string> = {}) => ({
    baseUrl: 'http://gateway',
    fetch: (async (input, init) => {
      const sent = new Headers(init?.headers);
      for (const [name, value] of Object.entries(headers)) sent.set(name, value);
      const { pathname } = new URL(input instanceof Request ? input.url : input);
      return gateway.rpc(pathname, { ...init, redirect: 'manual', headers: sent });
    }) as typeof fetch,
  });
  const failure = async (call: Promise<unknown>): Promise<ConnectError> => {
    const error = await call.then(
      () => expect.unreachable('it was answered'),
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(ConnectError);
    return error as ConnectError;
  };

  describe('CortexApi by other protocols', () => {
    const gateway = gatewayFor(make, { keys: keyEntries });
    const post = (path: string, body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
      gateway().rpc(path, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/json', ...as('submitter'), ...headers },
      });
    const job = JSON.stringify({ topic: 'job.echo', prompt: 'hi' });

    test.each([
      ['as the .proto files write them', { adapter_id: 'a' }],
      ['as JSON writes them', { adapterId: 'a' }],
    ])('plain JSON, names %s', async (_, names) => {
      const made = await post(`${api}/SubmitJob`, JSON.stringify({ topic: 'job.echo', ...names }));
      expect(made.headers.get('content-type')).toBe('application/json');
      const { jobId = '' } = (await json(made)) as { jobId?: string };
      expect((await storedPacket(gateway(), jobId)).request).toMatchObject({ topic: 'job.echo', adapterId: 'a' });
      for (const name of ['job_id', 'jobId']) {
        const told = await json(await post(`${api}/GetJobStatus`, JSON.stringify({ [name]: jobId })));
        expect(told).toEqual({ jobId, status: 'PENDING' });
      }
    });

    test.each([true, false])('gRPC-Web, binary: %s', async (useBinaryFormat) => {
      const transport = (headers = {}): Transport =>
        createGrpcWebTransport({ ...through(gateway(), headers), useBinaryFormat });
      const client = createClient(CortexApi, transport(as('submitter')));
      const { jobId } = await client.submitJob({ topic: 'job.echo' });
      expect(await client.getJobStatus({ jobId })).toMatchObject({ status: 'PENDING' });
      const wrong = await failure(client.submitJob({ topic: 'sys.x' }));
      expect([wrong.code, wrong.metadata.get('cortex-field')]).toEqual([Code.InvalidArgument, 'topic']);
      const stranger = createClient(CortexApi, transport());
      expect((await failure(stranger.submitJob({ topic: 'job.echo' }))).code).toBe(Code.Unauthenticated);
      const bearer = { authorization: `Bearer ${as('viewer')['X-API-Key']}` };
      const viewer = createClient(CortexApi, transport(bearer));
      expect((await failure(viewer.submitJob({ topic: 'job.echo' }))).code).toBe(Code.PermissionDenied);
      expect(await viewer.getJobStatus({ jobId })).toMatchObject({ status: 'PENDING' });
    });

    test('gRPC-Web as text is not served', async () => {
      const answer = await post(`${api}/SubmitJob`, 'AAAA', { 'content-type': 'application/grpc-web-text' });
      await expectProblem(answer, 415, { code: 'invalid_argument', field: 'Content-Type' });
    });

    test.each([
      ['application/json', 'Content-Encoding'],
      ['application/proto', 'Content-Encoding'],
      ['application/grpc-web+proto', 'Grpc-Encoding'],
    ])('compressed %s is refused in a whole sentence, the key first', async (type, header) => {
      const headers = { 'content-type': type, [header]: 'gzip' };
      const message = `${header}: compressed messages are not accepted`;
      const answer = await post(`${api}/SubmitJob`, gzipSync(job), headers);
      const stranger = await post(`${api}/SubmitJob`, gzipSync(job), { ...headers, 'X-API-Key': '' });
      if (type.startsWith('application/grpc-web')) {
        expect(decodeURIComponent(await answer.text())).toMatch(`grpc-message: ${message}`);
        expect(await stranger.text()).toContain('grpc-status: 16');
        return;
      }
      expect([answer.status, answer.headers.get('cortex-field')]).toEqual([501, header]);
      expect(await json(answer)).toEqual({ code: 'unimplemented', message });
      expect(stranger.status).toBe(401);
    });

    test('a client may wait for years', async () => {
      for (const ms of ['60001', '9999999999'])
        expect((await post(`${api}/SubmitJob`, job, { 'connect-timeout-ms': ms })).status).toBe(200);
      const web = createClient(
        CortexApi,
        createGrpcWebTransport(through(gateway(), { ...as('submitter'), 'grpc-timeout': '99999999H' })),
      );
      expect((await web.submitJob({ topic: 'job.echo' })).jobId).not.toBe('');
    });

    test('a deadline that is over, or none, is told', async () => {
      const late = await post(`${api}/SubmitJob`, job, { 'connect-timeout-ms': '0' });
      expect([late.status, await json(late)]).toMatchObject([504, { code: 'deadline_exceeded' }]);
      const odd = await post(`${api}/SubmitJob`, job, { 'connect-timeout-ms': 'soon' });
      expect([odd.status, await json(odd)]).toMatchObject([400, { code: 'invalid_argument' }]);
    });

    test.each([
      ['cortex.v1.ContextEngine', 'BuildWindow'],
      ['cortex.v1.ContextEngine', 'UpdateMemory'],
      ['cortex.v1.ContextEngine', 'IngestRepo'],
      ['cortex.v1.CortexApi', 'DropEverything'],
      // A stream both ways: on the RPC port by gRPC, and by Connect over HTTP/2.
      ['grpc.reflection.v1.ServerReflection', 'ServerReflectionInfo'],
    ])('%s/%s is unimplemented, in words', async (service, method) => {
      const path = `/${service}/${method}`;
      const message = `${service}/${method} is not served here`;
      for (const ask of [gateway().rpc, gateway().request]) {
        const headers = { 'content-type': 'application/json; charset=utf-8' };
        const plain = await ask(path, { method: 'POST', body: '{}', headers });
        expect([plain.status, plain.headers.get('content-type')]).toEqual([404, 'application/json']);
        expect(await json(plain)).toEqual({ code: 'unimplemented', message });
      }
      const web = await post(path, new Uint8Array(5), { 'content-type': 'application/grpc-web+proto' });
      expect([web.status, web.headers.get('grpc-status')]).toEqual([200, '12']);
      await expectProblem(await gateway().rpc(path, { method: 'GET' }), 404, { code: 'not_found' });
    });

    test('and the libraries understand it', async () => {
      for (const transport of [
        createConnectTransport({ ...through(gateway()), useBinaryFormat: true }),
        createConnectTransport(through(gateway())),
        createGrpcWebTransport(through(gateway())),
      ]) {
        const error = await failure(createClient(ContextEngine, transport).buildWindow({ memoryId: 'm' }));
        expect(error).toMatchObject({
          code: Code.Unimplemented,
          rawMessage: 'cortex.v1.ContextEngine/BuildWindow is not served here',
        });
      }
    });
  });

  describe('CortexApi by a client that is too quick', () => {
    const gateway = gatewayFor(make, { keys: keyEntries, rateLimit: { perSecond: 0.01, burst: 1 } });

    test('hears when to come back', async () => {
      const transport = createGrpcWebTransport(through(gateway(), as('viewer')));
      const client = createClient(CortexApi, transport);
      await client.getJobStatus({ jobId: 'x' });
      const error = await failure(client.getJobStatus({ jobId: 'x' }));
      expect([error.code, Number(error.metadata.get('retry-after'))]).toEqual([Code.ResourceExhausted, 100]);
    });
  });
}
