// The job store port: the truth about jobs. Every operation is one atomic step of the table in state.ts; nobody else writes job
// state. All take lists, because everything that arrives in one tick goes out in one call, and answer in the order of their items.
// Drivers: memory-store.ts (twin for tests), redis-store.ts (Lua scripts through the Redis port). Both pass test/contract/job-store.ts.
//
// Rules that hold for every operation:
// - Time is the store's own (Redis TIME); durations come as arguments in ms.
// - What carries a Fence is refused (`stale`) unless both parts are the current ones. A refused call changes nothing.
// - Every operation may be repeated: the same call again does nothing twice. It answers the same, or that the job has moved on.
// - Steps are reported to `onEvents` after they are stored, in order.
// Throws CortexError `unavailable` when the store cannot be reached: the step may or may not have happened; repeat it.
import type { Saying } from '#core/context/memory/log.ts';
import type { Approve, Approved } from './approval.ts';
import type { ForeignProgress, ForeignResult } from './foreign.ts';
import type { Fence, JobEnd, JobEvent, JobView, NewJob, PolicyVersion } from './job.ts';
import type { Page, PageQuery, PoolDepth, Recorded, Seen, Standing, StandingOf } from './reading.ts';
import type { Output, OutputAnswer, OutputPage, OutputQuery } from './output.ts';
import type { Registered, Registration } from './registration.ts';
import type { EndState, JobState } from './state.ts';
import type { Metered, UsageRow } from './usage.ts';

export interface JobKey {
  readonly id: string;
  readonly tenant: string;
}

// ---- submission

export type Created =
  /** New, or the same job (same id and digest, or same idempotency key and digest) as before. */
  | {
      readonly outcome: 'created' | 'existing';
      readonly id: string;
      readonly traceId: string;
      readonly state: JobState;
    }
  /** The id, or one of its keys, belongs to another job; nothing was written. */
  | { readonly outcome: 'conflict' }
  /** The idempotency key was used with another body; nothing was written. */
  | { readonly outcome: 'idempotency_conflict'; readonly id: string }
  /** It is bound to a parent that is not held under that fence; nothing was written. */
  | { readonly outcome: 'orphan' }
  /** The payload that should be in `ctx:<id>` is not there: the record exists and is FAILED payload_missing, in the same step. */
  | { readonly outcome: 'payload_missing'; readonly id: string; readonly end: JobEnd };

// ---- the gate

export interface Gate {
  readonly id: string;
  readonly tenant: string;
  /** The digest that was judged; refused unless it is the stored one. */
  readonly digest: string;
  /** Where the job goes. PENDING keeps it waiting (`holdMs`) with the reason shown; FAILED is for a topic without a pool. */
  readonly to: 'SCHEDULED' | 'DENIED' | 'PENDING' | 'AWAITING_APPROVAL' | 'FAILED';
  /** SCHEDULED takes an allow; or REQUIRE_HUMAN, if a person approved the job under this policy. */
  readonly decision: string;
  readonly reason: string;
  readonly rule: string;
  /** Undefined only when nobody judged (the kernel is away): allowed for `PENDING` alone. */
  readonly policy: PolicyVersion | undefined;
  /** JSON of the constraints that bind the worker; empty for none. */
  readonly constraints: string;
  /**
   * For SCHEDULED: the key of the payload that the policy wants instead of the job's own, `ctx:<id>:...` or `ctx:<id>-...`; its lane is then
   * for workers of ours alone. Absent for none.
   */
  readonly redactedKey?: string;
  /** For SCHEDULED. */
  readonly pool: string;
  readonly lane: string;
  /** What a hand-out of it adds to its tenant's virtual time, over the tenant's weight; above 0. Default 1. */
  readonly cost?: number;
  /** Longest run of one attempt, ms. */
  readonly timeoutMs: number;
  readonly maxRetries: number;
  /** For PENDING, and while the redacted payload is not there: look again after this long. */
  readonly holdMs: number;
  /** For DENIED and FAILED. */
  readonly errorCode: string;
  readonly errorMessage: string;
}

