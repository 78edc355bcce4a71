// A scan from its request to its result: where the files are read from (sources.ts), which are wanted (globs.ts), the archive. It computes
// and blocks: it is made for a thread of its own. The CLI packs a folder with it.
import { CortexError } from '#core/errors.ts';
import type { Log } from '#core/log.ts';
import type { RepoScanContext, RepoScanResult } from '#core/protocol/repo-payloads.ts';
import { unwrap } from '#core/result.ts';
import { createArchive } from './archive.ts';
import { createBreather } from './breather.ts';
import { createCollector } from './collector.ts';
import type { FetchSettings } from './fetch.ts';
import { parseGlobs } from './globs.ts';
import { byText } from './skipped.ts';
import { type Read, readAddress, readArchive, readFolder, type SourceTools } from './sources.ts';

/** What a scan may do, from the worker's configuration and the policy. Plain data: it goes to the thread with the request. */
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
  readonly fetch: FetchSettings;
  /** The policy's hosts for a fetch; empty: any. */
  readonly allowedHosts: readonly string[];
  /** The policy's folders that a fetch may write to; empty: any. */
  readonly writable: readonly string[];
}

type Limits = Pick<ScanSettings, 'maxFiles' | 'maxEntries' | 'maxFileBytes' | 'maxTotalBytes' | 'maxArchiveBytes'>;

export const scanLimits: Limits = {
  maxFiles: 50_000,
  maxEntries: 500_000,
  maxFileBytes: 2 * 2 ** 20,
  maxTotalBytes: 512 * 2 ** 20,
  maxArchiveBytes: 64 * 2 ** 20,
};

/** Of a scan that fetches nothing. */
export const noFetch: Pick<ScanSettings, 'fetch' | 'allowedHosts' | 'writable'> = {
  fetch: {
    ...{ schemes: [], privateHosts: [], caFile: undefined, sshKey: undefined, sshKnownHosts: undefined },
    ...{ maxMs: 0, maxBytes: 0 },
  },
  allowedHosts: [],
  writable: [],
};

export interface ScanTools {
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly progress: (percent: number, message: string) => void;
  /** Stores the archive and answers its pointer. */
  readonly store: (archive: Uint8Array) => Promise<string>;
}

/** `archive` is what `archive_ptr` names. Throws CortexError with the field of the request that it is about, and what the signal says. */
export async function scan(
  request: RepoScanContext,
  settings: ScanSettings,
  { signal, log, progress, store }: ScanTools,
  archive?: Uint8Array,
): Promise<RepoScanResult> {
  const field = request.archive_ptr !== '' ? 'archive_ptr' : request.local_path !== '' ? 'local_path' : 'repo_url';
  const globs = unwrap(parseGlobs(request));
  const packed = createArchive(settings.maxArchiveBytes);
  const collector = createCollector(packed, settings.maxTotalBytes, field);
  try {
    const tools = { settings, globs, collector, breather: createBreather(signal), signal, log, progress };
    const { root, skipped } = await readSource(request, archive, tools);
    const counts = skipped.counts();
    const { files } = collector;
    if (files.length < settings.minFiles) throw tooFew(field, files.length, settings.minFiles, counts);
    const bytes = await packed.finish();
    signal.throwIfAborted();
    progress(95, 'storing the archive');
    const archive_ptr = await store(bytes);
    const sorted = files.toSorted((a, b) => byText(a.path, b.path));
    return { repo_root: root, files: sorted, archive_ptr, skipped: [...skipped.list()], skipped_counts: counts };
  } catch (error) {
    packed.cancel(error);
    throw error;
  }
}

function readSource(request: RepoScanContext, archive: Uint8Array | undefined, tools: SourceTools): Promise<Read> {
  if (request.archive_ptr !== '') {
    if (archive === undefined) throw new Error('a scan of an archive was begun without the archive');
    return readArchive(archive, tools);
  }
  return request.local_path === '' ? readAddress(request, tools) : readFolder(request.local_path, tools);
}

function tooFew(field: string, found: number, wanted: number, skipped: Readonly<Record<string, number>>): CortexError {
  const left = Object.entries(skipped).map(([reason, count]) => `${count} ${reason}`);
  const why = left.length === 0 ? 'there is nothing else' : `left out: ${left.join(', ')}`;
  const problem = `${field}: ${found} files to look at, at least ${wanted} are wanted (MIN_SCAN_FILES); ${why}`;
  return new CortexError('failed_precondition', problem, { field });
}
