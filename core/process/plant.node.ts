// What every long-lived process of ours stands on: the bus, Redis, the job store, and what is said of them in /health and /metrics.
// The drivers are handed in: an entry chooses them.
import type { BusConnection } from '#core/bus/bus.ts';
import { abortable } from '#core/deadline.ts';
import type { MemoryLimits } from '#core/context/memory/log.ts';
import type { CortexError } from '#core/errors.ts';
import type { JobEvent } from '#core/jobs/job.ts';
import { createKeys, type Keys } from '#core/jobs/keys.ts';
import { keepLayout } from '#core/jobs/layout.ts';
import { postEvents } from '#core/jobs/post-events.ts';
import type { JobStore } from '#core/jobs/store.ts';
import { type storeEnv, storeTtls } from '#core/jobs/store-env.ts';
import { followCounters } from '#core/metrics/follow.ts';
import type { RedisConnection } from '#core/redis/redis.ts';
import { type Ids, systemIds } from '#core/system.ts';
import { type EnvValues, named } from './env.ts';
import type { ProcessContext } from './run.node.ts';

interface Dial {
  readonly url: string;
  readonly name: string;
  readonly onError: (error: CortexError) => void;
}

export interface PlantDrivers {
  readonly connectBus: (options: Dial) => Promise<BusConnection>;
  readonly connectRedis: (options: Dial & { readonly commandTimeoutMs?: number }) => Promise<RedisConnection>;
  readonly createRedisStore: (options: {
    readonly redis: RedisConnection;
    readonly keys: Keys;
    readonly onEvents: (events: readonly JobEvent[]) => void;
    readonly onBroken: (error: CortexError) => void;
    readonly random: () => string;
    readonly dataTtlMs: number;
    readonly metaTtlMs: number;
    readonly usageTtlMs: number | undefined;
    readonly memoryLimits: MemoryLimits | undefined;
  }) => JobStore;
}

export interface PlantConfig extends EnvValues<typeof storeEnv> {
  readonly natsUrl: string;
  readonly redisUrl: string;
}

/** Beginnings of the metrics of a plant, for the process that owns them. */
export const plantMetrics = ['cortex_bus_', 'cortex_redis_'];

export interface Plant {
  readonly bus: BusConnection;
  readonly redis: RedisConnection;
  readonly keys: Keys;
  readonly ids: Ids;
  readonly store: JobStore;
  /** The store on a connection of its own, where one kind of call must not stand in line behind others. */
  also(what: string, commandTimeoutMs: number): Promise<JobStore>;
}

export interface PlantOptions {
  readonly name: string;
  readonly drivers: PlantDrivers;
  /** How long a call to Redis may take, ms. Default: the driver's. */
  readonly commandTimeoutMs?: number;
  /** How long the sums of what models took are kept, ms; for a process that adds to them. */
  readonly usageTtlMs?: number;
  /** What memories may take; for a process whose jobs are remembered. */
  readonly memoryLimits?: MemoryLimits;
}

/**
 * Connects, and notes the release. Throws what the drivers throw, `canceled` when the process is stopped before, and
 * `failed_precondition` for a Redis that evicts or is laid out for others; one that is so after a reconnect ends the process.
 */
export async function openPlant(
  { config, log, clock, metrics, health, resources, stopping: signal, fail }: ProcessContext<PlantConfig>,
  { name, drivers, commandTimeoutMs, usageTtlMs, memoryLimits }: PlantOptions,
): Promise<Plant> {
  const onError = (error: unknown): void => log.warn('trouble with a connection', { error });
  /** A driver waits for a server that is not there; who stops the process does not. */
  const dial = <T>(variable: string, connect: () => Promise<T>) => named(variable, abortable(signal, connect));
  const bus = await resources.use(
    'nats',
    () => dial('NATS_URL', () => drivers.connectBus({ url: config.natsUrl, name, onError })),
    (connection) => connection.close(),
  );
  const connections: RedisConnection[] = [];
  const useRedis = async (what: string, timeoutMs: number | undefined): Promise<RedisConnection> => {
    const limit = timeoutMs === undefined ? {} : { commandTimeoutMs: timeoutMs };
    const made = await resources.use(
      what,
      () => dial('REDIS_URL', () => drivers.connectRedis({ url: config.redisUrl, name, onError, ...limit })),
      (connection) => connection.close(),
    );
    connections.push(made);
    return made;
  };
  const redis = await useRedis('redis', commandTimeoutMs);
  await redis.assertNoEviction();
  const keys = createKeys(1);
  await keepLayout(redis, keys, fail);
  health.check('redis', async () => ({ durability: (await redis.durability()).class }));
  health.check('nats', () => bus.ping().then(() => ({})), { required: false });
  followCounters(
    { metrics, clock, signal },
    {
      cortex_bus_dropped_total: () => bus.dropped,
      cortex_redis_calls_total: () => connections.reduce((sum, { calls }) => sum + calls, 0),
    },
  );
  const ids = systemIds(clock);
  const storeOn = (connection: RedisConnection): JobStore =>
    drivers.createRedisStore({
      redis: connection,
      keys,
      onEvents: postEvents((message) => bus.post(message)),
      onBroken: (error) => log.error('a record is broken', { error }),
      // Sixteen digits: they are a part of each attempt's name.
      random: () => ids.random().replaceAll('-', '').slice(16),
      ...storeTtls(config),
      usageTtlMs,
      memoryLimits,
    });
  return {
    ...{ bus, redis, keys, ids },
    store: storeOn(redis),
    also: async (what, timeoutMs) => storeOn(await useRedis(what, timeoutMs)),
  };
}
