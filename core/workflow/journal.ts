// The journal port: what a run remembers, beside the records of its children. Only who holds the run's fence appends; signals come from
// anybody of the tenant and stand in a list of their own until the run takes them in. Drivers, beside those of
// the job store whose records they look at: core/jobs/memory-journal.ts (twin for tests), redis-journal.ts. Both pass test/contract/journal.ts. Throws CortexError `unavailable` when the store cannot be reached: repeat the call.
import type { Fence } from '#core/jobs/job.ts';
import type { JobKey } from '#core/jobs/store.ts';

export interface Append extends JobKey, Fence {
  /** How many lines there are before these: a call that comes twice is recognised by it. */
  readonly from: number;
  /** JSON texts: lines.ts. */
  readonly lines: readonly string[];
  /**
   * The run got on by what happened elsewhere: a step ended, a signal came. Deaths of its orchestrators before that are no sign that it is the
   * run that kills them. A sleep that is over is none: it is so whatever comes next.
   */
  readonly gotOn?: boolean;
}

/**
 * `stale`: the hand-out is not the current one any more; `moved`: there are other lines than the caller knows; `full`: no room, nothing was
 * written.
 */
export type Appended = 'ok' | 'stale' | 'moved' | 'full';

export interface Signal {
  readonly name: string;
  /** JSON text. */
  readonly value: string;
  /** ms since the epoch. */
  readonly at: number;
}

export interface SendSignal extends JobKey {
  readonly name: string;
  /** JSON text of at most maxSignalBytes. */
  readonly value: string;
  /** The same key twice is one signal; empty for none. */
  readonly key: string;
}

/** `known`: that key was sent before; `ended`: the run has; `other`: the job is no workflow; `full`: no room for more. */
export type Sent = 'noted' | 'known' | 'ended' | 'missing' | 'other' | 'full';

export interface Inbox extends JobKey {
  /** Signals that are known. */
  readonly from: number;
}

export interface SeedRun extends JobKey {
  readonly lines: readonly string[];
  readonly signals: readonly Signal[];
}

export interface Journal {
  append(item: Append): Promise<Appended>;
  /** Its lines in order; undefined when the tenant has no such job. */
  lines(run: JobKey): Promise<readonly string[] | undefined>;
  /** Signals from a place on, in order; none of a job that is not there. */
  signals(inbox: Inbox): Promise<readonly Signal[]>;
  /** How many signals each run has in all. */
  counts(runs: readonly JobKey[]): Promise<readonly number[]>;
  send(signal: SendSignal): Promise<Sent>;
  /** The memory with which a job that is made next begins; kept for minutes, and as long as the job once that is there. */
  seed(item: SeedRun): Promise<void>;
  /** Of these results of a tenant's runs (`redis://...`), whether each is there still. */
  there(tenant: string, pointers: readonly string[]): Promise<readonly boolean[]>;
  /** Takes a seed back whose job was not made. */
  unseed(run: JobKey): Promise<void>;
}

/** Lines of one run. */
export const maxLines = 50_000;
/** Signals of one run. */
export const maxSignals = 1000;
/** Bytes of a signal's value. */
export const maxSignalBytes = 16_384;
/** How long a seed waits for its job, ms: longer than any call of the gateway takes. */
export const seedMs = 10 * 60_000;
