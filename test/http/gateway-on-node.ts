// Gateways as processes of their own, with a real NATS and a real Redis behind them, for a test file.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { connectBus } from '#core/bus/nats-tcp.node.ts';
import { formatApiKey } from '#core/http/api-keys.ts';
import { createKeys } from '#core/jobs/keys.ts';
import { postEvents } from '#core/jobs/post-events.ts';
import { createRedisJournal } from '#core/jobs/redis-journal.ts';
import { createRedisStore } from '#core/jobs/redis-store.ts';
import { connectRedis } from '#core/redis/ioredis.node.ts';
import { freePort } from '../../local/servers/ports.ts';
import { startNats, startRedis, type TestServer } from '../helpers/servers.ts';
import { startService } from '../helpers/service-process.ts';
import { subscribedTo } from './connz.ts';
import { send } from './send.ts';
import { openSocket } from './sockets.ts';
import type { GatewayOptions, GatewayUnderTest, Heard } from './under-test.ts';

let redisServer: TestServer;
let folder: string;
let database = 0;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cortex-gateway-'));
  redisServer = await startRedis({ args: ['--databases', '64'] });
});
afterAll(async () => {
  await redisServer.stop();
  rmSync(folder, { recursive: true, force: true });
});

export async function makeOnNode(given: GatewayOptions = {}): Promise<GatewayUnderTest> {
  const { keys, apiKey, tenant, rateLimit, corsOrigins, streams = {} } = given;
  const monitor = await freePort();
  // A bus of its own, so that no gateway hears of another's jobs.
  const nats = await startNats({ args: ['-m', String(monitor)] });
  const redisUrl = `${redisServer.url}/${database++}`;
  const keysPath = join(folder, `keys-${database}.yaml`);
  if (keys !== undefined) writeFileSync(keysPath, keys.map(formatApiKey).join(''));
  const process = await startService(
    'functions/gateway/node.ts',
    {
      ...{ NATS_URL: nats.url, REDIS_URL: redisUrl, LOG_LEVEL: 'debug' },
      ...{ GATEWAY_HTTP_ADDR: '127.0.0.1:0', GATEWAY_RPC_ADDR: '127.0.0.1:0' },
      ...(keys === undefined ? {} : { API_KEYS_PATH: keysPath }),
      ...(apiKey === undefined ? {} : { API_KEY: apiKey }),
      ...(tenant === undefined ? {} : { TENANT_ID: tenant }),
      ...(corsOrigins === undefined ? {} : { CORS_ORIGINS: corsOrigins.join(',') }),
      ...(streams.max === undefined ? {} : { STREAMS_MAX: String(streams.max) }),
      ...(streams.maxPerTenant === undefined ? {} : { STREAMS_MAX_PER_TENANT: String(streams.maxPerTenant) }),
      ...(streams.lifetimeMs === undefined ? {} : { STREAM_MAX_SECONDS: String(streams.lifetimeMs / 1000) }),
      ...(rateLimit === undefined
        ? {}
        : { API_RATE_LIMIT_RPS: String(rateLimit.perSecond), API_RATE_LIMIT_BURST: String(rateLimit.burst) }),
    },
    ['http', 'rpc', 'metrics'],
  );
  const onError = (error: unknown): never => {
    throw error;
  };
  const redis = await connectRedis({ url: redisUrl, name: 'test', onError });
  const bus = await connectBus({ url: nats.url, name: 'test', onError });
  const heard: Heard[] = [];
  await bus.subscribe('>', ({ subject, data }) => heard.push({ subject, data }));
  let silent = false;
  const news = postEvents((message) => bus.post(message));
  const { http = '', rpc = '', metrics = '' } = process.urls;
  return {
    request: (path, init = {}) => send(`${http}${path}`, init),
    rpc: (path, init) => send(`${rpc}${path}`, init),
    socket: (path, headers) => openSocket(http, path, headers),
    store: createRedisStore({
      ...{ redis, keys: createKeys(1), random: () => randomUUID().replaceAll('-', '') },
      onEvents: (events) => (silent ? undefined : news(events)),
    }),
    journal: createRedisJournal({ redis }),
    redis,
    heard: (subject) => heard.filter((message) => message.subject === subject),
    silence: (on) => {
      silent = on;
    },
    subscriptions: async () => (await subscribedTo(monitor, 'cortex.ev.')).length,
    metrics: async () => (await fetch(`${metrics}/metrics`)).text(),
    async close() {
      const code = await process.stop();
      await bus.close();
      await redis.close();
      await nats.stop();
      if (code !== 0) throw new Error(`the gateway ended with ${code}: ${JSON.stringify(process.log.slice(-5))}`);
    },
  };
}
