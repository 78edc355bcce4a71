// What is asked of the store by readers, and how it is answered: jobs with their results, pages of jobs, depths of queues.
import type { JobView } from './job.ts';
import type { JobState } from './state.ts';

/** A job in full. */
export interface Seen {
  readonly job: JobView;
  /** The committed result's text: null when there is none (yet, or any more). */
  readonly result: string | null;
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

export interface PoolDepth {
  readonly pool: string;
  readonly lane: string;
  readonly waiting: number;
}
