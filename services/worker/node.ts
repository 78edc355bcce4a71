// The worker host as a Node process: any set of workers on NATS and Redis over TCP.
import { hostname } from 'node:os';
import { connectBus } from '#core/bus/nats-tcp.node.ts';
import { createKeys } from '#core/jobs/keys.ts';
import { postEvents } from '#core/jobs/post-events.ts';
import { createRedisStore } from '#core/jobs/redis-store.ts';
import { storeTtls } from '#core/jobs/store-env.ts';
import { createPromMetrics } from '#core/metrics/prom.node.ts';
import { runProcess } from '#core/process/run.node.ts';
import { connectRedis } from '#core/redis/ioredis.node.ts';
import { systemIds } from '#core/system.ts';
import { parseWorkerConfig, workerIds, workerMetricsPort } from './config.ts';
import { createCpuLoad } from './cpu.ts';
import { createHost } from './host.ts';
import { workers } from './index.ts';

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
      () => connectBus({ url: config.natsUrl, name, onError }),
      (connection) => connection.close(),
    );
    // Shorter than a renewal's second, so that a call that hangs does not use up the lease.
    const redis = await resources.use(
      'redis',
      () => connectRedis({ url: config.redisUrl, name, onError, commandTimeoutMs: 900 }),
      (connection) => connection.close(),
    );
    await redis.assertNoEviction();
    health.check('redis', async () => ({ durability: (await redis.durability()).class }));
    health.check('nats', () => bus.ping().then(() => ({})), { required: false });

    const ids = systemIds(clock);
    const store = createRedisStore({
      redis,
      keys: createKeys(1),
      onEvents: postEvents((message) => bus.post(message)),
      random: () => ids.random().replaceAll('-', ''),
      ...storeTtls(config),
    });
    const needs = { ...config, readResult: store.result.bind(store) };
    const host = createHost({
      workers: Array.from(workerIds(config, hostname(), ids.random()), ([short, id]) => ({
        id,
        definition: workers[short](needs),
        ...(config.parallel !== undefined && { parallel: config.parallel }),
      })),
      ...{ bus, store, clock, ids, log, metrics, onFatal: fail },
      cpuLoad: createCpuLoad(),
    });
    health.check('workers', () => ({ ids: host.workers.map((w) => w.id), instance: host.instance }));
    await host.start(stopping);
    // What runs is handed back early enough to be told before the process is ended.
    return { drain: (signal) => host.drain({ finishMs: Math.max(0, config.drainMs - 2_000), signal }) };
  },
});
