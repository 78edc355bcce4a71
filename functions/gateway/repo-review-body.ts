// The body of POST /api/v1/repo-review, and the JobRequest and payload that come of it.
import { z } from 'zod';
import { repoReviewFields } from '#core/protocol/repo-payloads.ts';
import { priorityFromName } from '#core/protocol/status.ts';
import { line, nullIsAbsent } from '../http/fields.ts';
import type { JobFields } from './submit-job.ts';

export const repoReviewTopic = 'job.workflow.repo.code_review';

const source = (field: string) =>
  line(4096)
    .transform((text) => text.trim())
    .refine((text) => !text.startsWith('-'), `${field} must not begin with "-": git would read an option`);

/** git takes more, and some of it runs programs (`ext::sh -c ...`) or reads this machine (`file://`). */
const schemes = ['https:', 'http:', 'ssh:', 'git:'];
/** What git calls scp-like: ssh to `user@host:path`. */
const scpLike = /^\w[\w.-]*@\w[\w.-]*:(?![:-])\S+$/;

function isRepository(text: string): boolean {
  if (scpLike.test(text)) return true;
  if (!URL.canParse(text) || /\s/.test(text)) return false;
  const { protocol, hostname } = new URL(text);
  // A host that begins with "-" would be an option of ssh.
  return schemes.includes(protocol) && hostname !== '' && !hostname.startsWith('-');
}

export const repoReviewBody = nullIsAbsent(
  repoReviewFields
    .extend({
      repo_url: source('a repository').refine(
        (text) => text === '' || text.startsWith('-') || isRepository(text),
        'must be an address that begins with https://, http://, ssh:// or git://, or user@host:path',
      ),
      branch: source('a branch'),
      priority: line(64),
      memory_id: line(512),
    })
    .refine((body) => body.repo_url !== '' || body.local_path !== '', {
      path: ['repo_url'],
      message: 'repo_url or local_path required',
    }),
);

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

/** The memory's name goes into keys and packets, where a password or a token has no place. */
function withoutPassword(address: string): string {
  if (scpLike.test(address)) return address;
  const url = new URL(address);
  Object.assign(url, { username: '', password: '', search: '', hash: '' });
  return url.href;
}
