// Least loaded: who gets the next job. Pure; the numbers are hints, and the claim script has the last word on room.
import { type LaneServer, type LaneSpec, serves } from '#core/jobs/lane.ts';
import type { WorkerEntry } from './worker-entry.ts';

/** What is believed of a worker now. */
export interface Candidate {
  readonly worker: WorkerEntry;
  /** Slots in use. */
  readonly used: number;
  /** Slots there are: the heartbeat's word, or less when the store told less. */
  readonly capacity: number;
}

/** Jobs waiting in one lane of a pool. */
export interface WaitingLane {
  readonly lane: string;
  readonly spec: LaneSpec;
  readonly waiting: number;
}

export interface Placement {
  readonly worker: WorkerEntry;
  /** Jobs to ask for. */
  readonly n: number;
  /** Lanes that it may serve and in which something waits. */
  readonly lanes: readonly string[];
}

/** Lanes that one claim looks at: the script reads three rings for each. The rest have their turn at the next claims. */
export const maxLanes = 64;

/** The original's score: jobs, then percent of CPU and GPU as fractions of a job. Lower is better. */
export function score(worker: Pick<WorkerEntry, 'cpuLoad' | 'gpuUtilization'>, used: number): number {
  return used + worker.cpuLoad / 100 + worker.gpuUtilization / 100;
}

/**
 * Spreads what waits over the workers with room, one job at a time to the lowest score; equal scores go to whoever comes first after
 * `turn`, so that ties do not always fall to the same worker. Each worker is asked once, for all its jobs; `most` jobs in all.
 */
export function place(
  candidates: readonly Candidate[],
  lanes: readonly WaitingLane[],
  turn: number,
  most: number,
): readonly Placement[] {
  const left = lanes.map((l) => l.waiting);
  const seats = [];
  for (const { worker, used, capacity } of candidates) {
    if (used >= capacity) continue;
    const own = lanesOf(worker, lanes, turn);
    if (own.length > 0) seats.push({ worker, free: capacity - used, score: score(worker, used), own, n: 0 });
  }
  for (let placed = 0; placed < most; placed++) {
    let best: (typeof seats)[number] | undefined;
    let lane = -1;
    for (let k = 0; k < seats.length; k++) {
      const seat = seats[(k + turn) % seats.length];
      if (seat === undefined || seat.n >= seat.free || (best !== undefined && seat.score >= best.score)) continue;
      const next = seat.own.find((l) => (left[l] ?? 0) > 0);
      if (next === undefined) continue;
      best = seat;
      lane = next;
    }
    if (best === undefined) break;
    left[lane] = (left[lane] ?? 0) - 1;
    best.n++;
    best.score++;
  }
  return seats
    .filter((seat) => seat.n > 0)
    .map(({ worker, n, own }) => ({ worker, n, lanes: own.map((l) => lanes[l]?.lane ?? '') }));
}

/** Places in `lanes` of those that the worker may serve and in which something waits, at most `maxLanes`, beginning after `turn`. */
function lanesOf(worker: LaneServer, lanes: readonly WaitingLane[], turn: number): number[] {
  const own: number[] = [];
  for (let k = 0; k < lanes.length && own.length < maxLanes; k++) {
    const l = (k + turn) % lanes.length;
    const lane = lanes[l];
    if (lane !== undefined && lane.waiting > 0 && serves(worker, lane.spec)) own.push(l);
  }
  return own;
}
