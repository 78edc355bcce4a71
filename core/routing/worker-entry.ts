// Whom jobs can be handed to, made from heartbeats: a worker of ours, or all the others of a topic as one.
import { type LaneServer, pseudoPrefix } from '#core/jobs/lane.ts';
import { dispatchLabel } from '#core/protocol/subjects.ts';
import type { Heartbeat } from '#proto/cortex/agent/v1/heartbeat_pb.ts';

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

/** A worker of ours, by its heartbeat. */
export function directWorker(beat: Heartbeat): WorkerEntry {
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
    cpuLoad: percent(beat.cpuLoad),
    gpuUtilization: percent(beat.gpuUtilization),
  };
}

/** A load as it can be compared and written: NaN and infinity, which the wire carries as well, can not. */
export function percent(load: number): number {
  return load > 0 ? Math.min(load, 100) : 0;
}

/**
 * All workers of a pool that listen on the topic itself, as one: a job goes to the subject, and any of them may get it. So it offers
 * what each of them has, and as many slots as they have together. Undefined when nobody is there. `silent` is the capacity of
 * workers that send no heartbeats; it counts only while none does.
 */
export function pseudoWorker(
  topic: string,
  pool: string,
  beats: readonly Heartbeat[],
  silent: number,
): WorkerEntry | undefined {
  const told = sum(beats.map((beat) => Math.max(beat.maxParallelJobs, 0)));
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
    activeJobs: sum(beats.map((beat) => beat.activeJobs)),
    cpuLoad: average(beats.map((beat) => percent(beat.cpuLoad))),
    gpuUtilization: average(beats.map((beat) => percent(beat.gpuUtilization))),
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

function average(values: readonly number[]): number {
  return values.length === 0 ? 0 : sum(values) / values.length;
}
