// The context engine as a Node process: HTTP/1.1, HTTP/2 and gRPC on one port, memories and indexes on Redis over TCP. Any number may run
// side by side: what one has at hand is only what it has read.
import { createRedisRepos } from '#core/context/redis-repos.ts';
import { memoryLimitsOf } from '#core/context/memory/limits-env.ts';
import { createGrpcListener } from '#core/http/grpc.node.ts';
import { createReflection } from '#core/http/reflection.ts';
import { createKeys } from '#core/jobs/keys.ts';
import { keepLayout } from '#core/jobs/layout.ts';
import { createRedisLog } from '#core/jobs/redis-log.ts';
import { createRedisStore } from '#core/jobs/redis-store.ts';
import { followCounters } from '#core/metrics/follow.ts';
import { createPromMetrics } from '#core/metrics/prom.node.ts';
import { abortable } from '#core/deadline.ts';
import { openAiEmbeddings } from '#core/model/openai-embeddings.ts';
import { isLoopback } from '#core/process/address.ts';
import { announceListening } from '#core/process/announce.node.ts';
import { findFile } from '#core/process/config-file.node.ts';
import { named } from '#core/process/env.ts';
import { serveDual } from '#core/process/http.node.ts';
import { runProcess } from '#core/process/run.node.ts';
import { connectRedis } from '#core/redis/ioredis.node.ts';
import { systemIds } from '#core/system.ts';
import { createContextApp } from './app.ts';
import { createReadArchive } from './archive.ts';
import { contextMetricsPort, parseContextEmbeddings, parseContextEngineConfig } from './config.ts';
import { createIngester } from './ingest.ts';
import { createMeanings, noMeanings } from './meanings.ts';
import { createMemories } from './memories.ts';
import { createRepositories } from './repositories.ts';
import { createWindows } from './windows.ts';

const name = 'cortex-context-engine';

await runProcess({
  name,
  metricsPort: contextMetricsPort,
  config(env) {
    const values = parseContextEngineConfig(env);
    return { ...values, embeddings: parseContextEmbeddings(values, findFile(values.modelsPath), env) };
  },
  metrics: createPromMetrics({ owns: ['cortex_context_', 'cortex_redis_'] }),
  async start({ config, log, clock, metrics, health, resources, stopping, fail }) {
    const { contextAddr: addr, contextToken: token, tenant, redisUrl: url } = config;
    const onError = (error: unknown): void => log.warn('trouble with a connection', { error });
    const redis = await resources.use(
      'redis',
      () =>
        named(
          'REDIS_URL',
          abortable(stopping, () => connectRedis({ url, name, onError })),
        ),
      (connection) => connection.close(),
    );
    await redis.assertNoEviction();
    const keys = createKeys(1);
    await keepLayout(redis, keys, fail);
    health.check('redis', async () => ({ durability: (await redis.durability()).class }));
    followCounters({ metrics, clock, signal: stopping }, { cortex_redis_calls_total: () => redis.calls });
    const ids = systemIds(clock);
    const memoryLog = createRedisLog({ redis, keys, limits: memoryLimitsOf(config) });
    const { repoTtl: ttlMs, repoBytes, repoCommits, repoRepositories } = config;
    const repos = createRedisRepos({
      ...{ redis, keys },
      limits: { ttlMs, bytes: repoBytes, commits: repoCommits, repositories: repoRepositories },
    });
    const ingester = await resources.use(
      'the thread that reads repositories',
      () => createIngester(),
      (running) => running.close(),
    );
    const memories = createMemories(memoryLog);
    const repositories = createRepositories({ repos, ingester, log });
    const { embeddings } = config;
    const meanings =
      embeddings === undefined
        ? noMeanings
        : await resources.use(
            'what compares meanings',
            () =>
              createMeanings({
                ...{ repos, repositories, log, metrics, clock },
                embeddings: openAiEmbeddings({ ...embeddings, clock }),
              }),
            (running) => running.close(),
          );
    if (embeddings !== undefined) log.info('meanings are compared by a model', { model: embeddings.model });
    const store = createRedisStore({ redis, keys, random: () => ids.random().replaceAll('-', '') });
    const { app, routes, options } = createContextApp({
      ...{ tenant, memoryLog, memories, repositories, meanings, log, metrics, clock, token },
      buildWindow: createWindows({ memories, repositories, meanings, log }),
      readArchive: createReadArchive({ redis, keys, store }),
    });
    const reflection = createReflection();
    const grpc = createGrpcListener(reflection.beside(routes), options);
    const server = await resources.use(
      'context engine',
      () => serveDual({ fetch: app.fetch, grpc, addr, log, variable: 'CONTEXT_ENGINE_ADDR' }),
      (running) => running.close(4_000),
    );
    if (token === undefined && !isLoopback(addr)) {
      log.warn('other machines may ask this engine without a token', { variable: 'CONTEXT_ENGINE_TOKEN', ...addr });
    }
    announceListening('rpc', server.url);
    return { drain: async () => reflection.stop() };
  },
});
