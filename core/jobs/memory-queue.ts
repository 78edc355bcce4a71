// The twin's ready queue: per (pool, lane, priority) a ring of tenants by virtual time, per tenant its jobs by acceptance time.
// Start-time fair queueing as in scripts/claim.ts; small numbers of jobs, so the smallest is looked for, not kept sorted.
import type { JobRecord } from './memory-state.ts';
import type { PoolDepth } from './store.ts';

export interface ReadyQueue {
  add(record: JobRecord): void;
  /** Takes out a job that is not to be handed out any more. */
  remove(record: JobRecord): void;
  /**
   * Takes jobs out in the order in which they are served, for a worker that may serve `lanes`, until `want` of them were taken by
   * `hand` (it answers what the job adds to its tenant's virtual time, undefined when it does not count) or `look` were looked at.
   */
  serve(
    pool: string,
    lanes: readonly string[],
    want: number,
    look: number,
    hand: (id: string) => number | undefined,
  ): void;
  depths(): readonly PoolDepth[];
  /** For an auditor: ids by `pool lane rank tenant`. */
  readonly rings: ReadonlyMap<string, ReadonlyMap<string, Ring>>;
}

export interface Ring {
  /** Where the tenant stood when it came; it is served at this or at its own virtual time, whichever is later. */
  readonly start: number;
  /** Acceptance times by id. */
  readonly jobs: Map<string, number>;
}

interface Pool {
  /** Start of the job that was served last, at the latest. */
  virtual: number;
  readonly tenants: Map<string, number>;
}

interface Head {
  readonly ring: string;
  readonly tenant: string;
  readonly at: number;
}

export function createReadyQueue(): ReadyQueue {
  const rings = new Map<string, Map<string, Ring>>();
  const pools = new Map<string, Pool>();
  const poolOf = (name: string): Pool => {
    let pool = pools.get(name);
    if (pool === undefined) {
      pool = { virtual: 0, tenants: new Map() };
      pools.set(name, pool);
    }
    return pool;
  };
  const ringName = (pool: string, lane: string, rank: number): string => `${pool} ${lane} ${rank}`;
  const takeOut = (ring: string, tenant: string, id: string): void => {
    const tenants = rings.get(ring);
    const queue = tenants?.get(tenant);
    if (tenants === undefined || queue === undefined) return;
    queue.jobs.delete(id);
    if (queue.jobs.size === 0) tenants.delete(tenant);
    if (tenants.size === 0) rings.delete(ring);
  };

  /** The tenant whose turn it is, in the highest priority in which anybody waits; of equals the first lane, then the first name. */
  const next = (pool: string, lanes: readonly string[]): Head | undefined => {
    const times = poolOf(pool).tenants;
    for (let rank = 0; rank <= 2; rank++) {
      let best: Head | undefined;
      for (const lane of lanes) {
        const ring = ringName(pool, lane, rank);
        let head: Head | undefined;
        for (const [tenant, { start }] of rings.get(ring) ?? []) {
          const at = Math.max(start, times.get(tenant) ?? 0);
          if (head === undefined || at < head.at || (at === head.at && tenant < head.tenant))
            head = { ring, tenant, at };
        }
        if (head !== undefined && (best === undefined || head.at < best.at)) best = head;
      }
      if (best !== undefined) return best;
    }
    return undefined;
  };

  const oldest = (jobs: ReadonlyMap<string, number>): string => {
    let first: [string, number] | undefined;
    for (const job of jobs) {
      if (first === undefined || job[1] < first[1] || (job[1] === first[1] && job[0] < first[0])) first = job;
    }
    return first?.[0] ?? '';
  };

  return {
    rings,
    add({ id, pool, lane, rank, tenant, createdAt }) {
      const name = ringName(pool, lane, rank);
      const tenants = rings.get(name) ?? new Map<string, Ring>();
      rings.set(name, tenants);
      const { virtual, tenants: times } = poolOf(pool);
      const queue = tenants.get(tenant) ?? { start: Math.max(times.get(tenant) ?? 0, virtual), jobs: new Map() };
      tenants.set(tenant, queue);
      queue.jobs.set(id, createdAt);
    },
    remove: ({ id, pool, lane, rank, tenant }) => takeOut(ringName(pool, lane, rank), tenant, id),
    serve(name, lanes, want, look, hand) {
      const pool = poolOf(name);
      let { virtual } = pool;
      for (let taken = 0, looked = 0; taken < want && looked < look; looked++) {
        const head = next(name, lanes);
        if (head === undefined) break;
        const id = oldest(rings.get(head.ring)?.get(head.tenant)?.jobs ?? new Map());
        takeOut(head.ring, head.tenant, id);
        const share = hand(id);
        if (share === undefined) continue;
        taken++;
        virtual = Math.max(virtual, head.at);
        pool.tenants.set(head.tenant, head.at + share);
      }
      pool.virtual = virtual;
    },
    depths() {
      const counts = new Map<string, number>();
      for (const [ring, tenants] of rings) {
        const lane = ring.slice(0, ring.lastIndexOf(' '));
        for (const { jobs } of tenants.values()) counts.set(lane, (counts.get(lane) ?? 0) + jobs.size);
      }
      return Array.from(counts, ([key, waiting]) => {
        const [pool = '', lane = ''] = key.split(' ');
        return { pool, lane, waiting };
      });
    },
  };
}
