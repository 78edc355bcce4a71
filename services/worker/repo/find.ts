// Finds the files of a repository: by git where there is a working tree and a git that reads it, since people expect what it ignores to be
// left out, else by walking.
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { CortexError } from '#core/errors.ts';
import type { Log } from '#core/log.ts';
import type { Breather } from './breather.ts';
import { createCandidates, type Kind, type Limits } from './candidates.ts';
import { listFiles, listIgnored, workTreeOf } from './git-files.ts';
import type { Globs } from './globs.ts';
import type { ScanRoot } from './root.ts';
import { createSkipped, type Skipped } from './skipped.ts';
import { walk } from './walk.ts';

export interface FindOptions {
  readonly place: ScanRoot;
  readonly globs: Globs;
  readonly limits: Limits;
  readonly breather: Breather;
  readonly signal: AbortSignal;
  readonly log: Log;
}

export interface Found {
  /** Relative, sorted. */
  readonly paths: readonly string[];
  readonly skipped: Skipped;
}

/** Throws CortexError `out_of_range` for too many names or files, and what the signal says. */
export async function findFiles(options: FindOptions): Promise<Found> {
  const { place, globs, limits, breather, log } = options;
  const workTree = workTreeOf(place);
  if (workTree !== undefined) {
    try {
      return await askGit(workTree, options);
    } catch (error) {
      if (!(error instanceof CortexError && error.code === 'unavailable')) throw error;
      log.warn('git could not list the files; walking the folders instead, what git ignores included', { error });
    }
  }
  const skipped = createSkipped();
  const candidates = createCandidates(globs, skipped, limits);
  await walk({ root: place.root, candidates, skipped, breather });
  return { paths: candidates.paths(), skipped };
}

async function askGit(workTree: string, { place, globs, limits, signal }: FindOptions): Promise<Found> {
  const skipped = createSkipped();
  const candidates = createCandidates(globs, skipped, limits);
  const kindOf = (path: string): Kind => kindAt(join(place.root, path));
  const where = { root: place.root, workTree, signal };
  const seen = new Set<string>();
  await listFiles({
    ...where,
    onPath(name) {
      const nested = name.at(-1) === 0x2f; // an untracked repository inside this one is listed as a folder
      const bare = nested ? name.subarray(0, -1) : name;
      // A file in conflict is listed once for each of its versions.
      const key = Buffer.from(bare).toString('latin1');
      if (seen.has(key)) return;
      seen.add(key);
      candidates.take(bare, '', nested ? () => 'submodule' : kindOf);
    },
  });
  await listIgnored({ ...where, onPath: (name) => candidates.ignored(name) });
  return { paths: candidates.paths(), skipped };
}

function kindAt(full: string): Kind {
  try {
    const stat = lstatSync(full, { throwIfNoEntry: false });
    if (stat === undefined) return 'missing';
    if (stat.isFile()) return 'file';
    if (stat.isDirectory()) return 'submodule';
    return stat.isSymbolicLink() ? 'symlink' : 'not_a_file';
  } catch (error) {
    if (error instanceof Error && 'code' in error) return 'missing';
    throw error;
  }
}
