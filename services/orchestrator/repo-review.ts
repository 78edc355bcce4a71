// job.workflow.repo.code_review: a scan and the report on it, one after the other.
import {
  repoReportContext,
  repoReportResult,
  repoReviewContext,
  repoScanContext,
  repoScanResult,
} from '#core/protocol/repo-payloads.ts';
import { defineTask, defineWorkflow } from '#core/workflow/definition.ts';
import { z } from 'zod';

/** The report, and where things are. The original let the parent point at the report's own key; here both have it. */
export const repoReviewResult = repoReportResult.extend({
  scan_ptr: z.string(),
  archive_ptr: z.string(),
  report_ptr: z.string(),
});

const scan = defineTask({
  topic: 'job.repo.scan',
  input: repoScanContext,
  output: repoScanResult.pick({ repo_root: true, archive_ptr: true }),
});
const report = defineTask({ topic: 'job.repo.report', input: repoReportContext, output: repoReportResult });

export const repoReview = defineWorkflow({
  name: 'repo_code_review',
  topic: 'job.workflow.repo.code_review',
  input: repoReviewContext,
  output: repoReviewResult,
  *run(input, w) {
    const { repo_url, branch, local_path, archive_ptr: uploaded, include_globs, exclude_globs } = input;
    w.progress(5, 'scan');
    const archive = uploaded === '' ? {} : { archive_ptr: uploaded };
    const scanned = yield* w.run('scan', scan, {
      repo_url,
      branch,
      local_path,
      ...archive,
      include_globs,
      exclude_globs,
    });
    w.progress(80, 'report');
    const { repo_root, archive_ptr } = scanned.value;
    const facts = { repo_root, files: [], tests_ptr: '', sast_ptr: '', scan_ptr: scanned.pointer };
    const reported = yield* w.run('report', report, facts);
    return { ...reported.value, scan_ptr: scanned.pointer, archive_ptr, report_ptr: reported.pointer };
  },
});
