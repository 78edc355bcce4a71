// job.repo.report: what a review found, for people and programs. Today that is what the scan saw; findings of other steps have no
// reader here yet, and a report that is given some fails rather than leave them out.
import { CortexError, invalid } from '#core/errors.ts';
import { parsePayload } from '#core/protocol/payloads.ts';
import { parsePointer } from '#core/protocol/pointer.ts';
import {
  type RepoReportContext,
  repoReportContext,
  repoReportResult,
  type RepoScanResult,
  repoScanResult,
} from '#core/protocol/repo-payloads.ts';
import { unwrap } from '#core/result.ts';
import { defineWorker, type WorkerDefinition } from '../define.ts';
import { harmless } from '../harmless.ts';
import { describeScan } from './describe.ts';

/** The result of a job as the store gives it: text, null when there is none, undefined when the tenant has no such job. */
export type ReadResult = (id: string, tenant: string) => Promise<string | null | undefined>;

/** The worker, with the way to results of other jobs of the same tenant. */
export function repoReport(readResult: ReadResult): WorkerDefinition {
  return defineWorker({
    topic: 'job.repo.report',
    pool: 'repo-report',
    parallel: 8,
    capabilities: ['repo-report'],
    honours: harmless,
    input: repoReportContext,
    output: repoReportResult,
    async handle(context, { job }) {
      refuseUnread(context);
      return describeScan(await readScan(context.scan_ptr, job.tenant, readResult));
    },
  });
}

function refuseUnread(context: RepoReportContext): void {
  const unread = [
    context.files.length > 0 ? 'files' : '',
    context.tests_ptr === '' ? '' : 'tests_ptr',
    context.sast_ptr === '' ? '' : 'sast_ptr',
  ].find((field) => field !== '');
  if (unread === undefined) return;
  throw new CortexError('unimplemented', `${unread}: is not read by this worker yet`, { field: unread });
}

/** Throws CortexError that names `scan_ptr`. */
async function readScan(pointer: string, tenant: string, readResult: ReadResult): Promise<RepoScanResult> {
  const key = unwrap(parsePointer(pointer, 'scan_ptr'));
  if (!key.startsWith('res:')) throw invalid('scan_ptr', 'must name the result of a job: redis://res:<job id>');
  const text = await readResult(key.slice('res:'.length), tenant);
  if (text === undefined) throw new CortexError('not_found', 'scan_ptr: there is no such job', { field: 'scan_ptr' });
  if (text === null) {
    throw new CortexError('failed_precondition', 'scan_ptr: the job has no result', { field: 'scan_ptr' });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new CortexError('invalid_argument', 'scan_ptr: the result is not JSON', { cause: error, field: 'scan_ptr' });
  }
  return unwrap(parsePayload(repoScanResult, value, 'scan_ptr'));
}
