// What workers that speak the bus alone say of a job: they have no fence, so the store decides whether it counts.
import type { PolicyVersion } from './job.ts';
import type { EndState } from './state.ts';

/** A result that came over the bus from a worker that is not ours. */
export interface ForeignResult {
  readonly id: string;
  readonly status: EndState;
  /** The key its result_ptr names, or empty. Only `res:<id>` and `res:<id>-...` are believed. */
  readonly resultKey: string;
  readonly artifactKeys: readonly string[];
  readonly workerName: string;
  readonly execMs: number;
  readonly errorCode: string;
  readonly errorMessage: string;
  /** The version in force: a SUCCEEDED of an earlier hand-out counts only if it is the one that judged. */
  readonly policy: PolicyVersion;
}

/** What a worker that speaks the bus alone tells: it has no fence. */
export interface ForeignProgress {
  readonly id: string;
  /** 0 to 100. */
  readonly percent: number;
  readonly message: string;
}
