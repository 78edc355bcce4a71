// The registry as one Redis value: a scheduler writes what it knows of the workers, stateless readers (the gateway) read it.
// Nothing is decided from it; a hand-out goes by the scheduler's own registry.
import { z } from 'zod';
import { CortexError } from '#core/errors.ts';
import type { Redis } from '#core/redis/redis.ts';

/** One key for all partitions. */
export const snapshotKey = 'cortex:workers';

/** How long a snapshot counts without a newer one, ms. */
export const snapshotTtlMs = 15_000;

const worker = z.object({
  worker_id: z.string(),
  region: z.string().default(''),
  type: z.string().default(''),
  cpu_load: z.number().default(0),
  gpu_utilization: z.number().default(0),
  active_jobs: z.number().default(0),
  capabilities: z.array(z.string()).default([]),
  pool: z.string().default(''),
  max_parallel_jobs: z.number().default(0),
  labels: z.record(z.string(), z.string()).default({}),
  /** Unix ms of the last heartbeat. */
  last_seen: z.number().default(0),
});

const snapshot = z.object({ ts: z.number(), workers: z.array(worker) });

export type WorkerSnapshot = z.infer<typeof worker>;
export type Snapshot = z.infer<typeof snapshot>;

/** The workers that are alive, by id; none while no scheduler has told. Throws CortexError: `unavailable`, `data_loss`. */
export async function readWorkers(redis: Pick<Redis, 'get'>): Promise<readonly WorkerSnapshot[]> {
  const text = await redis.get(snapshotKey);
  if (text === null) return [];
  return readSnapshot(text).workers.toSorted((a, b) => (a.worker_id < b.worker_id ? -1 : 1));
}

/** Throws CortexError `data_loss` for what no scheduler of ours wrote. */
export function readSnapshot(text: string): Snapshot {
  try {
    return snapshot.parse(JSON.parse(text));
  } catch (cause) {
    throw new CortexError('data_loss', `${snapshotKey} is not a snapshot`, { cause });
  }
}

/** Puts the workers there for the readers. `now` is unix ms. */
export async function writeWorkers(
  redis: Pick<Redis, 'set'>,
  workers: readonly WorkerSnapshot[],
  now: number,
): Promise<void> {
  await redis.set(snapshotKey, JSON.stringify({ ts: now, workers }), { ttlMs: snapshotTtlMs });
}
