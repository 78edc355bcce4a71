// A worker process like services/worker/node.ts, with the workers of workers.ts. One process hosts one topic of them: TEST_WORKER.
import { randomBytes } from 'node:crypto';
import { connectBus } from '#core/bus/nats-tcp.node.ts';
import { createKeys } from '#core/jobs/keys.ts';
import { postEvents } from '#core/jobs/post-events.ts';
import { createRedisStore } from '#core/jobs/redis-store.ts';
import { createPromMetrics } from '#core/metrics/prom.node.ts';
import { announceListening } from '#core/process/announce.node.ts';
import { parseEnv } from '#core/process/env.ts';
import { runProcess } from '#core/process/run.node.ts';
import { int, required, text, url } from '#core/process/variables.ts';
import { connectRedis } from '#core/redis/ioredis.node.ts';
import { systemIds } from '#core/system.ts';
import { createHost } from '../../../services/worker/host.ts';
import { testWorkers } from './workers.ts';

const spec = {
  natsUrl: required(url('NATS_URL', undefined, 'the bus', ['nats'])),
  redisUrl: required(url('REDIS_URL', undefined, 'the store', ['redis'])),
  worker: required(text('TEST_WORKER', undefined, 'the topic to host')),
  id: required(text('WORKER_ID', undefined, 'the id of the worker')),
  parallel: int('WORKER_PARALLEL', undefined, 'jobs at once', { min: 1, max: 1000 }),
};

await runProcess({
  name: 'test-worker',
  metricsPort: 0,
  config: (env) => parseEnv(spec, env),
  metrics: createPromMetrics({ owns: ['cortex_worker_'] }),
  async start({ config, log, clock, metrics, resources, fail }) {
    const onError = (error: unknown): void => log.warn('trouble with a connection', { error });
    const redis = await resources.use(
      'redis',
      () => connectRedis({ url: config.redisUrl, name: 'test-worker', onError }),
      (connection) => connection.close(),
    );
    const bus = await resources.use(
      'bus',
      () => connectBus({ url: config.natsUrl, name: 'test-worker', onError }),
      (connection) => connection.close(),
    );
    const store = createRedisStore({
      redis,
      keys: createKeys(),
      onEvents: postEvents((message) => bus.post(message)),
      random: () => randomBytes(8).toString('hex'),
    });
    const definition = testWorkers(redis).find(({ topic }) => topic === config.worker);
    if (definition === undefined) throw new Error(`no test worker does ${config.worker}`);
    const host = createHost({
      workers: [{ id: config.id, definition, ...(config.parallel !== undefined && { parallel: config.parallel }) }],
      bus,
      store,
      clock,
      ids: systemIds(clock),
      log,
      metrics,
      cpuLoad: () => 0,
      onFatal: fail,
    });
    await host.start();
    announceListening('worker', config.id);
    return { drain: (signal) => host.drain({ finishMs: 10_000, signal }) };
  },
});
