// Reflection of the gateway and of the safety kernel as processes: by gRPC, in both versions, under the key or token of each.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createFileRegistry, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { formatApiKey } from '#core/http/api-keys.ts';
import { connectGrpc, type GrpcHeaders } from '../helpers/grpc.ts';
import { startNats, startRedis, type TestServer } from '../helpers/servers.ts';
import { type ServiceProcess, startService } from '../helpers/service-process.ts';
import { as, keyEntries } from './keys.ts';

const versions = ['v1', 'v1alpha'] as const;
type Version = (typeof versions)[number];

let folder: string;
let servers: TestServer[];
let env: Record<string, string>;
let running: ServiceProcess | undefined;
let connection: ReturnType<typeof connectGrpc> | undefined;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cortex-reflection-'));
  const [nats, redis] = await Promise.all([startNats(), startRedis()]);
  servers = [nats, redis];
  env = {
    ...{ NATS_URL: nats.url, REDIS_URL: redis.url, SAFETY_KERNEL_ADDR: '127.0.0.1:0' },
    ...{ GATEWAY_HTTP_ADDR: '127.0.0.1:0', GATEWAY_RPC_ADDR: '127.0.0.1:0' },
  };
});
afterEach(async () => {
  connection?.close();
  expect(await running?.stop()).toBe(0);
  running = undefined;
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  rmSync(folder, { recursive: true, force: true });
});

async function start(name: 'gateway' | 'safety', more: Record<string, string> = {}) {
  const names = name === 'gateway' ? ['http', 'rpc', 'metrics'] : ['rpc', 'metrics'];
  running = await startService(`functions/${name}/node.ts`, { ...env, ...more }, names);
  const grpc = connectGrpc(running.urls['rpc'] as string);
  connection = grpc;
  const open = (version: Version, headers: GrpcHeaders = {}) => {
    const service = `grpc.reflection.${version}.ServerReflection`;
    return grpc.stream(`grpc/reflection/${version}/reflection.proto`, service, 'ServerReflectionInfo', headers);
  };
  return { ...running, open };
}

type Opened = Awaited<ReturnType<typeof start>>;

/** The services it lists, or the code it ended with. */
async function list({ open }: Opened, version: Version, headers?: GrpcHeaders): Promise<string[] | number> {
  const stream = open(version, headers);
  const answer = await stream.ask({ list_services: '' });
  stream.end();
  const { code } = await stream.ended;
  if (answer === undefined) return code;
  expect(code).toBe(0);
  const { service } = answer['list_services_response'] as { service: { name: string }[] };
  return service.map(({ name }) => name);
}

const itself = versions.map((version) => `grpc.reflection.${version}.ServerReflection`);
const ofGateway = ['cortex.v1.CortexApi', ...itself];
const kernels = ['cordum', 'coretex', 'cortex'].map((name) => `${name}.agent.v1.SafetyKernel`);
const ofKernel = [...kernels, ...itself];

describe('the gateway', () => {
  test('wants a key, of any role', async () => {
    const path = join(folder, 'keys.yaml');
    writeFileSync(path, keyEntries.map(formatApiKey).join(''));
    const gateway = await start('gateway', { API_KEYS_PATH: path });
    for (const version of versions) {
      expect(await list(gateway, version)).toBe(status.UNAUTHENTICATED);
      expect(await list(gateway, version, { 'x-api-key': 'wrong' })).toBe(status.UNAUTHENTICATED);
      for (const role of ['viewer', 'admin'] as const)
        expect(await list(gateway, version, as(role))).toEqual(ofGateway);
    }
    const bearer = { authorization: `Bearer ${as('viewer')['X-API-Key']}` };
    expect(await list(gateway, 'v1', bearer)).toEqual(ofGateway);
  });

  test('without a key tells this machine, and no page from elsewhere', async () => {
    const gateway = await start('gateway');
    for (const version of versions) {
      expect(await list(gateway, version)).toEqual(ofGateway);
      expect(await list(gateway, version, { origin: 'https://evil.example' })).toBe(status.PERMISSION_DENIED);
    }
  });

  test('tells enough to call it, of itself alone', async () => {
    const gateway = await start('gateway');
    const stream = gateway.open('v1');
    const answer = await stream.ask({ file_containing_symbol: 'cortex.v1.CortexApi' });
    const told = answer?.['file_descriptor_response'] as { file_descriptor_proto: Uint8Array[] } | undefined;
    const files = (told?.file_descriptor_proto ?? []).map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
    const [file] = files;
    if (file === undefined) expect.unreachable('no file');
    const registry = createFileRegistry(file, (name) => files.find((each) => each.name === name));
    const { methods = [] } = registry.getService('cortex.v1.CortexApi') ?? {};
    expect(methods.map(({ name, input }) => [name, input.fields.map((field) => field.name)])).toEqual([
      ['SubmitJob', ['prompt', 'topic', 'adapter_id', 'priority', 'org_id', 'team_id', 'project_id', 'principal_id']],
      ['GetJobStatus', ['job_id']],
    ]);
    for (const symbol of ['cortex.v1.ContextEngine', 'cortex.agent.v1.SafetyKernel', 'cortex.agent.v1.BusPacket']) {
      const none = await stream.ask({ file_containing_symbol: symbol });
      expect(none?.['error_response']).toMatchObject({ error_code: status.NOT_FOUND });
    }
    stream.end();
    await stream.ended;
  });

  test('counts the calls by their method', async () => {
    const gateway = await start('gateway');
    await list(gateway, 'v1');
    const text = await (await fetch(`${gateway.urls['metrics']}/metrics`)).text();
    const route = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
    expect(text).toContain(`cortex_api_gateway_http_requests_total{method="POST",route="${route}",status="200"} 1`);
  });

  test('does not wait for a stream when it stops', async () => {
    const gateway = await start('gateway');
    const stream = gateway.open('v1');
    await stream.ask({ list_services: '' });
    const began = performance.now();
    expect(await gateway.stop()).toBe(0);
    expect(performance.now() - began).toBeLessThan(3_500); // connections are cut after four seconds
    expect((await stream.ended).code).toBe(status.UNAVAILABLE);
    expect(gateway.log.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

describe('the safety kernel', () => {
  test.each(versions)('tells whoever reaches it, %s', async (version) => {
    const kernel = await start('safety');
    expect(await list(kernel, version)).toEqual(ofKernel);
    const stream = kernel.open(version);
    for (const name of kernels) {
      const answer = await stream.ask({ file_containing_symbol: `${name}.Check` });
      expect(answer).toHaveProperty('file_descriptor_response');
    }
    stream.end();
    await stream.ended;
  });

  test('with a token tells who has it', async () => {
    const token = 'a-token-of-some-length';
    const kernel = await start('safety', { SAFETY_KERNEL_TOKEN: token });
    for (const version of versions) {
      expect(await list(kernel, version)).toBe(status.UNAUTHENTICATED);
      expect(await list(kernel, version, { authorization: 'Bearer another-token-entirely' })).toBe(
        status.UNAUTHENTICATED,
      );
      expect(await list(kernel, version, { authorization: `Bearer ${token}` })).toEqual(ofKernel);
    }
  });

  test('does not wait for a stream when it stops', async () => {
    const kernel = await start('safety');
    const stream = kernel.open('v1alpha');
    await stream.ask({ list_services: '' });
    const began = performance.now();
    expect(await kernel.stop()).toBe(0);
    expect(performance.now() - began).toBeLessThan(3_500);
    expect((await stream.ended).code).toBe(status.UNAVAILABLE);
  });
});
