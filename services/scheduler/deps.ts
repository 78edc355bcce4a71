// What the scheduler is made of, and what it tells: all its parts take these, none knows a process.
import type { Bus } from '#core/bus/bus.ts';
import type { Events } from '#core/events.ts';
import type { JobEnd } from '#core/jobs/job.ts';
import type { EndState, JobState } from '#core/jobs/state.ts';
import type { JobStore } from '#core/jobs/store.ts';
import type { Log } from '#core/log.ts';
import type { Metrics } from '#core/metrics/metrics.ts';
import type { Checker } from '#core/policy/checker.ts';
import type { Redis } from '#core/redis/redis.ts';
import type { Pools } from '#core/routing/pools.ts';
import type { Timeouts } from '#core/scheduling/timeouts.ts';
import type { Clock } from '#core/system.ts';

/** The sender of every packet of the scheduler. */
export const senderId = 'cortex-scheduler';

/** How long a worker of ours has to take up a hand-out, ms. */
export const acceptMs = 2_000;

export interface SchedulerDeps {
  readonly bus: Bus;
  readonly store: JobStore;
  /** For the snapshot of the workers. */
  readonly redis: Pick<Redis, 'get' | 'set'>;
  readonly checker: Checker;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly pools: Pools;
  readonly timeouts: Timeouts;
  readonly events: Events<SchedulerEvent>;
}

/** What happened, for tests and for whoever watches. */
export type SchedulerEvent =
  | { readonly type: 'refused'; readonly reason: RefusalReason; readonly id: string }
  | { readonly type: 'created'; readonly id: string }
  | { readonly type: 'gated'; readonly id: string; readonly to: JobState; readonly reason: string }
  | { readonly type: 'handed_out'; readonly id: string; readonly worker: string; readonly fence: string }
  | { readonly type: 'requeued'; readonly id: string; readonly why: string }
  | { readonly type: 'ended'; readonly end: JobEnd }
  | { readonly type: 'announced'; readonly id: string; readonly state: EndState }
  | { readonly type: 'foreign_result'; readonly id: string; readonly outcome: string }
  | { readonly type: 'kernel'; readonly up: boolean }
  | { readonly type: 'worker'; readonly id: string; readonly is: 'seen' | 'gone' | 'suspected' }
  | { readonly type: 'alert'; readonly part: string; readonly code: string }
  | { readonly type: 'trouble'; readonly what: 'store' | 'bus'; readonly error: unknown };

export type RefusalReason =
  /** On a submit subject. */
  | 'undecodable'
  | 'not_a_request'
  | 'topic'
  | 'tenant'
  | 'digest'
  | 'conflict'
  | 'context_ptr'
  | 'too_long'
  | 'overload'
  /** Not a result, not a progress, not a heartbeat, or not one to believe. */
  | 'result'
  | 'progress'
  | 'heartbeat';
