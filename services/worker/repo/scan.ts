// job.repo.scan: which files a repository has, and an archive of them for the steps that follow, wherever they run.
import { z } from 'zod';
import { CortexError } from '#core/errors.ts';
import type { Engine } from '#core/context/engine.ts';
import type { Archives } from '#core/archives/archives.ts';
import { spreadContext } from '#core/protocol/payloads.ts';
import { noArchive, parseArchivePointer } from '#core/protocol/archive-pointer.ts';
import { type RepoScanContext, repoScanContext, repoScanResult } from '#core/protocol/repo-payloads.ts';
import { unwrap } from '#core/result.ts';
import { defineWorker, type WorkerDefinition } from '../define.ts';
import { indexOf } from './index-repo.ts';
import { scanLimits, type ScanSettings } from './scanner.ts';

/** What goes to the thread. */
export interface ScanTask {
  readonly request: RepoScanContext;
  readonly settings: Omit<ScanSettings, 'allowedHosts' | 'writable'>;
  /** What `archive_ptr` names. */
  readonly archive?: Uint8Array;
}

export type ReadArchives = Pick<Archives, 'read' | 'drop'>;

/** The worker, with what the configuration allows it. */
export function repoScan(
  settings: Pick<ScanSettings, 'roots' | 'minFiles' | 'fetch'>,
  archives: ReadArchives,
  engine: Engine,
): WorkerDefinition {
  return defineWorker({
    topic: 'job.repo.scan',
    pool: 'repo-scan',
    parallel: 2,
    capabilities: ['repo-scan'],
    // It reaches the hosts that a policy names and no other, and writes below the folder for temporary files, or not at all where a policy
    // does not name that. It reads files and runs git, so what a policy says about those it cannot promise.
    honours: [
      'sandbox.network_allowlist',
      'sandbox.fs_read_write',
      'diff.max_files',
      'diff.max_lines',
      'diff.deny_path_globs',
    ],
    input: z
      .preprocess(spreadContext, repoScanContext)
      .transform((request): ScanTask => ({ request, settings: { ...scanLimits, ...settings } })),
    output: repoScanResult,
    thread: new URL('./scan.thread.ts', import.meta.url),
    async load(task, { job, signal }) {
      const { archive_ptr } = task.request;
      return archive_ptr === '' ? task : { ...task, archive: await open(archive_ptr, job.tenant, archives, signal) };
    },
    async finish(result, { request }, context) {
      return { ...result, index: await indexOf(engine, request, result, context) };
    },
  });
}

/** The archive behind the pointer, which is what its name says. Throws CortexError that names `archive_ptr`. */
async function open(pointer: string, tenant: string, archives: ReadArchives, signal: AbortSignal): Promise<Uint8Array> {
  const name = { tenant, sha256: unwrap(parseArchivePointer(pointer, tenant)) };
  const archive = await archives.read(name, signal);
  if (archive === undefined) throw noArchive();
  const digest = await crypto.subtle.digest('SHA-256', archive as Uint8Array<ArrayBuffer>);
  if (Buffer.from(digest).toString('hex') === name.sha256) return archive;
  // The name is taken as long as it is there.
  await archives.drop(name);
  const problem = 'archive_ptr: what was uploaded has another SHA-256 than its name says; upload it again';
  throw new CortexError('data_loss', problem, { field: 'archive_ptr' });
}
