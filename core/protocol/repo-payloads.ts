// Payloads of the repository pipeline: what a review is asked, what a scan finds, what a report says. Field names are the
// original's; what we add is optional, so that its workers and clients read ours and we read theirs.
// Go writes an empty list as null: every list here reads null as empty.
import { z } from 'zod';
import { defaultExcludeGlobs, defaultIncludeGlobs } from '#core/protocol/repo-globs.ts';

export { defaultExcludeGlobs, defaultIncludeGlobs };

export const defaultTestCommand = 'go test ./...';

const text = z
  .string()
  .max(4096)
  .nullish()
  .transform((value) => value ?? '');
const path = z.string().max(4096);
const pointer = z
  .string()
  .max(4096)
  .nullish()
  .transform((value) => value ?? '');
const count = z.number().int().min(0);
/** 0 leaves the choice to the worker. */
const choice = count
  .max(1_000_000)
  .nullish()
  .transform((value) => value ?? 0);
const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false);

function list<T extends z.ZodType>(item: T) {
  return z
    .array(item)
    .nullish()
    .transform((items) => items ?? []);
}

/** An empty list of patterns means the default ones, as in the original. */
function globs(defaults: readonly string[]) {
  return z
    .array(z.string().min(1).max(512))
    .max(500)
    .nullish()
    .transform((items): readonly string[] =>
      items === null || items === undefined || items.length === 0 ? defaults : items,
    );
}

interface Sources {
  readonly repo_url: string;
  readonly local_path: string;
  readonly archive_ptr: string;
}

const oneSource = {
  check: ({ repo_url, local_path, archive_ptr }: Sources) => repo_url !== '' || local_path !== '' || archive_ptr !== '',
  error: { path: ['repo_url'], message: 'repo_url or local_path required' },
};

/** An archive is all that there is to read: beside another source nobody could say which one was meant. */
export const archiveAlone = {
  check: ({ repo_url, local_path, archive_ptr }: Sources) =>
    archive_ptr === '' || (repo_url === '' && local_path === ''),
  error: { path: ['archive_ptr'], message: 'cannot go together with repo_url or local_path' },
};

/** The fields of a review, for a door that adds its own (priority, memory_id); it must ask for one of the two sources itself. */
export const repoReviewFields = z.object({
  repo_url: text,
  local_path: text,
  /** Ours: an uploaded archive of the repository, `redis://archive:<tenant>:<sha256>`. */
  archive_ptr: pointer,
  branch: text,
  include_globs: globs(defaultIncludeGlobs),
  exclude_globs: globs(defaultExcludeGlobs),
  max_files: choice,
  batch_size: choice,
  max_batches: choice,
  run_tests: flag,
  test_command: text.transform((command) => (command === '' ? defaultTestCommand : command)),
});

/** The context of `job.workflow.repo.code_review`. */
export const repoReviewContext = repoReviewFields
  .extend({ created_at: z.string().optional(), tenant_id: z.string().optional() })
  .refine(oneSource.check, oneSource.error)
  .refine(archiveAlone.check, archiveAlone.error);

/** The context of `job.repo.scan`: an archive, or local_path, which wins over repo_url. Other keys are let through unread. */
export const repoScanContext = z
  .object({
    repo_url: text,
    branch: text,
    local_path: text,
    archive_ptr: pointer,
    include_globs: globs(defaultIncludeGlobs),
    exclude_globs: globs(defaultExcludeGlobs),
  })
  .refine(oneSource.check, oneSource.error)
  .refine(archiveAlone.check, archiveAlone.error);
export type RepoScanContext = z.infer<typeof repoScanContext>;

export const repoFile = z.object({
  path,
  language: z.string(),
  bytes: count,
  loc: count,
  recent_commits: count.nullish().transform((value) => value ?? 0),
});
export type RepoFile = z.infer<typeof repoFile>;

/** What a scan left out and why: `reason` is a short name such as `symlink`, `too_large`, `excluded`. */
export const skippedFile = z.object({ path, reason: z.string() });
export type SkippedFile = z.infer<typeof skippedFile>;

export const repoScanResult = z.object({
  repo_root: z.string(),
  files: list(repoFile),
  archive_ptr: pointer,
  /** Ours. Where many files share a reason, the first ones stand here and `skipped_counts` has them all. */
  skipped: list(skippedFile),
  /** Ours: files left out, by reason. */
  skipped_counts: z
    .record(z.string(), count)
    .nullish()
    .transform((counts) => counts ?? {}),
  /** Ours: the index that the context engine made of it, or why there is none. */
  index: z
    .union([
      z.object({ repository: z.string(), commit: z.string(), files: count, chunks: count }),
      z.object({ repository: z.string(), error: z.string() }),
    ])
    .optional(),
});
export type RepoScanResult = z.infer<typeof repoScanResult>;

export const reportFile = z.object({
  file_path: path,
  patch_ptr: pointer,
  analysis: z.unknown(),
  explanation_ptr: pointer,
});

/** The context of `job.repo.report`. */
export const repoReportContext = z.object({
  repo_root: text,
  files: list(reportFile),
  tests_ptr: pointer,
  sast_ptr: pointer,
  /** Ours: the scan that the report describes. */
  scan_ptr: pointer,
});
export type RepoReportContext = z.infer<typeof repoReportContext>;

export const reportItem = z.object({
  file_path: path,
  description: z.string(),
  severity: z.string(),
  patch_ptr: pointer,
});

export const scanSummary = z.object({
  files: count,
  bytes: count,
  lines: count,
  /** Most lines first. */
  languages: list(z.object({ language: z.string(), files: count, lines: count, bytes: count })),
  /** Largest first, by bytes. */
  largest: list(z.object({ path, language: z.string(), bytes: count, loc: count })),
  skipped: list(skippedFile),
  skipped_counts: z
    .record(z.string(), count)
    .nullish()
    .transform((counts) => counts ?? {}),
});
export type ScanSummary = z.infer<typeof scanSummary>;

export const repoReportResult = z.object({
  summary: z.string(),
  action_required: z.boolean(),
  decision: z.string(),
  sections: list(z.object({ title: z.string(), items: list(reportItem) })),
  tests_summary: z.object({ ran: z.boolean(), failed: z.boolean(), details: z.string().optional() }).optional(),
  sast_summary: z.object({ total: count, high: count, medium: count, low: count }).optional(),
  /** Ours: present when the context had a scan_ptr. */
  scan_summary: scanSummary.optional(),
});
export type RepoReportResult = z.infer<typeof repoReportResult>;
