// The scheduler as a Node process: NATS and Redis over TCP, the safety kernel by RPC. Any number may run side by side.
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { connectBus } from '#core/bus/nats-tcp.node.ts';
import { createEvents } from '#core/events.ts';
import { createKeys } from '#core/jobs/keys.ts';
import { postEvents } from '#core/jobs/post-events.ts';
import { createRedisStore } from '#core/jobs/redis-store.ts';
import { storeTtls } from '#core/jobs/store-env.ts';
import { createPromMetrics } from '#core/metrics/prom.node.ts';
import { kernelDial } from '#core/policy/dial.node.ts';
import { createRpcChecker } from '#core/policy/rpc-checker.ts';
import { EnvError, parseEnv } from '#core/process/env.ts';
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
    const values = parseEnv(schedulerEnv, env);
    const { poolsPath, timeoutsPath } = values;
    if (!existsSync(poolsPath)) throw new EnvError([`POOL_CONFIG_PATH: there is no file ${poolsPath}`]);
    const timeouts = existsSync(timeoutsPath) ? readFileSync(timeoutsPath, 'utf8') : undefined;
    const files = parseSchedulerFiles({
      pools: { path: poolsPath, text: readFileSync(poolsPath, 'utf8') },
      timeouts: { path: timeoutsPath, text: timeouts },
    });
    return { ...values, ...files };
  },
  // Whoever may submit may invent topics; they must not push ours out of the metrics.
  metrics: ({ pools }) =>
    createPromMetrics({
      owns: ['cortex_scheduler_', 'cortex_safety_', 'cortex_fence_', 'cortex_bus_'],
      known: { topic: pools.topics.keys() },
    }),
  async start({ config, log, clock, metrics, health, resources }) {
    const { natsUrl, redisUrl, pools, timeouts } = config;
    const onError = (error: unknown): void => log.warn('trouble with a connection', { error });
    const redis = await resources.use(
      'redis',
      () => connectRedis({ url: redisUrl, name, onError }),
      (connection) => connection.close(),
    );
    await redis.assertNoEviction();
    const bus = await resources.use(
      'bus',
      () => connectBus({ url: natsUrl, name, onError }),
      (connection) => connection.close(),
    );
    const store = createRedisStore({
      redis,
      keys: createKeys(),
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
