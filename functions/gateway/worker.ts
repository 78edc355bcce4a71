// The gateway as a function in workerd: Redis over HTTP, NATS over WebSocket, keys from Redis. No connection outlives its request.
import { waitUntil } from 'cloudflare:workers';
import { createRedisArchives } from '#core/archives/redis-archives.ts';
import { createWsBus } from '#core/bus/nats-ws.ts';
import { createRequestPublisher } from '#core/bus/request-publisher.ts';
import { CortexError } from '#core/errors.ts';
import { problemResponse } from '#core/http/errors.ts';
import { createKeys } from '#core/jobs/keys.ts';
import { assertLayout } from '#core/jobs/layout.ts';
import { postEvents } from '#core/jobs/post-events.ts';
import { createRedisStore } from '#core/jobs/redis-store.ts';
import { createRedisJournal } from '#core/jobs/redis-journal.ts';
import { storeTtls } from '#core/jobs/store-env.ts';
// Isolates share no registry, so there is nothing to scrape.
import { noopMetrics as metrics } from '#core/metrics/noop.ts';
import { createRpcChecker } from '#core/policy/rpc-checker.ts';
import { createUpstashRedis } from '#core/redis/upstash.ts';
import { systemClock as clock, systemIds } from '#core/system.ts';
import { edgeFunction } from '../http/edge.ts';
import { createRateLimit } from '../http/rate-limit.ts';
import { upgrade } from '../http/upgrade.workerd.ts';
import { createGateway } from './app.ts';
import { parseGatewayEdgeConfig } from './edge-config.ts';
import { edgeHealth, edgeKernel } from './edge-health.ts';
import { createEdgeKeys } from './edge-keys.ts';

const name = 'cortex-api-gateway';

export default edgeFunction({
  name,
  config: parseGatewayEdgeConfig,
  open(config, log, bindings) {
    const onError = (error: unknown): void => log.warn('trouble with a connection', { error });
    const redis = createUpstashRedis({ url: config.redisRestUrl, token: config.redisRestToken });
    const bus = createWsBus({ url: config.natsWsUrl, name, onError });
    const { post } = createRequestPublisher({ publish: (messages) => bus.publish(messages), waitUntil, onError });
    const [keys, ids] = [createKeys(1), systemIds(clock)];
    const store = createRedisStore({
      ...{ redis, keys },
      onEvents: postEvents(post),
      onBroken: (error) => log.error('a record is broken', { error }),
      random: () => ids.random().replaceAll('-', '').slice(16),
      ...storeTtls(config),
    });
    const kernel = edgeKernel(config, bindings);
    const edgeKeys = createEdgeKeys(config, { redis, clock, log });
    const { app } = createGateway({
      archives: createRedisArchives({ redis, keys }),
      journal: createRedisJournal({ redis, keys, metaTtlMs: storeTtls(config).metaTtlMs }),
      ...{ store, keys, redis, post, metrics, log, clock, ids },
      isolated: true,
      subscribe: (subject, handle) => bus.subscribe(subject, ({ data }) => handle(data)),
      keyring: edgeKeys.ring,
      rateLimit: config.limit === undefined ? undefined : createRateLimit(config.limit),
      health: edgeHealth({
        name,
        redis,
        bus,
        keys: edgeKeys,
        clock,
        checker: kernel && (() => createRpcChecker({ clock, ...kernel })),
      }),
      upgrade,
      corsOrigins: config.corsOrigins ?? [],
      streams: {
        // That a client has gone shows when something is written to it, and not before.
        beatMs: 3_000,
        max: config.streamsMax,
        maxPerTenant: config.streamsMaxPerTenant,
        lifetimeMs: config.streamLifeMs,
      },
      peer: () => (config.loopback ? '127.0.0.1' : undefined),
    });
    let laidOut = false;
    return async (request) => {
      try {
        if (!laidOut && new URL(request.url).pathname !== '/health')
          laidOut = await assertLayout(redis, keys).then(() => true);
      } catch (error) {
        log.error('Redis cannot be used', { error });
        return problemResponse(new CortexError('unavailable', 'Redis cannot be used now; the log says why'));
      }
      await edgeKeys.refresh();
      return app.fetch(request);
    };
  },
});
