// job.repo.scan: which files a repository has, and an archive of them for the steps that follow, wherever they run.
import { type RepoScanContext, repoScanContext, repoScanResult } from '#core/protocol/repo-payloads.ts';
import { defineWorker, type WorkerDefinition } from '../define.ts';
import { scanLimits, type ScanSettings } from './scanner.ts';

/** What goes to the thread. */
export interface ScanTask {
  readonly request: RepoScanContext;
  readonly settings: ScanSettings;
}

/** The worker, with what the configuration allows it. */
export function repoScan(settings: Pick<ScanSettings, 'roots' | 'minFiles'>): WorkerDefinition {
  return defineWorker({
    topic: 'job.repo.scan',
    pool: 'repo-scan',
    parallel: 2,
    capabilities: ['repo-scan'],
    // It opens no socket and writes no file. It reads files and runs git, so what a policy says about those it cannot promise.
    honours: [
      'sandbox.network_allowlist',
      'sandbox.fs_read_write',
      'diff.max_files',
      'diff.max_lines',
      'diff.deny_path_globs',
    ],
    input: repoScanContext.transform((request): ScanTask => ({ request, settings: { ...scanLimits, ...settings } })),
    output: repoScanResult,
    thread: new URL('./scan.thread.ts', import.meta.url),
  });
}
