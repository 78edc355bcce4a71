// The gateway as a Node process: Redis and NATS over TCP, REST on one port, CortexApi by every protocol on another.
import type { HttpBindings } from '@hono/node-server';
import { createRedisArchives } from '#core/archives/redis-archives.ts';
import { connectBus } from '#core/bus/nats-tcp.node.ts';
import { CortexError } from '#core/errors.ts';
import { createGrpcListener } from '#core/http/grpc.node.ts';
import { createReflection } from '#core/http/reflection.ts';
import { createRedisStore } from '#core/jobs/redis-store.ts';
import { storeTtls } from '#core/jobs/store-env.ts';
import { createRedisJournal } from '#core/jobs/redis-journal.ts';
import { createPromMetrics } from '#core/metrics/prom.node.ts';
import { announceListening } from '#core/process/announce.node.ts';
import { serveDual, serveHttp } from '#core/process/http.node.ts';
import { kernelDial } from '#core/policy/dial.node.ts';
import { createRpcChecker } from '#core/policy/rpc-checker.ts';
import { openPlant, plantMetrics } from '#core/process/plant.node.ts';
import { runProcess } from '#core/process/run.node.ts';
import { tlsOf } from '#core/process/tls.node.ts';
import { connectRedis } from '#core/redis/ioredis.node.ts';
import { createKeyring } from '../http/keyring.ts';
import { createKeysFile } from '../http/keys-file.node.ts';
import { createRateLimit } from '../http/rate-limit.ts';
import { createNodeUpgrades } from '../http/upgrade.node.ts';
import { createGateway } from './app.ts';
import { gatewayMetricsPort, parseGatewayConfig } from './config.ts';
import { kernelProbe } from './kernel-health.ts';
import { callerValues } from './rpc-gate.ts';

const name = 'cortex-api-gateway';

await runProcess({
  name,
  metricsPort: gatewayMetricsPort,
  config: parseGatewayConfig,
  metrics: createPromMetrics({ owns: ['cortex_api_gateway_', ...plantMetrics] }),
  async start(context) {
    const { config, log, clock, metrics, health, resources } = context;
    const { tenant, apiKey, apiKeysPath, limit } = config;
    const keysFile = apiKeysPath === undefined ? undefined : createKeysFile({ path: apiKeysPath, clock, log });
    const keyring = createKeyring({ apiKey, tenant, keys: keysFile?.current });
    if (keyring.open) log.warn('no API key is configured: only this machine is served', { tenant });

    const drivers = { connectBus, connectRedis, createRedisStore };
    const { bus, redis, keys, ids, store } = await openPlant(context, { name, drivers });
    health.check('safety', kernelProbe(createRpcChecker({ ...kernelDial(config), clock })), { required: false });
    if (keysFile !== undefined) {
      const inForce = (): { keys: number } => {
        // Anybody may ask for the health: what is wrong in the file is for the log.
        if (keysFile.fault() !== undefined) {
          throw new CortexError('failed_precondition', 'API_KEYS_PATH cannot be used; the keys of before are in force');
        }
        return { keys: keysFile.current().length };
      };
      health.check('api_keys', inForce, { required: false });
    }

    const upgrades = createNodeUpgrades();
    const { app, rpc, rpcOptions, stop } = createGateway({
      ...{ store, keys, redis, keyring, metrics, log, clock, ids },
      archives: createRedisArchives({ redis, keys }),
      journal: createRedisJournal({ redis, keys, metaTtlMs: storeTtls(config).metaTtlMs }),
      post: (message) => bus.post(message),
      subscribe: (subject, handle) => bus.subscribe(subject, ({ data }) => handle(data)),
      rateLimit: limit === undefined ? undefined : createRateLimit(limit),
      health: () => health.report(),
      peer: (env) => (env as Partial<HttpBindings>).incoming?.socket.remoteAddress,
      upgrade: upgrades.upgrade,
      corsOrigins: config.corsOrigins ?? [],
      streams: {
        max: config.streamsMax,
        maxPerTenant: config.streamsMaxPerTenant,
        lifetimeMs: config.streamLifeMs,
      },
    });
    const reflection = createReflection();
    const grpc = createGrpcListener(reflection.beside(rpc), {
      ...rpcOptions,
      contextValues: (request) => callerValues(request.socket.remoteAddress),
    });
    const serve = { fetch: app.fetch, log, upgrade: upgrades.listener(app.fetch, log) };
    const tls = tlsOf(
      { variable: 'GRPC_TLS_CERT', path: config.tlsCert },
      { variable: 'GRPC_TLS_KEY', path: config.tlsKey },
    );
    const http = await resources.use(
      'http',
      () => serveHttp({ ...serve, addr: config.httpAddr, variable: 'GATEWAY_HTTP_ADDR' }),
      (server) => server.close(4_000),
    );
    const dual = await resources.use(
      'rpc',
      () => serveDual({ ...serve, grpc, tls, addr: config.rpcAddr, variable: 'GATEWAY_RPC_ADDR' }),
      (server) => server.close(4_000),
    );
    announceListening('http', http.url);
    announceListening('rpc', dual.url);
    return {
      drain: async () => {
        reflection.stop();
        stop();
      },
    };
  },
});
