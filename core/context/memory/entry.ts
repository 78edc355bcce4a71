// What a memory is made of: a log of what was said, oldest first. Everything else (what is recalled, which facts hold) follows from it.

/** `fact`: somebody wrote it down as one; it is no part of the conversation. */
export const entryRoles = ['user', 'assistant', 'fact'] as const;
export type EntryRole = (typeof entryRoles)[number];

export interface Entry {
  /** Its place in the log, from 0; never given to another one, not even when the log's beginning was let go. */
  readonly number: number;
  readonly role: EntryRole;
  readonly content: string;
  /** When it was said, unix seconds. */
  readonly ts: number;
  /** The job that it comes from; empty: none. */
  readonly job: string;
}

/** A question and what was answered to it, or whatever stands alone. */
export interface Exchange {
  /** Numbers of its first and its last entry. */
  readonly first: number;
  readonly last: number;
  readonly entries: readonly Entry[];
}

/** The exchanges of a log: an answer belongs to the question right before it. Facts are in none. */
export function exchangesOf(entries: readonly Entry[]): Exchange[] {
  const exchanges: Exchange[] = [];
  let open: Entry | undefined;
  const close = (): void => {
    if (open !== undefined) exchanges.push({ first: open.number, last: open.number, entries: [open] });
    open = undefined;
  };
  for (const entry of entries) {
    if (entry.role === 'fact') continue;
    if (entry.role === 'assistant' && open !== undefined) {
      exchanges.push({ first: open.number, last: entry.number, entries: [open, entry] });
      open = undefined;
      continue;
    }
    close();
    if (entry.role === 'user') open = entry;
    else exchanges.push({ first: entry.number, last: entry.number, entries: [entry] });
  }
  close();
  return exchanges;
}
