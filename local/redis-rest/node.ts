// Redis by REST as a Node process, in front of REDIS_URL. It is up while its Redis is away, and says so.
import type { HttpBindings } from '@hono/node-server';
import { createPromMetrics } from '#core/metrics/prom.node.ts';
import { announceListening } from '#core/process/announce.node.ts';
import { serveHttp } from '#core/process/http.node.ts';
import { runProcess } from '#core/process/run.node.ts';
import { createRedisRest } from './app.ts';
import { createBackend } from './backend.ts';
import { parseRedisRestConfig, redisRestMetricsPort } from './config.ts';

await runProcess({
  name: 'cortex-redis-rest',
  metricsPort: redisRestMetricsPort,
  config: parseRedisRestConfig,
  metrics: createPromMetrics({ owns: [] }),
  async start({ config, log, health, resources }) {
    const { redisUrl, addr, token } = config;
    const backend = await resources.use(
      'redis',
      () => createBackend({ url: redisUrl, onTrouble: (error) => log.warn('trouble with Redis', { error }) }),
      (made) => made.close(),
    );
    if (!(await backend.ready(2_000))) log.warn('Redis is not there yet: requests are refused until it is');
    health.check('redis', async () => {
      await backend.run([['PING']]);
      return {};
    });
    const peer = (env: unknown): string | undefined => (env as Partial<HttpBindings>).incoming?.socket.remoteAddress;
    const { app, endStreams } = createRedisRest({ backend, token, peer, log });
    if (token === undefined) log.warn('no REDIS_REST_TOKEN: this machine alone is served');
    const server = await resources.use(
      'http',
      () => serveHttp({ fetch: app.fetch, addr, log, variable: 'REDIS_REST_ADDR' }),
      (running) => running.close(4_000),
    );
    announceListening('http', server.url);
    return { drain: async () => endStreams() };
  },
});
