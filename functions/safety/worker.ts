// The safety kernel as a function in workerd: the policy from Redis over HTTP, Connect and gRPC-Web.
import { createRedisPolicySource } from '#core/policy/redis-source.ts';
// Isolates share no registry, so there is nothing to scrape.
import { noopMetrics as metrics } from '#core/metrics/noop.ts';
import { createUpstashRedis } from '#core/redis/upstash.ts';
import { systemClock as clock } from '#core/system.ts';
import { edgeFunction } from '../http/edge.ts';
import { createSafety } from './app.ts';
import { parseSafetyEdgeConfig } from './edge-config.ts';

export default edgeFunction({
  name: 'cortex-safety-kernel',
  config: parseSafetyEdgeConfig,
  open({ redisRestUrl, redisRestToken, token }, log) {
    const redis = createUpstashRedis({ url: redisRestUrl, token: redisRestToken });
    const { app } = createSafety({ source: createRedisPolicySource(redis, clock), metrics, clock, log, token });
    return (request) => app.fetch(request);
  },
});
