// What the entries have in common, on drivers that do nothing: what is told, in which order things are let go.
import { expect, test } from 'vitest';
import type { BusConnection } from '#core/bus/bus.ts';
import { CortexError } from '#core/errors.ts';
import type { JobStore } from '#core/jobs/store.ts';
import { storeEnv } from '#core/jobs/store-env.ts';
import { createLog, type LogFields, silentLog } from '#core/log.ts';
import { parseEnv } from '#core/process/env.ts';
import { createHealth } from '#core/process/health.ts';
import { openPlant, type PlantDrivers } from '#core/process/plant.node.ts';
import { createResources } from '#core/process/resources.ts';
import type { RedisConnection } from '#core/redis/redis.ts';
import { systemClock } from '#core/system.ts';
import { createCountedMetrics } from '../../helpers/counted-metrics.ts';
import { until } from '../../helpers/until.ts';

async function open() {
  const lines: LogFields[] = [];
  const metrics = createCountedMetrics();
  const resources = createResources({ log: silentLog });
  const health = createHealth('test', systemClock);
  const stop = new AbortController();
  const closed: string[] = [];
  const redisNames: (number | undefined)[] = [];
  const stores: Parameters<PlantDrivers['createRedisStore']>[0][] = [];
  const drivers: PlantDrivers = {
    connectBus: async () =>
      ({
        dropped: 3,
        ping: async () => undefined,
        close: async () => void closed.push('bus'),
      }) as unknown as BusConnection,
    async connectRedis({ commandTimeoutMs }) {
      redisNames.push(commandTimeoutMs);
      return {
        calls: 5,
        run: async () => 'P=1 v=1',
        onState: () => () => undefined,
        assertNoEviction: async () => undefined,
        durability: async () => ({ class: 'always' }),
        close: async () => void closed.push(`redis ${commandTimeoutMs}`),
      } as unknown as RedisConnection;
    },
    createRedisStore(options) {
      stores.push(options);
      return {} as JobStore;
    },
  };
  const config = { ...parseEnv(storeEnv, {}), natsUrl: 'nats://x', redisUrl: 'redis://x' };
  const log = createLog({ level: 'debug', write: (line) => lines.push(JSON.parse(line) as LogFields), now: () => 0 });
  const context = {
    config,
    log,
    clock: systemClock,
    metrics,
    health,
    resources,
    stopping: stop.signal,
    fail: () => {},
  };
  const plant = await openPlant(context, { name: 'test', drivers, commandTimeoutMs: 500 });
  return { plant, lines, metrics, resources, health, stop, closed, stores, redisNames };
}

test('counts what its drivers count, says when a record is broken, and lets go in reverse', async () => {
  const { plant, lines, metrics, resources, health, stop, closed, stores, redisNames } = await open();
  expect(metrics.read('cortex_redis_calls_total')).toBe(5);
  await plant.also('redis for leases', 200);
  expect(redisNames).toEqual([500, 200]);
  expect(stores).toHaveLength(2);
  expect(metrics.read('cortex_bus_dropped_total')).toBe(3);
  await until(() => metrics.read('cortex_redis_calls_total') === 10, { message: 'the calls of both connections' });
  for (const { onBroken, random } of stores) {
    onBroken(new CortexError('data_loss', 'the record of j1 is broken'));
    expect(random()).toMatch(/^[0-9a-f]{16}$/);
  }
  const said = lines.filter(({ level }) => level === 'error');
  expect(said.map(({ msg }) => msg)).toEqual(['a record is broken', 'a record is broken']);
  expect((await health.report()).body).toMatchObject({ redis: { ok: true, durability: 'always' }, nats: { ok: true } });
  stop.abort();
  expect(await resources.releaseAll()).toEqual([]);
  expect(closed).toEqual(['redis 200', 'redis 500', 'bus']);
});
