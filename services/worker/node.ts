// The worker host as a Node process: any set of workers on NATS and Redis over TCP.
import { hostname } from 'node:os';
import { createRpcEngine } from '#core/context/rpc-engine.ts';
import { memoryLimitsOf } from '#core/context/memory/limits-env.ts';
import { createRedisArchives } from '#core/archives/redis-archives.ts';
import { connectBus } from '#core/bus/nats-tcp.node.ts';
import { createRedisStore } from '#core/jobs/redis-store.ts';
import { createPromMetrics } from '#core/metrics/prom.node.ts';
import { anthropic } from '#core/model/anthropic.ts';
import { ollama } from '#core/model/ollama.ts';
import { openAiCompatible } from '#core/model/openai-compatible.ts';
import { serveModels } from '#core/model/serve.ts';
import { addressUrl } from '#core/process/address.ts';
import { findFile } from '#core/process/config-file.node.ts';
import { openPlant, plantMetrics } from '#core/process/plant.node.ts';
import { runProcess } from '#core/process/run.node.ts';
import { connectRedis } from '#core/redis/ioredis.node.ts';
import { callTimeoutMs } from './calls.ts';
import { parseWorkerConfig, parseWorkerModels, workerIds, workerMetricsPort } from './config.ts';
import { createCpuLoad } from './cpu.ts';
import { createHost } from './host.ts';
import { workers } from './index.ts';
import { patientEngine } from './patient-engine.ts';
import { fetchSettings } from './repo/env.ts';
import { renewalTimeoutMs } from './leases.ts';

const name = 'cortex-worker';

await runProcess({
  name,
  metricsPort: workerMetricsPort,
  config(env) {
    const values = parseWorkerConfig(env);
    return { ...values, ...parseWorkerModels(values, findFile(values.modelsPath), env) };
  },
  metrics: createPromMetrics({
    owns: ['cortex_worker_', 'cortex_fence_', 'cortex_scheduler_dispatch_latency_', ...plantMetrics],
  }),
  async start(context) {
    const { config, log, clock, metrics, health, stopping, fail } = context;
    const drivers = { connectBus, connectRedis, createRedisStore };
    // Two connections: neither large results nor artifacts stand in line before a renewal.
    const { bus, redis, keys, store, ids, also } = await openPlant(context, {
      name,
      drivers,
      commandTimeoutMs: callTimeoutMs,
      usageTtlMs: config.usageTtlMs,
      memoryLimits: memoryLimitsOf(config),
    });
    const leases = await also('redis for leases', renewalTimeoutMs);
    const archives = createRedisArchives({ redis, keys });
    const models = serveModels(config.models, {
      drivers: { 'openai-compatible': openAiCompatible, anthropic, ollama },
      ...{ clock, log, key: config.modelKey },
    });
    if (models !== undefined) log.info('a model is configured', { model: models.default.name });
    const { contextAddr, contextToken } = config;
    const engine = patientEngine(
      createRpcEngine({ baseUrl: addressUrl(contextAddr), ...(contextToken !== undefined && { token: contextToken }) }),
      clock,
    );
    const needs = {
      ...config,
      engine,
      fetch: fetchSettings(config),
      archives,
      readResult: store.result.bind(store),
      models,
    };
    const host = createHost({
      workers: Array.from(workerIds(config, hostname(), ids.random()), ([short, id]) => ({
        id,
        definition: workers[short](needs),
        ...(config.parallel !== undefined && { parallel: config.parallel }),
      })),
      ...{ bus, store, clock, ids, log, metrics, onFatal: fail },
      leases,
      recording: { of: config.modelRecord, model: models?.default.name },
      cpuLoad: createCpuLoad(),
    });
    health.check('workers', () => ({ ids: host.workers.map((w) => w.id), instance: host.instance }));
    await host.start(stopping);
    // What runs is handed back early enough to be told before the process is ended.
    return { drain: (signal) => host.drain({ finishMs: Math.max(0, config.drainMs - 2_000), signal }) };
  },
});
