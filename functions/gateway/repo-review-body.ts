// The body of POST /api/v1/repo-review, and the JobRequest and payload that come of it.
import { z } from 'zod';
import { branchProblem, parseRepoAddress } from '#core/protocol/repo-address.ts';
import { archiveAlone, repoReviewFields } from '#core/protocol/repo-payloads.ts';
import { priorityFromName } from '#core/protocol/status.ts';
import { line, nullIsAbsent } from '../http/fields.ts';
import type { JobFields } from './submit-job.ts';

export const repoReviewTopic = 'job.workflow.repo.code_review';

/** Text without blanks around it, unless `problem` says what is wrong with that. */
const checked = (problem: (text: string) => string | undefined) =>
  line(4096)
    .transform((text) => text.trim())
    .superRefine((text, context) => {
      const message = problem(text);
      if (message !== undefined) context.addIssue({ code: 'custom', message });
    });

function addressProblem(text: string): string | undefined {
  const parsed = parseRepoAddress(text);
  return text === '' || parsed.ok ? undefined : parsed.error.message.replace(/^repo_url: /, '');
}

export const repoReviewBody = nullIsAbsent(
  repoReviewFields
    .extend({
      repo_url: checked(addressProblem),
      branch: checked(branchProblem),
      archive_ptr: line(512),
      priority: line(64),
      memory_id: line(512),
    })
    .refine((body) => body.repo_url !== '' || body.local_path !== '' || body.archive_ptr !== '', {
      path: ['repo_url'],
      message: 'repo_url or local_path required',
    })
    .refine(archiveAlone.check, archiveAlone.error),
);

export type RepoReviewBody = z.output<typeof repoReviewBody>;

/** The request and payload of a body. */
export function jobFromReview(body: RepoReviewBody, tenant: string, jobId: string, createdAt: string) {
  const { priority, memory_id, archive_ptr, ...fields } = body;
  const memoryId = memory_id === '' ? memoryOf(body, jobId) : memory_id;
  const request: JobFields = {
    topic: repoReviewTopic,
    priority: priorityFromName(priority),
    env: {
      tenant_id: tenant,
      memory_id: memoryId,
      context_mode: 'rag',
      max_input_tokens: '12000',
      max_output_tokens: '2048',
    },
    memoryId,
  };
  const archive = archive_ptr === '' ? {} : { archive_ptr };
  return { request, payload: { ...fields, ...archive, created_at: createdAt, tenant_id: tenant } };
}

/** `repo:<url>[#<branch>]`, or `repo:<job id>` for an archive or a local path, which wins over a url. An address holds no password. */
function memoryOf({ repo_url, local_path, branch }: RepoReviewBody, jobId: string): string {
  if (local_path !== '' || repo_url === '') return `repo:${jobId}`;
  return `repo:${repo_url}${branch === '' ? '' : `#${branch}`}`.slice(0, 512);
}
