// What a workflow's generator yields, and what the machine is told and tells. Nobody who writes a workflow sees these: definition.ts.
import type { CortexError } from '#core/errors.ts';
import type { JobView } from '#core/jobs/job.ts';
import type { Result } from '#core/result.ts';

/** How a step's child ended. */
export type ChildEnd = Pick<
  JobView,
  'state' | 'errorCode' | 'errorMessage' | 'final' | 'safetyReason' | 'resultPtr'
> & {
  readonly jobId: string;
  /** The result's text; null when there is none. */
  readonly result: string | null;
  /** It is another run's, of which this one is a rerun. */
  readonly kept?: true;
};

export interface ChildSpec {
  readonly key: string;
  /** The try, from 1. */
  readonly attempt: number;
  readonly topic: string;
  /** JSON text. */
  readonly payload: string;
  readonly timeoutMs: number | undefined;
  readonly adapterId: string;
  readonly stepIndex: number;
}

export type Effect =
  /** Resumed with a ChildEnd. */
  | ({ readonly type: 'child' } & ChildSpec)
  | { readonly type: 'sleep'; readonly key: string; readonly ms: number }
  /** Resumed with the first value that passes `check`, as it makes it. */
  | { readonly type: 'signal'; readonly name: string; readonly check: (value: unknown) => Result<unknown> }
  /** `all`: resumed with what each gave. `race`: with the first one's place and what it gave. */
  | {
      readonly type: 'join';
      readonly mode: 'all' | 'race';
      readonly ops: readonly Generator<Effect, unknown, unknown>[];
    };

/** What a run is told. `at`: ms since the epoch. Their order is the run's memory. */
export type WorkflowEvent =
  | {
      readonly type: 'begin';
      readonly at: number;
      readonly runId: string;
      readonly workflowId: string;
      readonly input: unknown;
    }
  | {
      readonly type: 'end';
      readonly at: number;
      readonly key: string;
      readonly attempt: number;
      readonly end: ChildEnd;
    }
  /** A sleep is over. */
  | { readonly type: 'due'; readonly at: number; readonly key: string }
  /** `index`: its place among the run's signals, from 0. */
  | {
      readonly type: 'signal';
      readonly at: number;
      readonly index: number;
      readonly name: string;
      readonly value: unknown;
    }
  /** Whatever is under way is stopped, what was done is compensated, and the run fails with this. */
  | { readonly type: 'stop'; readonly at: number; readonly error: CortexError };

/** What a run wants done. Each is wanted once; whoever carries them out may be asked again after a crash. */
export type Command =
  | ({ readonly type: 'start' } & ChildSpec)
  /** The child is not waited for any more. */
  | { readonly type: 'drop'; readonly key: string; readonly attempt: number }
  /** The child is a run whose result is not wanted any more: it is told to stop, and waited for until it has undone what it did. */
  | { readonly type: 'halt'; readonly key: string; readonly attempt: number }
  /** `until`: ms since the epoch. */
  | { readonly type: 'sleep'; readonly key: string; readonly until: number }
  /** A signal is waited for: nothing to do, but to be seen. */
  | { readonly type: 'wait'; readonly name: string }
  /** A sleep or a signal is not waited for any more. */
  | { readonly type: 'leave'; readonly what: 'sleep' | 'signal'; readonly name: string }
  | { readonly type: 'refuse'; readonly index: number; readonly name: string; readonly why: string }
  /** The run has failed, and what was done is undone now. */
  | { readonly type: 'undo'; readonly code: string; readonly message: string }
  | { readonly type: 'progress'; readonly percent: number; readonly message: string | undefined };

export type Outcome = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown };
