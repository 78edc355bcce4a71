// The three places that a scan reads from: a folder of this machine, an address, an archive. Each chooses by the same patterns and limits,
// hands its files to the collector and tells what it left out.
import type { Log } from '#core/log.ts';
import type { RepoScanContext } from '#core/protocol/repo-payloads.ts';
import { unwrap } from '#core/result.ts';
import type { Breather } from './breather.ts';
import { createCandidates } from './candidates.ts';
import type { Collector } from './collector.ts';
import { withRepository } from './fetch.ts';
import { findFiles } from './find.ts';
import { listTree, readObjects, type TreeEntry } from './git-tree.ts';
import type { Globs } from './globs.ts';
import { isBinary, readInside } from './read-file.ts';
import { openRoot } from './root.ts';
import type { ScanSettings } from './scanner.ts';
import { createSkipped, type Skipped } from './skipped.ts';
import { untar, type UntarLimits } from './untar.ts';

export interface SourceTools {
  readonly settings: ScanSettings;
  readonly globs: Globs;
  readonly collector: Collector;
  readonly breather: Breather;
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly progress: (percent: number, message: string) => void;
}

export interface Read {
  /** The folder, or the address; empty for an archive. */
  readonly root: string;
  readonly skipped: Skipped;
}

export async function readFolder(path: string, tools: SourceTools): Promise<Read> {
  const { settings, globs, collector, breather, signal, log, progress } = tools;
  const place = unwrap(openRoot(path, settings.roots));
  const { root } = place;
  progress(0, 'looking for files');
  const limits = { entries: settings.maxEntries, files: settings.maxFiles };
  const { paths, skipped } = await findFiles({ place, globs, limits, breather, signal, log });
  for (const [i, file] of paths.entries()) {
    if (await breather.pause()) progress(5 + (90 * i) / paths.length, `${i} of ${paths.length} files`);
    const read = readInside(file, { root, maxBytes: settings.maxFileBytes });
    if ('skip' in read) skipped.add(file, read.skip);
    else await collector.add({ path: file, ...read });
  }
  return { root, skipped };
}

export async function readAddress(request: RepoScanContext, tools: SourceTools): Promise<Read> {
  const { settings, globs, collector, breather, signal, log, progress } = tools;
  const { fetch, roots, allowedHosts, writable, maxEntries, maxFiles, maxFileBytes } = settings;
  progress(0, 'fetching the repository');
  const options = { settings: fetch, roots, allowedHosts, writable, signal, log };
  return withRepository(request, options, async ({ url, git }) => {
    const skipped = createSkipped();
    const candidates = createCandidates(globs, skipped, { entries: maxEntries, files: maxFiles }, 'repo_url');
    const entries = new Map<string, TreeEntry>();
    await listTree(git, (entry) => {
      candidates.take(entry.name, '', () => entry.kind);
      const path = Buffer.from(entry.name).toString('utf8');
      // Of two of one name, which no honest tree has, the first counts.
      if (candidates.has(path) && !entries.has(path)) entries.set(path, entry);
    });
    const wanted: (TreeEntry & { readonly path: string })[] = [];
    for (const path of candidates.paths()) {
      const entry = entries.get(path);
      if (entry === undefined) continue;
      if (entry.bytes > maxFileBytes) skipped.add(path, 'too_large');
      else wanted.push({ ...entry, path });
    }
    await readObjects(git, wanted, async (i, bytes) => {
      if (await breather.pause()) progress(50 + (45 * i) / wanted.length, `${i} of ${wanted.length} files`);
      const { path, executable } = wanted[i] as (typeof wanted)[number];
      if (isBinary(bytes)) skipped.add(path, 'binary');
      else await collector.add({ path, bytes, executable });
    });
    return { root: url, skipped };
  });
}

export async function readArchive(archive: Uint8Array, tools: SourceTools): Promise<Read> {
  const { settings, globs, collector, breather, progress } = tools;
  const skipped = createSkipped();
  const limits = { entries: settings.maxEntries, files: settings.maxFiles };
  const candidates = createCandidates(globs, skipped, limits, 'archive_ptr');
  progress(0, 'reading the archive');
  let read = 0;
  await untar(archive, untarLimits(settings), async (file, bytesOf) => {
    if (await breather.pause()) progress(50, `${read} files`);
    const { path, name, executable } = file;
    candidates.take(name, '', () => 'file');
    if (!candidates.has(path)) return;
    if (file.bytes > settings.maxFileBytes) {
      skipped.add(path, 'too_large');
      return;
    }
    const bytes = await bytesOf();
    if (isBinary(bytes)) skipped.add(path, 'binary');
    else await collector.add({ path, bytes, executable });
    read++;
  });
  return { root: '', skipped };
}

/** Files as large as a scan takes, with their headers; names as long as those of a large repository. */
function untarLimits({ maxTotalBytes, maxFiles }: ScanSettings): UntarLimits {
  const entries = 4 * maxFiles;
  const inflatedBytes = maxTotalBytes + 1024 * entries;
  return { entries, inflatedBytes, nameBytes: 32 * 2 ** 20, ratio: 200, ratioFrom: 8 * 2 ** 20 };
}
