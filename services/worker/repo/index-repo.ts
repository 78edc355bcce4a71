// Hands what a scan found to the context engine, so that windows can speak of it. A scan does not fail over that: its result says what
// became of it.
import type { Engine } from '#core/context/engine.ts';
import { toCortexError } from '#core/errors.ts';
import type { RepoScanContext, RepoScanResult } from '#core/protocol/repo-payloads.ts';
import type { JobContext } from '../define.ts';
import { memoryOf } from '../memory.ts';

/** Throws when the job is over. */
export async function indexOf(
  engine: Engine,
  request: RepoScanContext,
  result: RepoScanResult,
  context: JobContext,
): Promise<NonNullable<RepoScanResult['index']>> {
  const { job, hold, signal, progress, log } = context;
  const memory = memoryOf(job, 'rag')?.memory ?? '';
  const repository = nameOf(request, memory);
  progress(97, 'indexing the repository');
  const { repo_root, archive_ptr, files } = result;
  try {
    const scan = { repo_root, archive_ptr, files };
    const made = await engine.ingest({ tenant: job.tenant, memory, repository, scan, job: job.id, hold }, signal);
    return { repository, commit: made.commit, files: made.files, chunks: made.chunks };
  } catch (error) {
    signal.throwIfAborted();
    log.warn('a repository was not indexed', { error });
    return { repository, error: toCortexError(error).message };
  }
}

/** As the person names it: an address with its branch, a folder, else what the memory is of. */
function nameOf({ repo_url, branch, local_path, archive_ptr }: RepoScanContext, memory: string): string {
  if (local_path !== '') return local_path;
  if (repo_url !== '') return branch === '' ? repo_url : `${repo_url}#${branch}`;
  return memory.startsWith('repo:') ? memory.slice('repo:'.length) : archive_ptr;
}
