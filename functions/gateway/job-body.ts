// The body of POST /api/v1/jobs: its fields and limits, and the JobRequest and payload that come of it. Names that are not listed
// are let through unread, as the original did; null counts as absent everywhere.
import { z } from 'zod';
import { firstInstantMs } from '#core/protocol/budget.ts';
import { maxPromptLength } from '#core/protocol/payloads.ts';
import { priorityFromName } from '#core/protocol/status.ts';
import { isSubjectToken, isTopic } from '#core/protocol/subjects.ts';
import { isPrincipal } from '#core/http/api-keys.ts';
import { amount, fields, flag, labels, line, prose, words } from '../http/fields.ts';
import { jobMetadata, metaBody } from './meta-body.ts';
import type { JobFields } from './submit-job.ts';

export const defaultTopic = 'job.chat.simple';
const maxInt32 = 2 ** 31 - 1;

/** A topic; empty or absent means `fallback`. */
export function topicField(fallback: string) {
  return z
    .string()
    .overwrite((value) => (value === '' ? fallback : value))
    .refine(isTopic, 'must begin with "job." and go on in words between dots, without blanks and wildcards')
    .prefault(fallback);
}

export const principalField = line(128).refine(
  (value) => value === '' || isPrincipal(value),
  'must be letters, digits, ".", "_", "@", "+" and "-"',
);

export const jobBody = fields({
  prompt: prose(maxPromptLength),
  topic: topicField(defaultTopic),
  adapter_id: line(256),
  /** Anything but batch and critical is interactive. */
  priority: line(64),
  context: z.unknown().optional(),
  memory_id: line(512),
  context_mode: line(64),
  tenant_id: line(128).refine((value) => value === '' || isSubjectToken(value), 'is not the name of a tenant'),
  principal_id: principalField,
  labels: labels(50),
  max_input_tokens: amount(maxInt32, 8000),
  allow_summarization: flag(),
  allow_retrieval: flag(),
  tags: words(50, 256),
  max_output_tokens: amount(maxInt32, 1024),
  max_total_tokens: amount(Number.MAX_SAFE_INTEGER, 0),
  deadline_ms: amount(Number.MAX_SAFE_INTEGER, 0).refine(
    (ms) => ms < firstInstantMs,
    'is a duration in ms, not a time',
  ),
  /** Whether what the job says to models is recorded. */
  record: flag(),
  meta: metaBody,
});

export type JobBody = z.output<typeof jobBody>;

/** The request and payload of a body. `memoryId` is already decided. */
export function jobFromBody(body: JobBody, tenant: string, memoryId: string, createdAt: string) {
  const request: JobFields = {
    topic: body.topic,
    priority: priorityFromName(body.priority),
    adapterId: body.adapter_id,
    env: {
      tenant_id: tenant,
      memory_id: memoryId,
      ...(body.context_mode === '' ? {} : { context_mode: body.context_mode }),
      max_input_tokens: String(body.max_input_tokens),
      max_output_tokens: String(body.max_output_tokens),
      ...(body.record ? { record: 'true' } : {}),
    },
    memoryId,
    labels: { ...body.labels },
    contextHints: {
      maxInputTokens: body.max_input_tokens,
      allowSummarization: body.allow_summarization,
      allowRetrieval: body.allow_retrieval,
      tags: [...body.tags],
    },
    budget: {
      maxInputTokens: BigInt(body.max_input_tokens),
      maxOutputTokens: BigInt(body.max_output_tokens),
      maxTotalTokens: BigInt(body.max_total_tokens),
      deadlineMs: BigInt(body.deadline_ms),
    },
  };
  const meta = jobMetadata(body.meta, tenant);
  const payload = {
    prompt: body.prompt,
    adapter_id: body.adapter_id,
    priority: body.priority,
    topic: body.topic,
    created_at: createdAt,
    tenant_id: tenant,
    ...(body.context === undefined ? {} : { context: body.context }),
  };
  return { request: meta === undefined ? request : { ...request, meta }, payload };
}
