// Least loaded: who gets the next job. Pure; the numbers are hints, and the claim script has the last word on room.
import { type LaneServer, parseLane, serves } from '#core/jobs/lane.ts';
import type { WorkerEntry } from './registry.ts';

/** What is known of a worker now. */
export interface Candidate {
  readonly worker: WorkerEntry;
  /** Slots believed to be in use. */
  readonly used: number;
}

/** Jobs waiting in one lane of a pool. */
export interface WaitingLane {
  readonly lane: string;
  readonly waiting: number;
}

export interface Placement {
  readonly worker: WorkerEntry;
  /** Jobs to ask for. */
  readonly n: number;
  /** Lanes that it may serve and in which something waits. */
  readonly lanes: readonly string[];
}

/** The original's score: jobs, then percent of CPU and GPU as fractions of a job. Lower is better. */
export function score(worker: Pick<WorkerEntry, 'cpuLoad' | 'gpuUtilization'>, used: number): number {
  return used + worker.cpuLoad / 100 + worker.gpuUtilization / 100;
}

/**
 * Spreads what waits over the workers with room, one job at a time to the lowest score; equal scores go to whoever comes first after
 * `turn`, so that ties do not always fall to the same worker. Each worker is asked once, for all its jobs.
 */
export function place(
  candidates: readonly Candidate[],
  lanes: readonly WaitingLane[],
  turn: number,
  most: number,
): readonly Placement[] {
  const specs = lanes.filter((l) => l.waiting > 0).map((l) => ({ ...l, spec: parseLane(l.lane) }));
  const seats = candidates
    .map(({ worker, used }) => ({
      worker,
      free: worker.capacity - used,
      score: score(worker, used),
      lanes: specs.filter((l) => serves(worker satisfies LaneServer, l.spec)).map((l) => l.lane),
      n: 0,
    }))
    .filter((seat) => seat.free > 0 && seat.lanes.length > 0);
  const left = new Map(specs.map((l) => [l.lane, l.waiting]));
  let placed = 0;
  while (placed < most) {
    let best: (typeof seats)[number] | undefined;
    for (let k = 0; k < seats.length; k++) {
      const seat = seats[(k + turn) % seats.length];
      if (seat === undefined || seat.n >= seat.free) continue;
      if (best !== undefined && seat.score >= best.score) continue;
      if (seat.lanes.some((lane) => (left.get(lane) ?? 0) > 0)) best = seat;
    }
    if (best === undefined) break;
    const lane = best.lanes.find((l) => (left.get(l) ?? 0) > 0) as string;
    left.set(lane, (left.get(lane) ?? 0) - 1);
    best.n++;
    best.score++;
    placed++;
  }
  return seats.filter((seat) => seat.n > 0).map(({ worker, n, lanes: own }) => ({ worker, n, lanes: own }));
}
