// The things that the parts of the host share: a hosted worker, one attempt, and what an attempt needs. Types only.
import type { Events } from '#core/events.ts';
import type { JobStore } from '#core/jobs/store.ts';
import type { Log } from '#core/log.ts';
import type { Clock } from '#core/system.ts';
import type { StoreCalls } from './calls.ts';
import type { Limits } from './constraints.ts';
import type { JobContext, WorkerDefinition } from './define.ts';
import type { HandOut } from './door.ts';
import type { About, AbortCause, HostEvent } from './events.ts';
import type { News } from './news.ts';
import type { Recording } from './recorder.ts';
import type { Turns } from './turns.ts';

export interface HostedWorker {
  readonly id: string;
  readonly definition: WorkerDefinition;
  readonly parallel: number;
  /** By attempt id. */
  readonly attempts: Map<string, Attempt>;
  /** Slots taken here: attempts that are accepting or running. */
  active: number;
}

export interface Attempt {
  readonly handOut: HandOut;
  readonly about: About;
  readonly worker: HostedWorker;
  /** What every call of the store about it carries. */
  readonly key: { readonly id: string; readonly tenant: string; readonly fence: string; readonly attempt: string };
  readonly signal: AbortSignal;
  /** Adds job_id, trace_id, tenant and worker. */
  readonly log: Log;
  /** Its place in the life that attempt.ts tells. */
  readonly phase: 'accepting' | 'running' | 'concluding' | 'over';
  /** Why the handler was told to stop. */
  readonly cause: AbortCause | undefined;
  /** Monotonic, ms: until then the lease lasts for certain. 0 before acceptance. */
  readonly leaseEnd: number;
  /** A renewal was confirmed: the lease lasts until then at least. */
  extend(leaseEnd: number): void;
  /** Tells the handler to stop; only the first cause counts. */
  stop(cause: AbortCause): void;
}

export interface AttemptDeps {
  readonly store: JobStore;
  readonly calls: StoreCalls;
  readonly clock: Clock;
  readonly log: Log;
  readonly events: Events<HostEvent>;
  readonly news: News;
  readonly instance: string;
  readonly limits: Limits;
  readonly recording: Recording;
  readonly leaseMs: number;
  readonly turns: Turns;
  /** Runs the handler, wherever that is. */
  readonly run: (definition: WorkerDefinition, input: unknown, context: JobContext) => Promise<unknown>;
  /** An attempt was accepted: its lease is to be kept from now on. */
  readonly onLeased: (attempt: Attempt) => void;
  /** The store refused this attempt's fence: ask why, at once. */
  readonly onDoubt: (attempt: Attempt) => void;
  /** A slot was taken or became free. */
  readonly onSlot: (worker: HostedWorker) => void;
}