export interface Gated {
  /**
   * `state`: it is no longer PENDING; `digest`: the stored job is another one; `missing`: no such job; `unapproved`: REQUIRE_HUMAN, and
   * nobody approved this job under this policy; `waits`: PENDING for `holdMs`, since the redacted payload is not there.
   */
  readonly outcome: 'applied' | 'waits' | 'state' | 'digest' | 'missing' | 'unapproved';
  readonly state: JobState | undefined;
  /** No gate step was taken before, not even one that lets the job wait: who counts by it counts each job once. */
  readonly first: boolean;
  /** Set when the step ended the job. */
  readonly end: JobEnd | undefined;
}

// ---- hand-out

export interface Claim {
  readonly pool: string;
  readonly worker: string;
  /** The worker's process; for bus-only workers the empty string. */
  readonly instance: string;
  /** Jobs wanted at most. */
  readonly n: number;
  /** Slots of the worker; our own hosts' number in `w:<id>` wins over it. */
  readonly capacity: number;
  /** Lanes that this worker may serve. */
  readonly lanes: readonly string[];
  /** Shares of tenants, above 0; 1 for those that are not named. With none at all: round-robin. */
  readonly weights?: Readonly<Record<string, number>>;
  /** How long the worker has to accept; for a bus-only worker 0: the lease is then the job's own timeout. */
  readonly acceptMs: number;
  /** The version in force. Jobs judged under an older sequence with another hash go back to the gate. */
  readonly policy: PolicyVersion;
}

export interface HandOut extends Fence {
  readonly id: string;
  readonly tenant: string;
  readonly topic: string;
  readonly traceId: string;
  readonly packet: Uint8Array;
  /** JSON; empty for none. */
  readonly constraints: string;
  /** Longest run, ms from acceptance. */
  readonly timeoutMs: number;
  /** The total deadline, ms since the epoch. */
  readonly deadlineAt: number;
  readonly createdAt: number;
  /** When it entered the ready queue for this hand-out. */
  readonly queuedAt: number;
  /** Redis time of the claim. */
  readonly claimedAt: number;
}

export interface Claimed {
  readonly jobs: readonly HandOut[];
  /** Judged under an older policy: PENDING again, due at once. */
  readonly regate: readonly PendingJob[];
  /** `gone`: no live worker of that id and instance. `later`: the claims before it in the call filled the answer; to be asked again. */
  readonly outcome: 'ok' | 'gone' | 'later';
  /** Slots in use after this claim. */
  readonly used: number;
  readonly capacity: number;
}

/** What the gate needs to judge a job from its record. */
export interface PendingJob {
  readonly id: string;
  readonly tenant: string;
  readonly digest: string;
  readonly principal: string;
  readonly packet: Uint8Array;
}

// ---- the worker's side

export interface Accept extends JobKey, Fence {
  readonly worker: string;
  readonly instance: string;
  readonly leaseMs: number;
}

export type Accepted =
  | {
      readonly outcome: 'run';
      /** The payload's text, the redacted one if the policy wants that, or null when there is none. */
      readonly payload: string | null;
      /** The attempt's number, from 1. */
      readonly attempts: number;
      /** From its entry into the ready queue to this acceptance, ms. */
      readonly waitedMs: number;
      /** ms left of this attempt's time and of the total deadline, whichever is less. */
      readonly remainingMs: number;
    }
  | { readonly outcome: 'stale'; readonly reason: StopReason }
  /** The payloads before it fill the answer; nothing happened to it. Ask again at once: the first of a call is never put off. */
  | { readonly outcome: 'again' };

/** Why a handler has to stop. */
export type StopReason = 'cancelled' | 'timeout' | 'denied' | 'lost' | 'ended' | 'unknown';

export interface RenewJob extends JobKey, Fence {}

export interface Renew {
  readonly worker: string;
  readonly instance: string;
  readonly pool: string;
  readonly capacity: number;
  readonly leaseMs: number;
  /** How long the worker counts as alive without another renewal. */
  readonly aliveMs: number;
  readonly jobs: readonly RenewJob[];
}

export interface Renewed {
  /** `replaced`: another instance holds this worker id; everything must stop. */
  readonly outcome: 'ok' | 'replaced';
  /** One per job, in order. */
  readonly jobs: readonly ('keep' | StopReason)[];
}

export interface Commit extends JobKey, Fence {
  readonly worker: string;
  readonly status: EndState;
  /** With FAILED: whether another attempt may help; the store decides from the retries left. */
  readonly retryable: boolean;
  /** How long to wait before that attempt, ms. */
  readonly backoffMs: number;
  /** The result's JSON text; undefined for none. */
  readonly result: string | undefined;
  readonly execMs: number;
  readonly errorCode: string;
  readonly errorMessage: string;
  /** With SUCCEEDED: what a memory keeps of the job, in the same step, so that nothing else is ever remembered. */
  readonly remember?: Remember | undefined;
}

