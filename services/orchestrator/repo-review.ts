// job.workflow.repo.code_review: a scan and the report on it, one after the other.
import { repoReportResult, repoReviewContext, repoScanResult } from '#core/protocol/repo-payloads.ts';
import { defineWorkflow } from '#core/workflow/definition.ts';
import { z } from 'zod';

/** The report, and where things are. The original let the parent point at the report's own key; here both have it. */
export const repoReviewResult = repoReportResult.extend({
  scan_ptr: z.string(),
  archive_ptr: z.string(),
  report_ptr: z.string(),
});

export const repoReview = defineWorkflow({
  name: 'repo_code_review',
  topic: 'job.workflow.repo.code_review',
  input: repoReviewContext,
  output: repoReviewResult,
  async run(input, { step, progress }) {
    const { repo_url, branch, local_path, archive_ptr: uploaded, include_globs, exclude_globs } = input;
    // Only where there is one: a run that began before there were archives finds its steps again.
    const archive = uploaded === '' ? {} : { archive_ptr: uploaded };
    progress(5, 'scan');
    const scan = await step('scan', {
      topic: 'job.repo.scan',
      input: { repo_url, branch, local_path, ...archive, include_globs, exclude_globs },
      output: repoScanResult.pick({ repo_root: true, archive_ptr: true }),
    });
    progress(80, 'report');
    const { repo_root, archive_ptr } = scan.value;
    const report = await step('report', {
      topic: 'job.repo.report',
      input: { repo_root, files: [], tests_ptr: '', sast_ptr: '', scan_ptr: scan.pointer },
      output: repoReportResult,
    });
    return { ...report.value, scan_ptr: scan.pointer, archive_ptr, report_ptr: report.pointer };
  },
});
