// The gateway's app called in this process, with a bus in memory and a real Redis behind it.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll } from 'vitest';
import { createRedisArchives } from '#core/archives/redis-archives.ts';
import { createMemoryBusServer } from '#core/bus/memory.ts';
import { createKeys } from '#core/jobs/keys.ts';
import { postEvents } from '#core/jobs/post-events.ts';
import { createRedisJournal } from '#core/jobs/redis-journal.ts';
import { createRedisStore } from '#core/jobs/redis-store.ts';
import { silentLog } from '#core/log.ts';
import { createPromMetrics } from '#core/metrics/prom.node.ts';
import { createHealth } from '#core/process/health.ts';
import { connectRedis } from '#core/redis/ioredis.node.ts';
import { systemClock, systemIds } from '#core/system.ts';
import { createGateway } from '../../functions/gateway/app.ts';
import { createKeyring } from '../../functions/http/keyring.ts';
import { createRateLimit } from '../../functions/http/rate-limit.ts';
import { startRedis, type TestServer } from '../helpers/servers.ts';
import { testGateway } from './gateway.ts';
import { memoryUpgrades } from './sockets.ts';
import type { GatewayOptions, GatewayUnderTest, Heard } from './under-test.ts';

let server: TestServer;
let database = 0;

beforeAll(async () => {
  server = await startRedis({ args: ['--databases', '64'] });
});
afterAll(async () => {
  await server.stop();
});

async function make(given: GatewayOptions = {}): Promise<GatewayUnderTest> {
  const { keys, apiKey, tenant = 'default', rateLimit, corsOrigins = [], streams = {} } = given;
  const onError = (error: unknown): never => {
    throw error;
  };
  const redis = await connectRedis({ url: `${server.url}/${database++}`, name: 'test', onError });
  const busServer = createMemoryBusServer();
  const [bus, ear] = [busServer.connect(), busServer.connect()];
  const heard: Heard[] = [];
  await ear.subscribe('>', ({ subject, data }) => heard.push({ subject, data }));

  const random = (): string => randomUUID().replaceAll('-', '');
  const options = { redis, keys: createKeys(1), random };
  const metrics = createPromMetrics({ nodeMetrics: false });
  const health = createHealth('gateway', systemClock);
  health.check('redis', async () => ({ durability: (await redis.durability()).class }));
  health.enter('running');
  const upgrades = memoryUpgrades();
  const gateway = createGateway({
    ...{ corsOrigins, streams, upgrade: upgrades.upgrade },
    ...{ redis, metrics, log: silentLog, clock: systemClock, ids: systemIds(), keys: options.keys },
    archives: createRedisArchives(options),
    journal: createRedisJournal(options),
    store: createRedisStore({ ...options, onEvents: postEvents((message) => bus.post(message)) }),
    post: (message) => bus.post(message),
    subscribe: (subject, handle) => bus.subscribe(subject, ({ data }) => handle(data)),
    keyring: createKeyring({ apiKey, tenant, keys: keys === undefined ? undefined : () => keys }),
    rateLimit: rateLimit === undefined ? undefined : createRateLimit(rateLimit),
    health: () => health.report(),
    peer: () => '127.0.0.1',
  });
  const { app, stop } = gateway;
  let silent = false;
  const news = postEvents((message) => ear.post(message));
  const request = async (path: string, init: RequestInit = {}): Promise<Response> => app.request(path, init, {});
  return {
    request,
    rpc: request,
    socket: (path, headers) => upgrades.open(app, path, headers),
    store: createRedisStore({ ...options, onEvents: (events) => (silent ? undefined : news(events)) }),
    journal: createRedisJournal(options),
    redis,
    heard: (subject) => heard.filter((message) => message.subject === subject),
    silence: (on) => {
      silent = on;
    },
    subscriptions: async () => gateway.subscriptions,
    metrics: () => metrics.read(),
    close: async () => {
      stop();
      await bus.close();
      await ear.close();
      await redis.close();
    },
  };
}

testGateway('in this process', make);
