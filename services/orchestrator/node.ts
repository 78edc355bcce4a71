// The orchestrator as a Node process: a worker host whose workers are workflows. Any number may run side by side.
import { hostname } from 'node:os';
import { connectBus } from '#core/bus/nats-tcp.node.ts';
import { createKeys } from '#core/jobs/keys.ts';
import { keepLayout } from '#core/jobs/layout.ts';
import { postEvents } from '#core/jobs/post-events.ts';
import { createRedisStore } from '#core/jobs/redis-store.ts';
import type { JobStore } from '#core/jobs/store.ts';
import { parseStoreEnv, storeTtls } from '#core/jobs/store-env.ts';
import { createPromMetrics } from '#core/metrics/prom.node.ts';
import { findFile } from '#core/process/config-file.node.ts';
import { named } from '#core/process/env.ts';
import { runProcess } from '#core/process/run.node.ts';
import { connectRedis } from '#core/redis/ioredis.node.ts';
import type { RedisConnection } from '#core/redis/redis.ts';
import { systemIds } from '#core/system.ts';
import { callTimeoutMs } from '../worker/calls.ts';
import { createCpuLoad } from '../worker/cpu.ts';
import { createHost } from '../worker/host.ts';
import { renewalTimeoutMs } from '../worker/leases.ts';
import { orchestratorEnv, orchestratorMetricsPort, parseTimeoutsText, workerIdOf } from './config.ts';
import { countEvents } from './counts.ts';
import { createOrchestrator } from './host.ts';
import { workflows } from './index.ts';

const name = 'cortex-orchestrator';

await runProcess({
  name,
  metricsPort: orchestratorMetricsPort,
  metrics: createPromMetrics({ owns: ['cortex_orchestrator_', 'cortex_worker_', 'cortex_fence_'] }),
  config(env) {
    const values = parseStoreEnv(orchestratorEnv, env);
    const file = findFile(values.timeoutsPath);
    return { ...values, timeouts: parseTimeoutsText(file), hasTimeouts: file.text !== undefined };
  },
  async start({ config, log, clock, metrics, health, resources, stopping, fail }) {
    if (!config.hasTimeouts) log.warn('no file of time-outs: the built-in ones hold', { path: config.timeoutsPath });
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
    const { parallel, timeouts, workerId } = config;
    const orchestrator = await resources.use(
      'ends of children',
      async () => {
        const made = createOrchestrator({
          ...{ bus, store, clock, log, parallel, limits: timeouts.workflows },
          workflows: Object.values(workflows),
        });
        await made.start();
        return made;
      },
      (running) => running.stop(),
    );
    countEvents(orchestrator.events, metrics);
    const random = ids.random();
    const names = Object.keys(workflows);
    const host = createHost({
      workers: orchestrator.workers.map((definition, i) => ({
        id: workerIdOf(names[i] ?? String(i), workerId, hostname(), random),
        definition,
      })),
      ...{ bus, store, clock, ids, log, metrics, onFatal: fail },
      leases: storeOn(redisOfLeases),
      cpuLoad: createCpuLoad(),
    });
    health.check('workers', () => ({ ids: host.workers.map((w) => w.id), instance: host.instance }));
    await host.start(stopping);
    // Runs are handed back almost at once: they wait for others, and whoever takes them up finds what has been done.
    return { drain: (signal) => host.drain({ finishMs: Math.min(1_000, config.drainMs / 2), signal }) };
  },
});
