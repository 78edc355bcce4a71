// Who is there to work, as heartbeats tell it. Hints, never the truth: liveness, capacity and slots are judged by the job store.
// Workers that speak hand-outs are entries of their own; the others of a topic are one pseudo-worker, because a subject is all that a
// job can be sent to.
import { type LaneServer, pseudoPrefix } from '#core/jobs/lane.ts';
import { dispatchLabel, isDirect } from '#core/protocol/subjects.ts';
import type { Heartbeat } from '#proto/cortex/agent/v1/heartbeat_pb.ts';
import type { Pools } from './pools.ts';
import type { WorkerSnapshot } from './snapshot.ts';

/** Labels with which our hosts say more than CAP has fields for. */
export const hostLabels = { instance: 'cortex.instance', topics: 'cortex.topics' } as const;

export interface WorkerEntry extends LaneServer {
  readonly id: string;
  readonly pool: string;
  /** Empty for a pseudo-worker. */
  readonly instance: string;
  readonly capacity: number;
  readonly activeJobs: number;
  /** Percent. */
  readonly cpuLoad: number;
  readonly gpuUtilization: number;
}

export interface Registry {
  /** Notes a heartbeat; `now` is ms of the monotonic clock. Whether the worker has room. */
  beat(heartbeat: Heartbeat, now: number): boolean;
  /** Forgets who has been silent for too long; answers their ids. */
  expire(now: number): readonly string[];
  /** Keeps a worker out of `workers` until its next heartbeat: it did not take what it was handed. */
  suspect(id: string): void;
  /** Whether a worker of ours by that id is known. */
  isDirect(id: string): boolean;
  /** Everybody whom jobs may be handed to now, pseudo-workers included. */
  workers(): readonly WorkerEntry[];
  /** For readers; `unix` is the wall clock in ms, `now` the monotonic one. */
  snapshot(now: number, unix: number): WorkerSnapshot[];
  readonly size: number;
}

interface Known {
  readonly beat: Heartbeat;
  readonly direct: boolean;
  suspected: boolean;
  seen: number;
}

/** Three times the interval of five seconds. */
export const expiryMs = 15_000;
/** More ids than that come from nobody honest; the ones already known go on. */
const maxWorkers = 10_000;

/** An empty registry for these pools. */
export function createRegistry(pools: Pools): Registry {
  const known = new Map<string, Known>();
  let cached: readonly WorkerEntry[] | undefined;

  const list = (): readonly WorkerEntry[] => {
    const out: WorkerEntry[] = [];
    const foreign = new Map<string, Heartbeat[]>();
    for (const { beat, direct, suspected } of known.values()) {
      if (direct) {
        if (!suspected && beat.maxParallelJobs > 0) out.push(entryOf(beat));
      } else {
        const group = foreign.get(beat.pool);
        if (group === undefined) foreign.set(beat.pool, [beat]);
        else group.push(beat);
      }
    }
    for (const [topic, pool] of pools.topics) {
      const pseudo = pseudoWorker(topic, pool, foreign.get(pool) ?? [], pools.silentCapacity.get(pool) ?? 0);
      if (pseudo !== undefined) out.push(pseudo);
    }
    return out;
  };

  return {
    get size() {
      return known.size;
    },
    beat(heartbeat, now) {
      const before = known.get(heartbeat.workerId);
      if (before === undefined && known.size >= maxWorkers) return false;
      const direct = isDirect(heartbeat.labels);
      known.set(heartbeat.workerId, { beat: heartbeat, direct, suspected: false, seen: now });
      cached = undefined;
      return roomOf(heartbeat) > 0;
    },
    expire(now) {
      const gone: string[] = [];
      for (const [id, worker] of known) if (now - worker.seen > expiryMs) gone.push(id);
      for (const id of gone) known.delete(id);
      if (gone.length > 0) cached = undefined;
      return gone;
    },
    suspect(id) {
      const worker = known.get(id);
      if (worker === undefined || worker.suspected) return;
      worker.suspected = true;
      cached = undefined;
    },
    isDirect: (id) => known.get(id)?.direct === true,
    workers: () => (cached ??= list()),
    snapshot: (now, unix) =>
      Array.from(known.values(), ({ beat, seen }) => ({
        worker_id: beat.workerId,
        region: beat.region,
        type: beat.type,
        cpu_load: beat.cpuLoad,
        gpu_utilization: beat.gpuUtilization,
        active_jobs: beat.activeJobs,
        capabilities: beat.capabilities,
        pool: beat.pool,
        max_parallel_jobs: beat.maxParallelJobs,
        labels: beat.labels,
        last_seen: Math.round(unix - (now - seen)),
      })),
  };
}

function roomOf(beat: Heartbeat): number {
  return beat.maxParallelJobs - beat.activeJobs;
}

function entryOf(beat: Heartbeat): WorkerEntry {
  const topics = beat.labels[hostLabels.topics];
  return {
    id: beat.workerId,
    pool: beat.pool,
    instance: beat.labels[hostLabels.instance] ?? '',
    direct: true,
    topics: topics === undefined ? undefined : topics.split(','),
    capabilities: beat.capabilities,
    labels: beat.labels,
    region: beat.region,
    capacity: beat.maxParallelJobs,
    activeJobs: beat.activeJobs,
    cpuLoad: beat.cpuLoad,
    gpuUtilization: beat.gpuUtilization,
  };
}

/** All workers of a pool that listen on the topic itself, as one: anyone may get the job, so it offers what each of them has. */
function pseudoWorker(
  topic: string,
  pool: string,
  beats: readonly Heartbeat[],
  silent: number,
): WorkerEntry | undefined {
  const told = beats.reduce((sum, beat) => sum + Math.max(beat.maxParallelJobs, 0), 0);
  const capacity = told > 0 ? told : silent;
  if (capacity === 0) return undefined;
  const [first, ...rest] = beats;
  const labels = Object.entries(first?.labels ?? {}).filter(
    ([key, value]) => key !== dispatchLabel.name && rest.every((beat) => beat.labels[key] === value),
  );
  return {
    id: `${pseudoPrefix}${topic}`,
    pool,
    instance: '',
    direct: false,
    topics: [topic],
    capabilities: (first?.capabilities ?? []).filter((c) => rest.every((beat) => beat.capabilities.includes(c))),
    labels: Object.fromEntries(labels),
    region: rest.every((beat) => beat.region === first?.region) ? (first?.region ?? '') : '',
    capacity,
    activeJobs: beats.reduce((sum, beat) => sum + beat.activeJobs, 0),
    cpuLoad: average(beats.map((beat) => beat.cpuLoad)),
    gpuUtilization: average(beats.map((beat) => beat.gpuUtilization)),
  };
}

function average(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((a, b) => a + b, 0) / values.length;
}
