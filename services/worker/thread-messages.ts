// What the host and a handler's thread say to each other. All of it is structured-cloned: plain data. Every word names its run: what a
// handler still says after its end belongs to no other job that is in the thread by then.
import type { LogLevel } from '#core/log.ts';
import type { JobContext } from './define.ts';

/** The part of a context that is data. */
export type ContextData = Pick<JobContext, 'job' | 'worker' | 'fence' | 'hold' | 'idempotencyKey' | 'constraints'>;

/** An error on its way: a CortexError keeps its code, field and finality, anything else its name, message and stack. */
export interface ThrownData {
  readonly code: string | undefined;
  readonly name: string;
  readonly message: string;
  readonly field: string | undefined;
  readonly final: boolean;
  readonly stack: string | undefined;
}

interface OfRun {
  /** The host's number of the run; never used twice. */
  readonly run: number;
}

export type ToThread = OfRun & HostWord;
export type FromThread = OfRun & ThreadWord;

/** What the host says about a run. */
export type HostWord =
  | { readonly type: 'run'; readonly input: unknown; readonly context: ContextData }
  | { readonly type: 'abort'; readonly reason: ThrownData }
  | { readonly type: 'artifact'; readonly seq: number; readonly pointer: string }
  | { readonly type: 'artifact_failed'; readonly seq: number; readonly error: ThrownData };

/** What a thread says about a run. */
export type ThreadWord =
  | { readonly type: 'value'; readonly value: unknown }
  | { readonly type: 'error'; readonly error: ThrownData }
  | { readonly type: 'progress'; readonly percent: number; readonly message: string }
  | { readonly type: 'output'; readonly text: string }
  | { readonly type: 'artifact'; readonly seq: number; readonly name: string; readonly bytes: Uint8Array }
  | {
      readonly type: 'log';
      readonly level: Exclude<LogLevel, 'silent'>;
      readonly message: string;
      readonly fields: string;
    };
