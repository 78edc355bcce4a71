// What is asked of the store by readers, and how it is answered: jobs with their results, pages of jobs, depths of queues.
import type { JobView } from './job.ts';
import type { JobState } from './state.ts';

/** A job in full. */
export interface Seen {
  readonly job: JobView;
  /** The committed result's text: null when there is none (yet, or any more). */
  readonly result: string | null;
}

/** A job with what an attempt of it said to models, all as text. */
export interface Recorded extends Seen {
  /** What the handler was given, the redacted one if the policy wanted that; null when it is gone. */
  readonly payload: string | null;
  /** The lines of core/model/recording.ts; null when no attempt was recorded, or any more. */
  readonly recording: string | null;
}

export interface PageQuery {
  readonly tenant: string;
  readonly limit: number;
  readonly cursor: string | undefined;
  readonly state: JobState | undefined;
  readonly topic: string | undefined;
  readonly traceId: string | undefined;
  /** Unix seconds. */
  readonly updatedAfter: number | undefined;
  readonly updatedBefore: number | undefined;
}

export interface Page {
  /** Newest first. A filtered page may hold fewer than `limit` although more follow: a page looks at a bounded number of jobs. */
  readonly jobs: readonly JobView[];
  readonly nextCursor: string | undefined;
}

/** Of which job what is wanted, beside its record. */
export interface StandingOf {
  readonly id: string;
  /** The packet that it came in, which is kept until its end; a large one is left out. */
  readonly packet?: boolean;
  /** Its transitions. */
  readonly path?: boolean;
}

/** How jobs of one tenant stand, as of one position of the tenant's event stream. */
export interface Standing {
  /** The id of the last event so far; empty where there is none. */
  readonly at: string;
  /** Undefined where the tenant has no such job. */
  readonly jobs: readonly (StandingJob | undefined)[];
}

export interface StandingJob {
  readonly job: JobView;
  readonly packet: Uint8Array | undefined;
  /** `<unix_s>|<STATE>` in order; empty unless asked for. */
  readonly path: readonly string[];
}

export interface PoolDepth {
  readonly pool: string;
  readonly lane: string;
  readonly waiting: number;
}
