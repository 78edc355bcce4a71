// The scheduler as a Node process: NATS and Redis over TCP, the safety kernel by RPC. Any number may run side by side.
import { randomBytes } from 'node:crypto';
import { connectBus } from '#core/bus/nats-tcp.node.ts';
import { createEvents } from '#core/events.ts';
import { createKeys } from '#core/jobs/keys.ts';
import { keepLayout } from '#core/jobs/layout.ts';
import { postEvents } from '#core/jobs/post-events.ts';
import { createRedisStore } from '#core/jobs/redis-store.ts';
import { parseStoreEnv, storeTtls } from '#core/jobs/store-env.ts';
import { followCounters } from '#core/metrics/follow.ts';
import { createPromMetrics } from '#core/metrics/prom.node.ts';
import { kernelDial } from '#core/policy/dial.node.ts';
import { createRpcChecker } from '#core/policy/rpc-checker.ts';
import { findFile } from '#core/process/config-file.node.ts';
import { named } from '#core/process/env.ts';
import { runProcess } from '#core/process/run.node.ts';
import { connectRedis } from '#core/redis/ioredis.node.ts';
import { parseSchedulerFiles, schedulerEnv, schedulerMetricsPort } from './config.ts';
import type { SchedulerEvent } from './deps.ts';
import { createScheduler } from './engine.ts';

const name = 'cortex-scheduler';

await runProcess({
  name,
  metricsPort: schedulerMetricsPort,
  config(env) {
    const values = parseStoreEnv(schedulerEnv, env);
    const timeoutsFile = findFile(values.timeoutsPath);
    const files = parseSchedulerFiles({ pools: findFile(values.poolsPath), timeouts: timeoutsFile });
    return { ...values, ...files, builtInTimeouts: timeoutsFile.text === undefined };
  },
  // Whoever may submit may invent topics; they must not push ours out of the metrics.
  metrics: ({ pools }) =>
    createPromMetrics({
      owns: ['cortex_scheduler_', 'cortex_safety_', 'cortex_fence_', 'cortex_bus_', 'cortex_redis_'],
      known: { topic: pools.topics.keys() },
    }),
  async start({ config, log, clock, metrics, health, resources, stopping: signal, fail }) {
    const { natsUrl, redisUrl, pools, timeouts, timeoutsPath } = config;
    if (config.builtInTimeouts) log.warn('there is no such file: the built-in time-outs hold', { path: timeoutsPath });
    const onError = (error: unknown): void => log.warn('trouble with a connection', { error });
    const redis = await resources.use(
      'redis',
      () => named('REDIS_URL', connectRedis({ url: redisUrl, name, onError })),
      (connection) => connection.close(),
    );
    await redis.assertNoEviction();
    const keys = createKeys();
    await keepLayout(redis, keys, fail);
    health.check('redis', async () => ({ durability: (await redis.durability()).class }));
    const bus = await resources.use(
      'bus',
      () => named('NATS_URL', connectBus({ url: natsUrl, name, onError })),
      (connection) => connection.close(),
    );
    followCounters(
      { metrics, clock, signal },
      { cortex_bus_dropped_total: () => bus.dropped, cortex_redis_calls_total: () => redis.calls },
    );
    const store = createRedisStore({
      redis,
      keys,
      onEvents: postEvents((message) => bus.post(message)),
      onBroken: (error) => log.error('a record is broken', { error }),
      random: () => randomBytes(8).toString('hex'),
      ...storeTtls(config),
    });
    const scheduler = createScheduler({
      bus,
      store,
      redis,
      checker: createRpcChecker({ ...kernelDial(config), clock }),
      clock,
      log,
      metrics,
      pools,
      timeouts,
      events: createEvents<SchedulerEvent>(),
    });
    health.check(
      'parts',
      () => {
        const troubles = scheduler.troubles();
        if (Object.keys(troubles).length > 0) throw new Error(JSON.stringify(troubles));
        return {};
      },
      { required: false },
    );
    await scheduler.start();
    return { drain: () => scheduler.stop() };
  },
});
