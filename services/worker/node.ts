// The worker host as a Node process: any set of workers on NATS and Redis over TCP.
import { hostname } from 'node:os';
import { connectBus } from '#core/bus/nats-tcp.node.ts';
import { createKeys } from '#core/jobs/keys.ts';
import { keepLayout } from '#core/jobs/layout.ts';
import { postEvents } from '#core/jobs/post-events.ts';
import { createRedisStore } from '#core/jobs/redis-store.ts';
import type { JobStore } from '#core/jobs/store.ts';
import { storeTtls } from '#core/jobs/store-env.ts';
import { createPromMetrics } from '#core/metrics/prom.node.ts';
import { named } from '#core/process/env.ts';
import { runProcess } from '#core/process/run.node.ts';
import { connectRedis } from '#core/redis/ioredis.node.ts';
import type { RedisConnection } from '#core/redis/redis.ts';
import { systemIds } from '#core/system.ts';
import { callTimeoutMs } from './calls.ts';
import { parseWorkerConfig, workerIds, workerMetricsPort } from './config.ts';
import { createCpuLoad } from './cpu.ts';
import { createHost } from './host.ts';
import { workers } from './index.ts';
import { renewalTimeoutMs } from './leases.ts';

const name = 'cortex-worker';

await runProcess({
  name,
  metricsPort: workerMetricsPort,
  config: parseWorkerConfig,
  metrics: createPromMetrics({ owns: ['cortex_worker_', 'cortex_fence_', 'cortex_scheduler_dispatch_latency_'] }),
  async start({ config, log, clock, metrics, health, resources, stopping, fail }) {
    const onError = (error: unknown): void => log.warn('trouble with a connection', { error });
    const bus = await resources.use(
      'nats',
      () => named('NATS_URL', connectBus({ url: config.natsUrl, name, onError })),
      (connection) => connection.close(),
    );
    // Two connections: neither large results nor artifacts stand in line before a renewal.
    const useRedis = (what: string, commandTimeoutMs: number): Promise<RedisConnection> =>
      resources.use(
        what,
        () => named('REDIS_URL', connectRedis({ url: config.redisUrl, name, onError, commandTimeoutMs })),
        (connection) => connection.close(),
      );
    const redis = await useRedis('redis', callTimeoutMs);
    const redisOfLeases = await useRedis('redis for leases', renewalTimeoutMs);
    await redisOfLeases.assertNoEviction();
    const keys = createKeys(1);
    await keepLayout(redisOfLeases, keys, fail);
    health.check('redis', async () => ({ durability: (await redisOfLeases.durability()).class }));
    health.check('nats', () => bus.ping().then(() => ({})), { required: false });

    const ids = systemIds(clock);
    const storeOn = (connection: RedisConnection): JobStore =>
      createRedisStore({
        redis: connection,
        keys,
        onEvents: postEvents((message) => bus.post(message)),
        random: () => ids.random().replaceAll('-', ''),
        ...storeTtls(config),
      });
    const store = storeOn(redis);
    const needs = { ...config, readResult: store.result.bind(store) };
    const host = createHost({
      workers: Array.from(workerIds(config, hostname(), ids.random()), ([short, id]) => ({
        id,
        definition: workers[short](needs),
        ...(config.parallel !== undefined && { parallel: config.parallel }),
      })),
      ...{ bus, store, clock, ids, log, metrics, onFatal: fail },
      leases: storeOn(redisOfLeases),
      cpuLoad: createCpuLoad(),
    });
    health.check('workers', () => ({ ids: host.workers.map((w) => w.id), instance: host.instance }));
    await host.start(stopping);
    // What runs is handed back early enough to be told before the process is ended.
    return { drain: (signal) => host.drain({ finishMs: Math.max(0, config.drainMs - 2_000), signal }) };
  },
});
