// The scheduler as a Node process: NATS and Redis over TCP, the safety kernel by RPC. Any number may run side by side.
import { connectBus } from '#core/bus/nats-tcp.node.ts';
import { findConfig } from '#core/config/find.node.ts';
import { createEvents } from '#core/events.ts';
import { createRedisStore } from '#core/jobs/redis-store.ts';
import { parseStoreEnv } from '#core/jobs/store-env.ts';
import { createPromMetrics } from '#core/metrics/prom.node.ts';
import { kernelDial } from '#core/policy/dial.node.ts';
import { createRpcChecker } from '#core/policy/rpc-checker.ts';
import { openPlant, plantMetrics } from '#core/process/plant.node.ts';
import { runProcess } from '#core/process/run.node.ts';
import { connectRedis } from '#core/redis/ioredis.node.ts';
import { parseSchedulerFiles, schedulerEnv, schedulerMetricsPort } from './config.ts';
import type { SchedulerEvent } from './deps.ts';
import { createScheduler } from './engine.ts';

const name = 'cortex-scheduler';

await runProcess({
  name,
  metricsPort: schedulerMetricsPort,
  async config(env) {
    const values = parseStoreEnv(schedulerEnv, env);
    const connect = () => connectRedis({ url: values.redisUrl, name, onError: () => undefined });
    const pools = await findConfig(values.poolsPath, 'pools', connect);
    const timeouts = await findConfig(values.timeoutsPath, 'timeouts', connect);
    return { ...values, ...parseSchedulerFiles({ pools, timeouts }), builtInTimeouts: timeouts.text === undefined };
  },
  // Whoever may submit may invent topics; they must not push ours out of the metrics.
  metrics: ({ pools }) =>
    createPromMetrics({
      owns: ['cortex_scheduler_', 'cortex_fence_', ...plantMetrics],
      known: { topic: pools.topics.keys() },
    }),
  async start(context) {
    const { config, log, clock, metrics, health } = context;
    const { pools, timeouts, timeoutsPath } = config;
    if (config.builtInTimeouts) log.warn('there is no such file: the built-in time-outs hold', { path: timeoutsPath });
    const drivers = { connectBus, connectRedis, createRedisStore };
    const { bus, redis, store } = await openPlant(context, { name, drivers });
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
