// The port to what memories hold: for each tenant and memory a log of what was said, which repository it speaks of, and who wrote when.
// A worker's exchange comes with the commit of its job (core/jobs/store.ts `remember`), so that what was not committed is never
// remembered; everybody else appends here. Drivers, beside those of the job store: core/jobs/memory-log.ts (twin for tests) and
// redis-log.ts. Both pass test/contract/memory-log.ts. Throws CortexError `unavailable` when the store cannot be reached.
import type { Fence } from '#core/jobs/job.ts';
import type { Entry, EntryRole } from './entry.ts';

export interface MemoryName {
  readonly tenant: string;
  /** 1 to 512 printable characters: names.ts. */
  readonly memory: string;
}

export interface Saying {
  readonly role: EntryRole;
  readonly content: string;
}

export interface AppendSaid extends MemoryName {
  readonly said: readonly Saying[];
  /** The same key again adds nothing, as long as what came with it is there; empty for none. */
  readonly key: string;
  /** The job it comes from; its hand-out must be the current one where a hold is given. Empty: none. */
  readonly job: string;
  readonly hold?: Fence | undefined;
}

/** `stale`: the hand-out is not the current one; `known`: the key was there. Nothing was written in either case. */
export type AppendedSaid = 'ok' | 'known' | 'stale';

/** A repository that a memory speaks of. */
export interface Bound {
  readonly repository: string;
  readonly commit: string;
}

export interface LogPage {
  /** Another one than before: the memory was forgotten in between, and began anew. Empty: there is none. */
  readonly epoch: string;
  /** Number of the oldest entry that is left. */
  readonly first: number;
  /** Entries in their order; fewer than there are, when `more`. */
  readonly entries: readonly Entry[];
  readonly more: boolean;
  readonly bound: Bound | undefined;
}

export interface MemoryInfo {
  readonly memory: string;
  /** ms since the epoch. */
  readonly writtenAt: number;
}

export interface MemoryLog {
  append(item: AppendSaid): Promise<AppendedSaid>;
  /** Whether the hand-out of the job is the current one, and the tenant's. */
  holds(item: { readonly tenant: string; readonly job: string; readonly hold: Fence }): Promise<boolean>;
  /** What there is from a number on, or from the oldest entry if that was let go. */
  read(item: MemoryName & { readonly from: number }): Promise<LogPage>;
  /** Says which commit of which repository the memory speaks of; `stale` as above. */
  bind(item: MemoryName & Bound & { readonly job: string; readonly hold?: Fence | undefined }): Promise<'ok' | 'stale'>;
  /** Whether there was one. */
  forget(name: MemoryName): Promise<boolean>;
  /** A tenant's memories, those that were written last first. */
  list(item: { readonly tenant: string; readonly limit: number }): Promise<readonly MemoryInfo[]>;
}

/** What memories may take. Beyond it the oldest entries of a memory go, a tenth more than must, and the memories of a tenant that were not written for longest. */
export interface MemoryLimits {
  readonly entries: number;
  /** Of one memory's entries as they are stored. */
  readonly bytes: number;
  /** Of one tenant. */
  readonly memories: number;
  /** Since it was written last, ms. */
  readonly ttlMs: number;
}

export const memoryLimits: MemoryLimits = {
  entries: 20_000,
  bytes: 8 * 2 ** 20,
  memories: 10_000,
  ttlMs: 90 * 24 * 3_600_000,
};

/** Characters of one entry; what is longer is cut where it is written, and says so. */
export const maxEntryLength = 65_536;

/** Characters of a fact that is written down: a sentence or two. */
export const maxFactLength = 2_000;

/** Entries that one append may bring. */
export const maxSaid = 100;
