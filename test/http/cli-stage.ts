// The real CLI as a process, against the real gateway as a process with its own NATS and Redis. The test plays scheduler and worker,
// so that a job ends when and how the case wants it. Import it once per file: the servers start before its first test.
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import type { Archives } from '#core/archives/archives.ts';
import { createRedisArchives } from '#core/archives/redis-archives.ts';
import { connectBus } from '#core/bus/nats-tcp.node.ts';
import { createKeys } from '#core/jobs/keys.ts';
import { postEvents } from '#core/jobs/post-events.ts';
import { createRedisJournal } from '#core/jobs/redis-journal.ts';
import { createRedisStore } from '#core/jobs/redis-store.ts';
import { connectRedis } from '#core/redis/ioredis.node.ts';
import { type CliOptions, type CliRun, runCli } from '../helpers/cli.ts';
import { startNats, startRedis, type TestServer } from '../helpers/servers.ts';
import { type ServiceProcess, startService } from '../helpers/service-process.ts';
import type { GatewayUnderTest } from './under-test.ts';

let nats: TestServer;
let redisServer: TestServer;
let gateway: ServiceProcess;
let closeClients: () => Promise<void>;

/** An empty folder, by its real path. */
export const folder = realpathSync(mkdtempSync(join(tmpdir(), 'cortex-cli-')));

/** As much of a gateway under test as driving a job needs. */
export let stage: GatewayUnderTest;

/** What was uploaded. */
export let archives: Archives;

/** One more gateway on the same servers. */
export function startGateway(env: Record<string, string> = {}): Promise<ServiceProcess> {
  const addresses = { GATEWAY_HTTP_ADDR: '127.0.0.1:0', GATEWAY_RPC_ADDR: '127.0.0.1:0' };
  const servers = { NATS_URL: nats.url, REDIS_URL: redisServer.url };
  return startService('functions/gateway/node.ts', { ...servers, ...addresses, ...env }, ['http']);
}

beforeAll(async () => {
  [nats, redisServer] = await Promise.all([startNats(), startRedis()]);
  gateway = await startGateway();
  const onError = (error: unknown): never => {
    throw error;
  };
  const redis = await connectRedis({ url: redisServer.url, name: 'test', onError });
  const bus = await connectBus({ url: nats.url, name: 'test', onError });
  const onEvents = postEvents((message) => bus.post(message));
  const random = (): string => randomUUID().replaceAll('-', '');
  const parts: Pick<GatewayUnderTest, 'redis' | 'store' | 'journal'> = {
    redis,
    journal: createRedisJournal({ redis }),
    store: createRedisStore({ redis, keys: createKeys(1), random, onEvents }),
  };
  stage = parts as GatewayUnderTest;
  archives = createRedisArchives({ redis, keys: createKeys(1) });
  closeClients = async () => {
    await bus.close();
    await redis.close();
  };
});
afterAll(async () => {
  await closeClients();
  await gateway.stop();
  await Promise.all([nats.stop(), redisServer.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

export function gatewayUrl(): string {
  return gateway.urls['http'] ?? '';
}

export function environment(env: CliOptions['env'] = {}): Record<string, string> {
  return { CORTEX_URL: gatewayUrl(), ...env };
}

export function cortex(args: readonly string[], options: CliOptions = {}): Promise<CliRun> {
  return runCli(args, { ...options, env: environment(options.env) });
}

/** The JSON that it printed, and nothing else. */
export function json(run: CliRun): Record<string, unknown> {
  expect(run.stderr).toBe('');
  return JSON.parse(run.stdout) as Record<string, unknown>;
}

/** The id of a job submitted by the CLI. */
export async function submitted(...args: string[]): Promise<string> {
  const run = await cortex(['submit', ...args, '--json']);
  expect(run).toMatchObject({ code: 0 });
  return String(json(run)['job_id']);
}

/** The newest job. */
export async function newest(): Promise<{ readonly id: string; readonly topic: string }> {
  const { items } = json(await cortex(['list', '--limit', '1', '--json']));
  const [job] = items as { id: string; topic: string }[];
  if (job === undefined) throw new Error('there is no job');
  return job;
}
