// What an attempt gives out while it runs: text, appended piece by piece, kept beside the job as one value. Places in it are bytes of its
// UTF-8, always where a character begins: by them the store tells a call that comes again from one that goes on. A new attempt that gives
// out text begins it anew. Types and bounds alone.
import type { Fence } from './job.ts';

/** Of one attempt's text, bytes. */
export const maxOutputBytes = 2 ** 20;

/** Of one answer to a reader, bytes. */
export const outputPageBytes = 2 ** 16;

export interface Output extends Fence {
  readonly id: string;
  readonly tenant: string;
  /** Where it goes: bytes of this attempt's text before it. */
  readonly at: number;
  /** Not empty, whole characters. */
  readonly text: string;
}

/**
 * `ok`: it is there, now or since before. `stale`: another attempt has the job, or it does not run any more. `gap`: the store has less
 * of this attempt's text than that (it forgot some). `full`: it would be more than `maxOutputBytes`. Only `ok` has changed anything.
 */
export const outputAnswers = ['ok', 'stale', 'missing', 'gap', 'full'] as const;
export type OutputAnswer = (typeof outputAnswers)[number];

/** Whose text is kept: an attempt, by its fence and by its number from 1. */
export interface OutputOf {
  readonly fence: string;
  readonly attempt: number;
}

export interface OutputQuery {
  readonly id: string;
  readonly tenant: string;
  /** The attempt whose text was read so far; empty for none. */
  readonly fence: string;
  /** How far, bytes. Where there is another attempt's text, or less, the answer begins at 0. */
  readonly at: number;
}

export interface OutputPage extends OutputOf {
  /** Where the text begins: as asked, or 0. */
  readonly at: number;
  readonly text: string;
  /** Where it goes on. */
  readonly next: number;
  /** There is more already. */
  readonly more: boolean;
}
