// The gateway as it is deployed to the edge: the bundle in workerd, Redis over REST, NATS over WebSocket, both real.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll } from 'vitest';
import { connectBus } from '#core/bus/nats-tcp.node.ts';
import { pushConfig } from '#core/config/stored.ts';
import { formatApiKey } from '#core/http/api-keys.ts';
import { createKeys } from '#core/jobs/keys.ts';
import { postEvents } from '#core/jobs/post-events.ts';
import { createRedisJournal } from '#core/jobs/redis-journal.ts';
import { createRedisStore } from '#core/jobs/redis-store.ts';
import { connectRedis } from '#core/redis/ioredis.node.ts';
import { freePort } from '../../local/servers/ports.ts';
import { startRedisRest } from '../helpers/redis-rest.ts';
import { startNats, startRedis, type TestServer } from '../helpers/servers.ts';
import { subscribedTo } from '../http/connz.ts';
import { testGateway } from '../http/gateway.ts';
import { send } from '../http/send.ts';
import { openSocket } from '../http/sockets.ts';
import type { GatewayOptions, GatewayUnderTest, Heard } from '../http/under-test.ts';
import { startFunction } from './runtime.ts';

let redisServer: TestServer;
let database = 0;

beforeAll(async () => {
  redisServer = await startRedis({ args: ['--databases', '64'] });
});
afterAll(async () => {
  await redisServer.stop();
});

async function make(given: GatewayOptions = {}): Promise<GatewayUnderTest> {
  const { keys, apiKey, tenant, rateLimit, corsOrigins, streams = {} } = given;
  const [monitor, webSocketPort] = [await freePort(), await freePort()];
  const nats = await startNats({ args: ['-m', String(monitor)], webSocketPort });
  const redisUrl = `${redisServer.url}/${database++}`;
  const onError = (error: unknown): never => {
    throw error;
  };
  const redis = await connectRedis({ url: redisUrl, name: 'test', onError });
  if (keys !== undefined) await pushConfig(redis, 'keys', keys.map(formatApiKey).join(''));
  const rest = await startRedisRest(redisUrl);
  const workerd = await startFunction('gateway', {
    ...{ REDIS_REST_URL: rest.url, REDIS_REST_TOKEN: rest.token, NATS_WS_URL: `ws://127.0.0.1:${webSocketPort}` },
    EDGE_LOOPBACK: 'true',
    ...(apiKey === undefined ? {} : { API_KEY: apiKey }),
    ...(tenant === undefined ? {} : { TENANT_ID: tenant }),
    ...(corsOrigins === undefined ? {} : { CORS_ORIGINS: corsOrigins.join(',') }),
    ...(streams.max === undefined ? {} : { STREAMS_MAX: String(streams.max) }),
    ...(streams.maxPerTenant === undefined ? {} : { STREAMS_MAX_PER_TENANT: String(streams.maxPerTenant) }),
    ...(streams.lifetimeMs === undefined ? {} : { STREAM_MAX_SECONDS: String(streams.lifetimeMs / 1000) }),
    ...(rateLimit === undefined
      ? {}
      : { API_RATE_LIMIT_RPS: String(rateLimit.perSecond), API_RATE_LIMIT_BURST: String(rateLimit.burst) }),
  });
  const bus = await connectBus({ url: nats.url, name: 'test', onError });
  const heard: Heard[] = [];
  await bus.subscribe('>', ({ subject, data }) => heard.push({ subject, data }));
  let silent = false;
  const news = postEvents((message) => bus.post(message));
  const request: GatewayUnderTest['request'] = (path, init = {}) => send(`${workerd.url}${path}`, init);
  return {
    request,
    rpc: request,
    socket: (path, headers) => openSocket(workerd.url, path, headers),
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
    isolated: true,
    metrics: () => Promise.resolve(''),
    async close() {
      await workerd.stop();
      await bus.close();
      await redis.close();
      await rest.stop();
      await nats.stop();
    },
  };
}

testGateway('in workerd', make, { metrics: false });