export interface Remember {
  readonly memory: string;
  readonly said: readonly Saying[];
}

export interface Committed {
  /** `retry`: SCHEDULED again, not before the back-off has passed. */
  readonly outcome: 'committed' | 'retry' | 'stale' | 'missing';
  readonly state: JobState | undefined;
  readonly end: JobEnd | undefined;
  /** With `stale`: why. */
  readonly reason: StopReason | undefined;
}

export interface Progress extends JobKey, Fence {
  /** 0 to 100. */
  readonly percent: number;
  readonly message: string;
}

export interface Artifact extends JobKey, Fence {
  /** `[a-z0-9-]{1,40}`; stored at `res:<id>-<name>-<fence>`. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** The host's word that a stopped handler is gone: frees the slot. */
export interface Stopped extends JobKey, Fence {
  readonly worker: string;
}

// ---- from outside the attempt

export interface End {
  readonly id: string;
  /** Refused as `missing` unless it is the job's; undefined: any (the reconciler's own). */
  readonly tenant: string | undefined;
  readonly to: EndState;
  /** Only if the job is still in this state under this fence; undefined: in any state that may go there. */
  readonly seen: { readonly state: JobState; readonly fence: string } | undefined;
  readonly errorCode: string;
  readonly errorMessage: string;
}

export interface Ended {
  /** `already`: it had ended before (state tells how); `moved`: it is no longer as seen. */
  readonly outcome: 'ended' | 'already' | 'moved' | 'missing';
  readonly state: JobState | undefined;
  /** With `ended` and `already`. */
  readonly end: JobEnd | undefined;
  /** The worker that held it, to be told. */
  readonly worker: string;
  readonly fence: string;
}

export interface Requeue extends JobKey {
  readonly seen: { readonly state: 'SCHEDULED' | 'DISPATCHED' | 'RUNNING'; readonly fence: string };
  /** `lost` counts as a loss: at the fourth the job is FAILED worker_lost. `ready`: its back-off has passed (SCHEDULED, not queued). */
  readonly why: 'unaccepted' | 'busy' | 'lost' | 'drained' | 'no_responders' | 'ready';
  /** Not before this many ms from now. */
  readonly delayMs: number;
}

export interface Requeued {
  readonly outcome: 'queued' | 'delayed' | 'failed' | 'moved' | 'missing';
  readonly end: JobEnd | undefined;
}

// ---- what is due

/** A job that somebody must look at now, with all that pure code needs to decide. Times in ms since the epoch. */
export interface DueJob {
  readonly id: string;
  readonly tenant: string;
  readonly topic: string;
  readonly traceId: string;
  readonly state: JobState;
  readonly fence: string;
  readonly attempt: string;
  readonly digest: string;
  readonly principal: string;
  readonly pool: string;
  readonly lane: string;
  readonly worker: string;
  readonly instance: string;
  readonly deadlineAt: number;
  /** End of this attempt's time; 0 unless RUNNING. */
  readonly runDeadlineAt: number;
  /** End of the lease in the worker's slots; 0 when it holds none. */
  readonly leaseAt: number;
  /** In the ready queue. */
  readonly queued: boolean;
  /** Not before this; 0 when no back-off runs. */
  readonly notBefore: number;
  /** First hand-out since it was scheduled last, for the dispatch time-out; 0 for none. */
  readonly firstHandOutAt: number;
  /** For PENDING only: the packet to judge. */
  readonly packet: Uint8Array | undefined;
  /** For an ended job that was not announced yet. */
  readonly end: JobEnd | undefined;
  /** The run that it is a step of, when that has ended; empty otherwise. */
  readonly orphanOf: string;
}

export interface Due {
  /** The store's time when it looked. */
  readonly now: number;
  readonly jobs: readonly DueJob[];
  /** More was due than asked for. */
  readonly more: boolean;
}

export interface Announced {
  readonly state: EndState;
  readonly topic: string;
}

// ---- reading

export type { Approve, Approved } from './approval.ts';
export type { Registered, Registration } from './registration.ts';
export type { ForeignProgress, ForeignResult } from './foreign.ts';
export type { Metered, UsageRow } from './usage.ts';
export type { Page, PageQuery, PoolDepth, Recorded, Seen, Standing, StandingJob, StandingOf } from './reading.ts';
export type { Output, OutputAnswer, OutputPage, OutputQuery } from './output.ts';

export interface JobStore {
  create(jobs: readonly NewJob[]): Promise<readonly Created[]>;
  gate(items: readonly Gate[]): Promise<readonly Gated[]>;
  approve(items: readonly Approve[]): Promise<readonly Approved[]>;
  claim(items: readonly Claim[]): Promise<readonly Claimed[]>;
  accept(items: readonly Accept[]): Promise<readonly Accepted[]>;
  renew(items: readonly Renew[]): Promise<readonly Renewed[]>;
  commit(items: readonly Commit[]): Promise<readonly Committed[]>;
  commitForeign(items: readonly ForeignResult[]): Promise<readonly Committed[]>;
  progress(items: readonly Progress[]): Promise<readonly ('ok' | 'stale' | 'missing')[]>;
  /** Noted as long as the job is out on its topic, from whomever it comes. */
  progressForeign(items: readonly ForeignProgress[]): Promise<readonly ('ok' | 'stale' | 'missing')[]>;
  /** Appends to the text that an attempt gives out; output.ts tells the answers. */
  output(items: readonly Output[]): Promise<readonly OutputAnswer[]>;
  /** Answers the key, or undefined when the fence is stale. */
  artifact(item: Artifact): Promise<string | undefined>;
  stopped(items: readonly Stopped[]): Promise<void>;
  /** Adds what requests to models took to the sums of their tenant's day; whatever became of their attempts. */
  meter(items: readonly Metered[]): Promise<void>;
  end(items: readonly End[]): Promise<readonly Ended[]>;
  requeue(items: readonly Requeue[]): Promise<readonly Requeued[]>;
  /** Takes what is due by pushing it `pushMs` ahead, so that two reconcilers share the work. */
  due(limit: number, pushMs: number): Promise<Due>;
  /**
   * These ends are on the bus: nobody has to look at them again. Jobs that have not ended are left alone. Answers the end for the one
   * call that is the first to say so, undefined for every other: who counts by it counts each end once.
   */
  announced(jobs: readonly JobKey[]): Promise<readonly (Announced | undefined)[]>;
  register(item: Registration): Promise<Registered>;
  unregister(worker: string, instance: string): Promise<void>;
  /** Jobs waiting in ready queues, by pool and lane; of very many lanes a part, each time another. */
  depths(): Promise<readonly PoolDepth[]>;
  view(id: string, tenant: string | undefined): Promise<JobView | undefined>;
  /** Jobs with their results, each as of one moment. Undefined where the tenant has no such job. */
  look(jobs: readonly JobKey[]): Promise<readonly (Seen | undefined)[]>;
  page(query: PageQuery): Promise<Page>;
  /** Oldest first; a trace with very many jobs is answered in part, whichever part. */
  trace(traceId: string, tenant: string): Promise<readonly JobView[]>;
  /** `<unix_s>|<STATE>` in order. Undefined when the tenant has no such job. */
  transitions(id: string, tenant: string): Promise<readonly string[] | undefined>;
  /** What its newest recorded attempt said to models, with what that worked on. Undefined when the tenant has no such job. */
  recording(id: string, tenant: string): Promise<Recorded | undefined>;
  /** The result alone, as `look` has it. Undefined when the tenant has no such job. */
  result(id: string, tenant: string): Promise<string | null | undefined>;
  /** That text from a place on, a bounded part. Undefined where the tenant has no such job, or the job no text (any more). */
  readOutput(query: OutputQuery): Promise<OutputPage | undefined>;
  /** The first entries of a tenant's event stream after `after` (empty: from the start), at most `limit`. */
  events(tenant: string, after: string, limit: number): Promise<readonly JobEvent[]>;
  /** The sums of these days (YYYY-MM-DD), in their order and by model; a day without requests has none. */
  usage(tenant: string, days: readonly string[]): Promise<readonly UsageRow[]>;
  /** How these jobs stand, and where the tenant's event stream ends, as of one moment: every later event is one of later. */
  standing(tenant: string, jobs: readonly StandingOf[]): Promise<Standing>;
}
