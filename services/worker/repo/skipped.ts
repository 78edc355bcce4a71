// What a scan leaves out and why: every one is counted, and of each reason the lexically first ones are kept as examples, so that the
// list is the same for the same tree in whatever order it was walked.
import type { SkippedFile } from '#core/protocol/repo-payloads.ts';

/** Why something is not in a scan. */
export type SkipReason =
  /** A pattern excludes the file, or a folder above it, which then stands for its files in the examples. */
  | 'excluded'
  /** A folder that a pattern excludes and nobody looked into: counted as one. */
  | 'excluded_folder'
  /** No pattern includes the file. */
  | 'not_included'
  /** git ignores it: a file, or a whole folder. */
  | 'ignored'
  /** A symbolic link, or reached through one. Links are never followed. */
  | 'symlink'
  /** A repository of its own inside this one. */
  | 'submodule'
  /** Neither a file nor a folder: a socket, a pipe, a device. */
  | 'not_a_file'
  | 'too_large'
  | 'binary'
  | 'unreadable'
  /** A name that is not UTF-8, holds control characters or a backslash, or is too long. */
  | 'invalid_name'
  /** git knows it and it is not there. */
  | 'missing';

export interface Skipped {
  /** Counts one. The same path again is counted again, and kept once. */
  add(path: string, reason: SkipReason): void;
  /** The examples, by path. */
  list(): readonly SkippedFile[];
  counts(): Readonly<Record<string, number>>;
}

/** Keeps at most `perReason` examples of each reason. */
export function createSkipped(perReason = 25): Skipped {
  const examples = new Map<SkipReason, string[]>();
  const counts = new Map<SkipReason, number>();
  return {
    add(path, reason) {
      counts.set(reason, (counts.get(reason) ?? 0) + 1);
      const kept = examples.get(reason) ?? [];
      examples.set(reason, kept);
      if ((kept.length >= perReason && path >= (kept.at(-1) ?? '')) || kept.includes(path)) return;
      const at = kept.findIndex((other) => other > path);
      kept.splice(at < 0 ? kept.length : at, 0, path);
      if (kept.length > perReason) kept.pop();
    },
    list() {
      const all: SkippedFile[] = [];
      for (const [reason, paths] of examples) for (const path of paths) all.push({ path, reason });
      return all.sort((a, b) => byText(a.path, b.path) || byText(a.reason, b.reason));
    },
    counts: () => Object.fromEntries([...counts].sort(([a], [b]) => byText(a, b))),
  };
}

/** Order by code units: the same on every machine. */
export function byText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
