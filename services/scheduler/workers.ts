// The workers as the scheduler hears of them: heartbeats into the registry, the registry into the snapshot that stateless readers read
// and that the next scheduler starts from, so that a restart is not blind until everybody has beaten again.
import { create } from '@bufbuild/protobuf';
import type { Delivery } from '#core/bus/bus.ts';
import { decodePacket } from '#core/protocol/envelope.ts';
import { expiryMs, type Registry } from '#core/routing/registry.ts';
import { readSnapshot, snapshotKey, snapshotTtlMs, type WorkerSnapshot, writeWorkers } from '#core/routing/snapshot.ts';
import { type Heartbeat, HeartbeatSchema } from '#proto/cortex/agent/v1/heartbeat_pb.ts';
import type { SchedulerDeps } from './deps.ts';
import type { Dispatcher } from './dispatcher.ts';
import { createLoop } from './loop.ts';
import type { Troubles } from './troubles.ts';

export interface Workers {
  /** Begins with the workers of the last snapshot, as far as they may still be there. */
  start(): Promise<void>;
  /** Takes one message from `sys.heartbeat`. Never throws. */
  take(delivery: Delivery): void;
  /** Once a second: forgets who is silent, counts, saves. */
  tick(): void;
  stop(): Promise<void>;
}

/** A heartbeat says little; a larger one is a slip, and is kept by nobody. */
const maxBeatBytes = 8 * 1024;

export function createWorkers(
  deps: SchedulerDeps,
  registry: Registry,
  dispatcher: Dispatcher,
  troubles: Troubles,
): Workers {
  const { redis, clock, log, metrics, pools, events } = deps;
  const poolNames = new Set(pools.topics.values());
  let savedAt = Number.NEGATIVE_INFINITY;
  let saved = '';

  const save = createLoop(
    async () => {
      const workers = registry.snapshot(clock.monotonic(), clock.now());
      const text = JSON.stringify(workers.map(({ last_seen: _, ...rest }) => rest));
      if (text === saved && clock.monotonic() - savedAt < snapshotTtlMs / 3) return;
      await writeWorkers(redis, workers, clock.now());
      saved = text;
      savedAt = clock.monotonic();
    },
    (error) => troubles.failed('store', error),
  );
  const count = (): void => {
    for (const pool of poolNames) metrics.gauge('cortex_scheduler_workers', { pool }, registry.count(pool));
  };
  const note = (beat: Heartbeat, seenAt: number): void => {
    const what = registry.beat(beat, seenAt);
    if (what === 'refused') {
      refuse(beat.workerId);
      return;
    }
    if (what === 'changed') {
      events.emit({ type: 'worker', id: beat.workerId, is: 'seen' });
      save.wake();
      count();
    }
    dispatcher.worker(registry.get(beat.workerId), beat.pool, what === 'changed');
  };
  const refuse = (id: string): void => {
    events.emit({ type: 'refused', reason: 'heartbeat', id });
    log.debug('a heartbeat is not believed', { worker: id });
  };

  return {
    async start() {
      let text: string | null;
      try {
        text = await redis.get(snapshotKey);
      } catch (error) {
        troubles.failed('store', error);
        return;
      }
      if (text === null) return;
      try {
        const { workers } = readSnapshot(text);
        for (const worker of workers) {
          const age = clock.now() - worker.last_seen;
          if (age >= 0 && age < expiryMs) note(beatOf(worker), clock.monotonic() - age);
        }
      } catch (error) {
        log.warn('the snapshot of the workers cannot be read; it is written anew', { error });
      }
    },
    take({ data }) {
      const decoded = data.length > maxBeatBytes ? undefined : decodePacket(data);
      if (decoded?.ok !== true || decoded.value.payload.case !== 'heartbeat') refuse('');
      else note(decoded.value.payload.value, clock.monotonic());
    },
    tick() {
      for (const id of registry.expire(clock.monotonic())) {
        events.emit({ type: 'worker', id, is: 'gone' });
        log.info('a worker is gone', { worker: id });
      }
      count();
      save.wake();
    },
    stop: () => save.stop(),
  };
}

function beatOf(worker: WorkerSnapshot): Heartbeat {
  return create(HeartbeatSchema, {
    workerId: worker.worker_id,
    region: worker.region,
    type: worker.type,
    cpuLoad: worker.cpu_load,
    gpuUtilization: worker.gpu_utilization,
    activeJobs: worker.active_jobs,
    capabilities: worker.capabilities,
    pool: worker.pool,
    maxParallelJobs: worker.max_parallel_jobs,
    labels: worker.labels,
  });
}
