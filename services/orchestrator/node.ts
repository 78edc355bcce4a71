// The orchestrator as a Node process: a worker host whose workers are workflows. Any number may run side by side.
import { hostname } from 'node:os';
import { connectBus } from '#core/bus/nats-tcp.node.ts';
import { findConfig } from '#core/config/find.node.ts';
import { createRedisStore } from '#core/jobs/redis-store.ts';
import { parseStoreEnv, storeTtls } from '#core/jobs/store-env.ts';
import { createRedisJournal } from '#core/jobs/redis-journal.ts';
import { createPromMetrics } from '#core/metrics/prom.node.ts';
import { openPlant, plantMetrics } from '#core/process/plant.node.ts';
import { runProcess } from '#core/process/run.node.ts';
import { connectRedis } from '#core/redis/ioredis.node.ts';
import { callTimeoutMs } from '../worker/calls.ts';
import { createCpuLoad } from '../worker/cpu.ts';
import { createHost } from '../worker/host.ts';
import { renewalTimeoutMs } from '../worker/leases.ts';
import { orchestratorEnv, orchestratorMetricsPort, parseTimeoutsText, workerIdOf } from './config.ts';
import { countEvents } from './counts.ts';
import { createOrchestrator } from './host.ts';
import { workflows } from './index.ts';
import { loadWorkflows } from './load.node.ts';

const name = 'cortex-orchestrator';

await runProcess({
  name,
  metricsPort: orchestratorMetricsPort,
  metrics: createPromMetrics({ owns: ['cortex_orchestrator_', 'cortex_worker_', 'cortex_fence_', ...plantMetrics] }),
  async config(env) {
    const values = parseStoreEnv(orchestratorEnv, env);
    const connect = () => connectRedis({ url: values.redisUrl, name, onError: () => undefined });
    const file = await findConfig(values.timeoutsPath, 'timeouts', connect);
    const taken = Object.values(workflows(values)).flatMap((versions) => versions.map(({ topic }) => topic));
    const more = await loadWorkflows(values.workflowsPath, taken);
    return { ...values, more, timeouts: parseTimeoutsText(file), hasTimeouts: file.text !== undefined };
  },
  async start(context) {
    const { config, log, clock, metrics, health, resources, stopping, fail } = context;
    if (!config.hasTimeouts) log.warn('no file of time-outs: the built-in ones hold', { path: config.timeoutsPath });
    const drivers = { connectBus, connectRedis, createRedisStore };
    // Two connections: neither large results nor artifacts stand in line before a renewal.
    const { bus, redis, keys, store, ids, also } = await openPlant(context, {
      name,
      drivers,
      commandTimeoutMs: callTimeoutMs,
    });
    const leases = await also('redis for leases', renewalTimeoutMs);
    const { parallel, timeouts, workerId } = config;
    const known = { ...workflows(config), ...config.more };
    const orchestrator = await resources.use(
      'ends of children',
      async () => {
        const made = createOrchestrator({
          ...{ bus, store, clock, log, parallel, limits: timeouts.workflows },
          journal: createRedisJournal({ redis, keys, metaTtlMs: storeTtls(config).metaTtlMs }),
          workflows: Object.values(known).flat(),
        });
        await made.start();
        return made;
      },
      (running) => running.stop(),
    );
    countEvents(orchestrator.events, metrics);
    const random = ids.random();
    const names = Object.keys(known);
    const host = createHost({
      workers: orchestrator.workers.map((definition, i) => ({
        id: workerIdOf(names[i] ?? String(i), workerId, hostname(), random),
        definition,
      })),
      ...{ bus, store, clock, ids, log, metrics, onFatal: fail },
      leases,
      cpuLoad: createCpuLoad(),
    });
    health.check('workers', () => ({ ids: host.workers.map((w) => w.id), instance: host.instance }));
    await host.start(stopping);
    // Runs are handed back almost at once: they wait for others, and whoever takes them up finds what has been done.
    return { drain: (signal) => host.drain({ finishMs: Math.min(1_000, config.drainMs / 2), signal }) };
  },
});
