// The body of POST /api/v1/repo-review, and the JobRequest and payload that come of it.
import { z } from 'zod';
import { repoReviewFields } from '#core/protocol/repo-payloads.ts';
import { priorityFromName } from '#core/protocol/status.ts';
import { line } from '../http/fields.ts';
import type { JobFields } from './submit-job.ts';

export const repoReviewTopic = 'job.workflow.repo.code_review';

const source = (field: string) =>
  line(4096).refine((text) => !text.startsWith('-'), `${field} must not begin with "-": git would read an option`);

export const repoReviewBody = repoReviewFields
  .extend({
    repo_url: source('a repository'),
    branch: source('a branch'),
    priority: line(64),
    memory_id: line(512),
  })
  .refine((body) => body.repo_url !== '' || body.local_path !== '', {
    path: ['repo_url'],
    message: 'repo_url or local_path required',
  });

export type RepoReviewBody = z.output<typeof repoReviewBody>;

/** The request and payload of a body. */
export function jobFromReview(body: RepoReviewBody, tenant: string, jobId: string, createdAt: string) {
  const { priority, memory_id, ...fields } = body;
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
  return { request, payload: { ...fields, created_at: createdAt, tenant_id: tenant } };
}

/** `repo:<url>[#<branch>]`, or `repo:<job id>` for a local path, which wins over a url. */
function memoryOf({ repo_url, local_path, branch }: RepoReviewBody, jobId: string): string {
  if (local_path !== '' || repo_url === '') return `repo:${jobId}`;
  const url = withoutPassword(repo_url);
  return `repo:${url}${branch === '' ? '' : `#${branch}`}`.slice(0, 512);
}

/** The memory's name goes into keys and packets, where a password has no place. */
function withoutPassword(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/]*@/i, '$1');
}
