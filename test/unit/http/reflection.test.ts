// Reflection as a stream by real clients on a real port: what it knows, its bounds, and that nothing of a stream is left over.
import { once } from 'node:events';
import { connect as connect2, constants } from 'node:http2';
import { create, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { status } from '@grpc/grpc-js';
import { Hono } from 'hono';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { mountConnect, type Routes } from '#core/http/connect.ts';
import { describe as descriptorsOf } from '#core/http/descriptors.ts';
import { createGrpcListener } from '#core/http/grpc.node.ts';
import { createReflection, maxQuestions, type Reflection, streamMs } from '#core/http/reflection.ts';
import { silentLog } from '#core/log.ts';
import { type HttpServer, serveDual } from '#core/process/http.node.ts';
import { SafetyKernel as CordumKernel } from '#proto/cordum/agent/v1/safety_pb.ts';
import { CortexApi } from '#proto/cortex/v1/gateway_pb.ts';
import {
  ServerReflection,
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
} from '#proto/grpc/reflection/v1/reflection_pb.ts';
import { createFakeClock, type FakeClock } from '../../helpers/clock.ts';
import { connectGrpc } from '../../helpers/grpc.ts';
import { until } from '../../helpers/until.ts';

const routes: Routes = (router) => router.service(CordumKernel, { check: () => ({}) });

let clock: FakeClock;
let reflection: Reflection;
let server: HttpServer;
let grpc: ReturnType<typeof connectGrpc>;
const ends: unknown[] = [];

beforeEach(async () => {
  clock = createFakeClock();
  reflection = createReflection(clock);
  ends.length = 0;
  const app = new Hono();
  mountConnect(app, routes);
  const onCall = () => (error: unknown) => void ends.push(error);
  server = await serveDual({
    fetch: app.fetch,
    grpc: createGrpcListener(reflection.beside(routes), { onCall, stalledMs: 1_500 }),
    addr: { host: '127.0.0.1', port: 0 },
    log: silentLog,
  });
  grpc = connectGrpc(server.url);
});
afterEach(async () => {
  grpc.close();
  await until(() => reflection.open === 0 && clock.waiting === 0, { message: 'every stream to be forgotten' });
  expect(await server.close(2_000)).toBe(0);
});

const open = (version = 'v1') =>
  grpc.stream(
    `grpc/reflection/${version}/reflection.proto`,
    `grpc.reflection.${version}.ServerReflection`,
    'ServerReflectionInfo',
  );

const filesIn = (answer: Readonly<Record<string, unknown>> | undefined) => {
  const files = answer?.['file_descriptor_response'] as { file_descriptor_proto: Uint8Array[] } | undefined;
  return (files?.file_descriptor_proto ?? []).map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
};

describe.each(['v1', 'v1alpha'])('reflection %s', (version) => {
  test('lists what is served, itself included', async () => {
    const stream = open(version);
    const answer = await stream.ask({ host: 'h', list_services: '*' });
    expect(answer).toEqual({
      valid_host: 'h',
      original_request: { host: 'h', list_services: '*' },
      list_services_response: {
        service: [
          { name: 'cordum.agent.v1.SafetyKernel' },
          { name: 'grpc.reflection.v1.ServerReflection' },
          { name: 'grpc.reflection.v1alpha.ServerReflection' },
        ],
      },
    });
    stream.end();
    expect((await stream.ended).code).toBe(0);
  });

  test('gives files by name and by symbol, with all that they need and no service that is not served', async () => {
    const stream = open(version);
    const byName = filesIn(await stream.ask({ file_by_filename: 'cordum/agent/v1/safety.proto' }));
    expect(byName.map(({ name }) => name)).toEqual([
      'cordum/agent/v1/safety.proto',
      'cortex/agent/v1/safety.proto',
      'cortex/agent/v1/job.proto',
    ]);
    expect(byName.flatMap(({ service }) => service.map(({ name }) => name))).toEqual(['SafetyKernel']);
    for (const symbol of ['cordum.agent.v1.SafetyKernel', 'cordum.agent.v1.SafetyKernel.Check'])
      expect(filesIn(await stream.ask({ file_containing_symbol: symbol }))).toEqual(byName);
    for (const [symbol, file] of [
      ['cortex.agent.v1.PolicyCheckRequest', 'cortex/agent/v1/safety.proto'],
      ['cortex.agent.v1.PolicyCheckRequest.labels', 'cortex/agent/v1/safety.proto'],
      ['cortex.agent.v1.PolicyCheckRequest.LabelsEntry.key', 'cortex/agent/v1/safety.proto'],
      ['cortex.agent.v1.DECISION_TYPE_DENY', 'cortex/agent/v1/safety.proto'],
      ['cortex.agent.v1.JobPriority', 'cortex/agent/v1/job.proto'],
      [
        `grpc.reflection.${version}.ServerReflectionRequest.message_request`,
        `grpc/reflection/${version}/reflection.proto`,
      ],
    ])
      expect(filesIn(await stream.ask({ file_containing_symbol: symbol }))[0]?.name, symbol).toBe(file);
    stream.end();
  });

  test('says what is not there, and goes on', async () => {
    const stream = open(version);
    for (const [question, message] of [
      [{ file_by_filename: 'cortex/v1/gateway.proto' }, 'file cortex/v1/gateway.proto'],
      [{ file_by_filename: '' }, 'file '],
      // In a file that is told, but this server does not serve it.
      [{ file_containing_symbol: 'cortex.agent.v1.SafetyKernel' }, 'symbol cortex.agent.v1.SafetyKernel'],
      [{ file_containing_symbol: 'cortex.v1.CortexApi' }, 'symbol cortex.v1.CortexApi'],
      [{ file_containing_symbol: '__proto__' }, 'symbol __proto__'],
      [{ all_extension_numbers_of_type: 'no.Such' }, 'type no.Such'],
      [
        { file_containing_extension: { containing_type: 'cortex.agent.v1.Budget', extension_number: 7 } },
        'extension 7 of cortex.agent.v1.Budget',
      ],
    ] as const) {
      const answer = await stream.ask(question);
      expect(answer?.['error_response']).toEqual({ error_code: 5, error_message: `${message} is not known here` });
      expect(answer?.['original_request']).toEqual(question);
    }
    expect((await stream.ask({}))?.['error_response']).toMatchObject({ error_code: 12 });
    const extensions = await stream.ask({ all_extension_numbers_of_type: 'cortex.agent.v1.Budget' });
    expect(extensions?.['all_extension_numbers_response']).toEqual({ base_type_name: 'cortex.agent.v1.Budget' });
    stream.end();
    expect((await stream.ended).code).toBe(0);
  });
});

describe('a stream has its bounds', () => {
  test('many questions, and not one more', async () => {
    const stream = open();
    for (let i = 0; i < maxQuestions; i++) stream.send({ list_services: '' });
    expect(await stream.ask({ list_services: '' })).toBeDefined(); // the first answer
    expect(await stream.ended.then(({ code }) => code)).toBe(status.RESOURCE_EXHAUSTED);
  });

  test('the size of a question', async () => {
    const stream = open();
    expect(await stream.ask({ file_containing_symbol: 'x'.repeat(5_000) })).toBeUndefined();
    expect((await stream.ended).code).toBe(status.RESOURCE_EXHAUSTED);
    await until(() => ends.length === 1);
    expect(ends).toMatchObject([{ code: 'resource_exhausted' }]);
  });

  test('its time', async () => {
    const stream = open();
    await stream.ask({ list_services: '' });
    expect([reflection.open, clock.waiting]).toEqual([1, 1]);
    await clock.advance(streamMs - 1);
    expect(await stream.ask({ list_services: '' })).toBeDefined();
    await clock.advance(1);
    expect((await stream.ended).code).toBe(status.DEADLINE_EXCEEDED);
  });

  test('the end of its server', async () => {
    const stream = open();
    await stream.ask({ list_services: '' });
    reflection.stop();
    expect((await stream.ended).code).toBe(status.UNAVAILABLE);
    const late = open();
    expect(await late.ask({ list_services: '' })).toBeUndefined();
    expect((await late.ended).code).toBe(status.UNAVAILABLE);
  });

  test('a client that goes away leaves nothing behind', async () => {
    const streams = Array.from({ length: 20 }, () => open());
    await Promise.all(streams.map((stream) => stream.ask({ list_services: '' })));
    expect([reflection.open, clock.waiting]).toEqual([20, 20]);
    for (const stream of streams.slice(0, 10)) stream.cancel();
    await until(() => reflection.open === 10);
    grpc.close(); // the connection with all the others
    for (const stream of streams.slice(10)) stream.cancel();
    await until(() => reflection.open === 0 && ends.length === 20);
  });

  test.each(['goes away', 'is cut'])('a client that asks and does not read %s', async (how) => {
    // Nothing may be sent to it before it says so, and it never does.
    const session = connect2(server.url, { settings: { initialWindowSize: 0 } });
    const stream = session.request({
      ':path': '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
      ':method': 'POST',
      'content-type': 'application/grpc',
    });
    stream.on('error', () => undefined);
    const answered = once(stream, 'response');
    const question = Buffer.from([0, 0, 0, 0, 2, 0x3a, 0]); // list_services: ''
    for (let i = 0; i < 100; i++) stream.write(question);
    await answered; // so an answer is on its way
    expect(reflection.open).toBe(1);
    if (how === 'goes away') {
      stream.close(constants.NGHTTP2_CANCEL);
      await until(() => reflection.open === 0);
    } else {
      await clock.advance(streamMs);
      expect(reflection.open).toBe(0);
      await once(stream, 'close');
      expect(stream.rstCode).toBe(constants.NGHTTP2_CANCEL);
    }
    session.close();
  });
});

describe('Connect', () => {
  const asks = async function* (...messages: ServerReflectionRequest['messageRequest'][]) {
    for (const messageRequest of messages) yield create(ServerReflectionRequestSchema, { messageRequest });
  };
  const client = (httpVersion: '1.1' | '2', useBinaryFormat = true) =>
    createClient(ServerReflection, createConnectTransport({ baseUrl: server.url, httpVersion, useBinaryFormat }));

  test.each([true, false])('over HTTP/2, binary: %s', async (binary) => {
    const told: (string | undefined)[] = [];
    const list = { case: 'listServices', value: '' } as const;
    const unknown = { case: 'fileByFilename', value: 'no.proto' } as const;
    for await (const answer of client('2', binary).serverReflectionInfo(asks(list, unknown, list)))
      told.push(answer.messageResponse.case);
    expect(told).toEqual(['listServicesResponse', 'errorResponse', 'listServicesResponse']);
  });

  test('not over HTTP/1.1, where nothing streams both ways', async () => {
    const read = async (): Promise<void> => {
      for await (const _ of client('1.1').serverReflectionInfo(asks())) expect.unreachable();
    };
    const error = await read().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ConnectError);
    expect((error as ConnectError).code).toBe(Code.Unimplemented);
  });
});

test('a file that two services share tells of the one that is served', () => {
  const { services, file, fileOf } = descriptorsOf([CortexApi]);
  expect(services).toEqual(['cortex.v1.CortexApi']);
  expect(file('cortex/v1/gateway.proto')).toHaveLength(1);
  expect(fileOf('cortex.v1.ContextEngine')).toBeUndefined();
  expect(fileOf('cortex.v1.BuildWindowRequest')).toBeUndefined();
});
