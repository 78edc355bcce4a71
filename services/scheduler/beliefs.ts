// What is believed of queues and slots between two looks at the store: counts from gates, claims, results and heartbeats. Hints alone:
// the claim script is the judge, each of its answers corrects what was believed, and once a second the queues are read anew.
//
// No belief can make the dispatcher turn in circles: after a claim of one worker something waits no more, or its lanes are believed
// to be empty, or it is believed to be full.
import { parseLane, serves } from '#core/jobs/lane.ts';
import type { Claimed, PoolDepth } from '#core/jobs/store.ts';
import type { Registry } from '#core/routing/registry.ts';
import type { WorkerEntry } from '#core/routing/worker-entry.ts';
import { type Candidate, place, type Placement, type WaitingLane } from '#core/routing/strategy.ts';

export interface Planned extends Placement {
  readonly pool: string;
}

export interface Beliefs {
  /** A job entered the ready queue. Answers whether somebody there may serve it. */
  ready(pool: string, lane: string): boolean;
  /** Somebody new, or somebody who can do other things: lanes that nobody served may be served now. */
  reopen(pool: string): void;
  /** By a worker's own word. */
  beat(worker: string, used: number, capacity: number): void;
  /** A job of this worker ended. */
  freed(worker: string): void;
  /** Replaces the counts by what `read` answers, beside what became ready while it was read. */
  recount(read: () => Promise<readonly PoolDepth[]>): Promise<void>;
  /** Who is to be asked to take how many, at most `most` jobs in all. */
  plan(most: number): readonly Planned[];
  /** What the store answered to one of the plan. */
  learn(planned: Planned, claimed: Claimed): void;
  /** Whether anything is believed to wait where somebody may serve it. */
  readonly waits: boolean;
}

interface Lane {
  readonly lane: string;
  readonly spec: WaitingLane['spec'];
  waiting: number;
}

interface PoolLanes {
  /** Lanes that somebody serves, and the others: no plan looks at those. */
  readonly open: Map<string, Lane>;
  readonly closed: Map<string, Lane>;
}

/**
 * Lanes remembered at most, of those that somebody serves and of the others: any tenant may make as many of the latter as it likes, and
 * they must not hide the former. What is beyond comes to light as others empty.
 */
const maxLanes = 20_000;

/** `allowed`: how many more jobs a worker may have just now, whatever room it has. */
export function createBeliefs(registry: Registry, allowed: (worker: WorkerEntry) => number): Beliefs {
  let pools = new Map<string, PoolLanes>();
  let lanes = { open: 0, closed: 0 };
  let turn = 0;
  const slots = new Map<string, { used: number; capacity: number }>();

  const add = (pool: string, lane: string, n: number): boolean => {
    let known = pools.get(pool);
    if (known === undefined) {
      known = { open: new Map(), closed: new Map() };
      pools.set(pool, known);
    }
    const found = known.open.get(lane) ?? known.closed.get(lane);
    if (found !== undefined) {
      found.waiting += n;
      return known.open.has(lane);
    }
    const spec = parseLane(lane);
    const kind = registry.of(pool).some((worker) => serves(worker, spec)) ? 'open' : 'closed';
    if (lanes[kind] >= maxLanes) return false;
    lanes[kind]++;
    known[kind].set(lane, { lane, spec, waiting: n });
    return kind === 'open';
  };
  const empty = (known: PoolLanes | undefined, lane: string): void => {
    if (known?.open.delete(lane) === true) lanes.open--;
  };

  const candidates = (pool: string): Candidate[] =>
    registry.of(pool).map((worker) => {
      const { used = 0, capacity = worker.capacity } = slots.get(worker.id) ?? {};
      return { worker, used, capacity: Math.min(capacity, worker.capacity, used + allowed(worker)) };
    });

  return {
    ready: (pool, lane) => add(pool, lane, 1),
    reopen(pool) {
      const known = pools.get(pool);
      if (known === undefined) return;
      const workers = registry.of(pool);
      for (const [lane, its] of known.closed) {
        if (!workers.some((worker) => serves(worker, its.spec))) continue;
        known.closed.delete(lane);
        known.open.set(lane, its);
        lanes.closed--;
        lanes.open++;
      }
    },
    beat: (worker, used, capacity) => void slots.set(worker, { used, capacity }),
    freed(worker) {
      const its = slots.get(worker);
      if (its !== undefined && its.used > 0) its.used--;
    },
    async recount(read) {
      pools = new Map();
      lanes = { open: 0, closed: 0 };
      for (const { pool, lane, waiting } of await read()) add(pool, lane, waiting);
      for (const [id, its] of slots) {
        const worker = registry.get(id);
        if (worker === undefined) slots.delete(id);
        // Who is believed to be full may have room after all: one slot is asked for, and the answer tells.
        else if (its.used >= Math.min(its.capacity, worker.capacity)) {
          slots.set(id, { used: worker.capacity - 1, capacity: worker.capacity });
        }
      }
    },
    plan(most) {
      turn++;
      const out: Planned[] = [];
      let left = most;
      const names = Array.from(pools.keys());
      for (let k = 0; k < names.length && left > 0; k++) {
        const pool = names[(k + turn) % names.length] ?? '';
        const open = pools.get(pool)?.open;
        if (open === undefined || open.size === 0) continue;
        for (const placement of place(candidates(pool), Array.from(open.values()), turn, left)) {
          left -= placement.n;
          out.push({ pool, ...placement });
        }
      }
      return out;
    },
    learn({ pool, worker, n, lanes: asked }, { used, capacity, jobs, regate }) {
      slots.set(worker.id, { used, capacity });
      const known = pools.get(pool);
      let taken = jobs.length + regate.length;
      // Fewer than there was room for: nothing waits there, or what waits was past its deadline.
      const drained = taken < Math.min(n, capacity - used + jobs.length);
      for (const lane of asked) {
        const its = known?.open.get(lane);
        if (its === undefined) continue;
        const less = Math.min(its.waiting, taken);
        taken -= less;
        its.waiting -= less;
        if (drained || its.waiting === 0) empty(known, lane);
      }
    },
    get waits() {
      for (const { open } of pools.values()) if (open.size > 0) return true;
      return false;
    },
  };
}
