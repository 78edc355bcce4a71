// A scan from its request to its result: the root, the names, the files one by one in order, the archive. It computes and blocks: it is
// made for a thread of its own. What may be read is root.ts and read-file.ts; what is wanted, globs.ts; which names there are, find.ts.
import { CortexError } from '#core/errors.ts';
import type { Log } from '#core/log.ts';
import type { RepoFile, RepoScanContext, RepoScanResult } from '#core/protocol/repo-payloads.ts';
import { unwrap } from '#core/result.ts';
import { type Archive, createArchive } from './archive.ts';
import { type Breather, createBreather } from './breather.ts';
import { findFiles, type Found } from './find.ts';
import { parseGlobs } from './globs.ts';
import { languageOf } from './languages.ts';
import { readInside } from './read-file.ts';
import { openRoot } from './root.ts';

/** What a scan may do, from the worker's configuration. Plain data: it goes to the thread with the request. */
export interface ScanSettings {
  /** Absolute folders; a scan reads one of them or a folder below. */
  readonly roots: readonly string[];
  /** Fewer files are a failure. */
  readonly minFiles: number;
  readonly maxFiles: number;
  readonly maxEntries: number;
  /** Of one file; larger ones are left out. */
  readonly maxFileBytes: number;
  /** Of all files together, and of the archive. */
  readonly maxTotalBytes: number;
  readonly maxArchiveBytes: number;
}

export const scanLimits: Omit<ScanSettings, 'roots' | 'minFiles'> = {
  maxFiles: 50_000,
  maxEntries: 500_000,
  maxFileBytes: 2 * 2 ** 20,
  maxTotalBytes: 512 * 2 ** 20,
  maxArchiveBytes: 64 * 2 ** 20,
};

export interface ScanTools {
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly progress: (percent: number, message: string) => void;
  /** Stores the archive and answers its pointer. */
  readonly store: (archive: Uint8Array) => Promise<string>;
}

/** Throws CortexError with the field of the request that it is about, and what the signal says. */
export async function scan(
  request: RepoScanContext,
  settings: ScanSettings,
  tools: ScanTools,
): Promise<RepoScanResult> {
  const { signal, log, progress } = tools;
  if (request.local_path === '') {
    const problem = 'repo_url: repositories cannot be fetched from an address yet; give a local_path';
    throw new CortexError('unimplemented', problem, { field: 'repo_url' });
  }
  const place = unwrap(openRoot(request.local_path, settings.roots));
  const globs = unwrap(parseGlobs(request));
  const breather = createBreather(signal);

  progress(0, 'looking for files');
  const limits = { entries: settings.maxEntries, files: settings.maxFiles };
  const found = await findFiles({ place, globs, limits, breather, signal, log });
  const archive = createArchive(settings.maxArchiveBytes);
  try {
    const files = await readAll(found, { root: place.root, archive, settings, breather, progress });
    const counts = found.skipped.counts();
    if (files.length < settings.minFiles) throw tooFew(files.length, settings.minFiles, counts);
    const bytes = await archive.finish();
    signal.throwIfAborted();
    progress(95, 'storing the archive');
    const archive_ptr = await tools.store(bytes);
    return { repo_root: place.root, files, archive_ptr, skipped: [...found.skipped.list()], skipped_counts: counts };
  } catch (error) {
    archive.cancel(error);
    throw error;
  }
}

interface ReadAll {
  readonly root: string;
  readonly archive: Archive;
  readonly settings: ScanSettings;
  readonly breather: Breather;
  readonly progress: ScanTools['progress'];
}

async function readAll({ paths, skipped }: Found, options: ReadAll): Promise<RepoFile[]> {
  const { root, archive, settings, breather, progress } = options;
  const files: RepoFile[] = [];
  let total = 0;
  for (const [i, path] of paths.entries()) {
    if (await breather.pause()) progress(5 + (90 * i) / paths.length, `${i} of ${paths.length} files`);
    const read = readInside(path, { root, maxBytes: settings.maxFileBytes });
    if ('skip' in read) {
      skipped.add(path, read.skip);
      continue;
    }
    const { bytes } = read;
    total += bytes.length;
    if (total > settings.maxTotalBytes) {
      const problem = `local_path: the files have more than ${settings.maxTotalBytes} bytes together; include fewer`;
      throw new CortexError('out_of_range', problem, { field: 'local_path' });
    }
    await archive.add({ path, ...read });
    // As the original counts: an empty file has one line.
    files.push({ path, language: languageOf(path), bytes: bytes.length, loc: newlines(bytes) + 1, recent_commits: 0 });
  }
  return files;
}

function newlines(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) count++;
  return count;
}

function tooFew(found: number, wanted: number, skipped: Readonly<Record<string, number>>): CortexError {
  const left = Object.entries(skipped).map(([reason, count]) => `${count} ${reason}`);
  const why = left.length === 0 ? 'there is nothing else' : `left out: ${left.join(', ')}`;
  const problem = `local_path: ${found} files to look at, at least ${wanted} are wanted (MIN_SCAN_FILES); ${why}`;
  return new CortexError('failed_precondition', problem, { field: 'local_path' });
}
