// Who is there to work, as heartbeats tell it. Hints, never the truth: liveness, capacity and slots are judged by the job store.
// Workers that speak hand-outs are entries of their own; the others of a topic are one pseudo-worker (worker-entry.ts), because a
// subject is all that a job can be sent to.
import { isDirect, isSubjectToken } from '#core/protocol/subjects.ts';
import type { Heartbeat } from '#proto/cortex/agent/v1/heartbeat_pb.ts';
import type { Pools } from './pools.ts';
import type { WorkerSnapshot } from './snapshot.ts';
import { directWorker, hostLabels, percent, pseudoWorker, type WorkerEntry } from './worker-entry.ts';

export type Beat =
  /** Not there before, or it can do other things than before: what nobody could do may be possible now. */
  | 'changed'
  /** The same worker as before, with its load of now. */
  | 'same'
  /** Not believed: it cannot be reached by that id, names no instance, has the id of a worker of ours, or there are too many. */
  | 'refused';

export interface Registry {
  /** Notes a heartbeat; `now` is ms of the monotonic clock. */
  beat(heartbeat: Heartbeat, now: number): Beat;
  /** Forgets who has been silent for too long; answers their ids. */
  expire(now: number): readonly string[];
  /** Keeps a worker of ours out of `of` until its next heartbeat: it did not take what it was handed. */
  suspect(id: string): void;
  /** Everybody in a pool whom jobs may be handed to now, pseudo-workers included. */
  of(pool: string): readonly WorkerEntry[];
  /** A worker of ours by its id, suspected or not. */
  get(id: string): WorkerEntry | undefined;
  /** For readers; `unix` is the wall clock in ms, `now` the monotonic one. */
  snapshot(now: number, unix: number): WorkerSnapshot[];
  /** Workers alive by pool. */
  count(pool: string): number;
}

interface Known {
  readonly beat: Heartbeat;
  /** Undefined for a worker that speaks the bus alone. */
  readonly entry: WorkerEntry | undefined;
  readonly seen: number;
}

/** Three times the interval of five seconds. */
export const expiryMs = 15_000;
/** More ids than that come from nobody honest; the ones already known go on. */
export const maxWorkers = 10_000;

/** An empty registry for these pools. */
export function createRegistry(pools: Pools): Registry {
  const known = new Map<string, Known>();
  const suspects = new Set<string>();
  const members = new Map<string, Set<string>>();
  /** Made when asked for, dropped when somebody of the pool changes. */
  const lists = new Map<string, readonly WorkerEntry[]>();

  const membersOf = (pool: string): Set<string> => {
    const ids = members.get(pool) ?? new Set();
    members.set(pool, ids);
    return ids;
  };
  const leave = (id: string, pool: string): void => {
    const ids = members.get(pool);
    ids?.delete(id);
    if (ids?.size === 0) members.delete(pool);
    lists.delete(pool);
  };

  const list = (pool: string): readonly WorkerEntry[] => {
    const out: WorkerEntry[] = [];
    const foreign: Heartbeat[] = [];
    for (const id of members.get(pool) ?? []) {
      const worker = known.get(id);
      if (worker === undefined) continue;
      const { entry, beat } = worker;
      if (entry === undefined) foreign.push(beat);
      else if (entry.capacity > 0 && !suspects.has(id)) out.push(entry);
    }
    for (const [topic, its] of pools.topics) {
      if (its !== pool) continue;
      const pseudo = pseudoWorker(topic, pool, foreign, pools.silentCapacity.get(pool) ?? 0);
      if (pseudo !== undefined) out.push(pseudo);
    }
    return out;
  };

  return {
    beat(heartbeat, now) {
      const id = heartbeat.workerId;
      const before = known.get(id);
      if (before === undefined && known.size >= maxWorkers) return 'refused';
      const direct = isDirect(heartbeat.labels);
      if (direct && (!isSubjectToken(id) || heartbeat.labels[hostLabels.instance] === undefined)) return 'refused';
      // An id belongs to one of ours as long as it beats: who speaks the bus alone and calls himself so would take its jobs from it.
      if (!direct && before?.entry !== undefined) return 'refused';
      if (before !== undefined && before.beat.pool !== heartbeat.pool) leave(id, before.beat.pool);
      const changed = before === undefined || suspects.has(id) || !alike(before.beat, heartbeat);
      known.set(id, { beat: heartbeat, entry: direct ? directWorker(heartbeat) : undefined, seen: now });
      suspects.delete(id);
      membersOf(heartbeat.pool).add(id);
      lists.delete(heartbeat.pool);
      return changed ? 'changed' : 'same';
    },
    expire(now) {
      const gone: string[] = [];
      for (const [id, worker] of known) if (now - worker.seen > expiryMs) gone.push(id);
      for (const id of gone) {
        leave(id, known.get(id)?.beat.pool ?? '');
        known.delete(id);
        suspects.delete(id);
      }
      return gone;
    },
    suspect(id) {
      const worker = known.get(id);
      if (worker?.entry === undefined) return;
      suspects.add(id);
      lists.delete(worker.beat.pool);
    },
    of(pool) {
      let found = lists.get(pool);
      if (found === undefined) {
        found = list(pool);
        // Pools that nobody configured come from heartbeats alone; nothing waits in them and nothing is kept for them.
        if (members.has(pool) || pools.silentCapacity.has(pool)) lists.set(pool, found);
      }
      return found;
    },
    get: (id) => known.get(id)?.entry,
    snapshot: (now, unix) =>
      Array.from(known.values(), ({ beat, seen }) => ({
        worker_id: beat.workerId,
        region: beat.region,
        type: beat.type,
        cpu_load: percent(beat.cpuLoad),
        gpu_utilization: percent(beat.gpuUtilization),
        active_jobs: beat.activeJobs,
        capabilities: beat.capabilities,
        pool: beat.pool,
        max_parallel_jobs: beat.maxParallelJobs,
        labels: beat.labels,
        last_seen: Math.round(unix - (now - seen)),
      })),
    count: (pool) => members.get(pool)?.size ?? 0,
  };
}

/** Whether two heartbeats tell of the same abilities; load is no ability. */
function alike(a: Heartbeat, b: Heartbeat): boolean {
  if (a.pool !== b.pool || a.region !== b.region || a.maxParallelJobs !== b.maxParallelJobs) return false;
  if (a.capabilities.length !== b.capabilities.length) return false;
  if (a.capabilities.some((capability, i) => capability !== b.capabilities[i])) return false;
  const keys = Object.keys(a.labels);
  return keys.length === Object.keys(b.labels).length && keys.every((key) => a.labels[key] === b.labels[key]);
}
