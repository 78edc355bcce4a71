// Payloads of job.workflow.plan: the files of a repository in the order in which to look at them; or, without files, the steps for one
// file. Field names are the original's; what we add comes beside them.
import { z } from 'zod';
import { modelUsage, spreadContext } from '#core/protocol/payloads.ts';

const count = z.number().int().min(0);
/** 0 leaves the choice to the worker. */
const choice = count
  .max(1_000_000)
  .nullish()
  .transform((value) => value ?? 0);
const path = z.string().min(1).max(4096);

export const planFile = z.object({
  path,
  language: z
    .string()
    .max(64)
    .nullish()
    .transform((value) => value ?? 'unknown'),
  bytes: count.nullish().transform((value) => value ?? 0),
  loc: count.nullish().transform((value) => value ?? 0),
});

const planFields = z.object({
  /** Empty: the job's own workflow_id, else `code_review_demo`. */
  workflow: z
    .string()
    .max(256)
    .nullish()
    .transform((value) => value ?? ''),
  /** Go writes an empty list as null. */
  files: z
    .array(planFile)
    .max(100_000)
    .nullish()
    .transform((files) => files ?? []),
  max_files: choice,
  /** Ours, as is the next: together they bound the files, too. */
  batch_size: choice,
  max_batches: choice,
});

/**
 * The context of `job.workflow.plan`. Other keys are let through unread, and no context at all asks for steps. What comes through
 * POST /api/v1/jobs has the fields in its `context`; a field beside that one wins.
 */
export const planContext = z.preprocess((payload) => spreadContext(payload) ?? {}, planFields);
export type PlanContext = z.output<typeof planFields>;

const stepId = z.string().min(1).max(128);

export const planStep = z.object({
  id: stepId,
  topic: z.string().min(1).max(256),
  adapter_id: z.string().max(256).optional(),
  depends_on: z.array(stepId).max(100).optional(),
});
export type PlanStep = z.output<typeof planStep>;

export const planSteps = z.array(planStep).max(200);

export const planResult = z.object({
  workflow: z.string(),
  /** Either these, most important first, */
  files: z.array(path).optional(),
  /** or these. */
  steps: planSteps.optional(),
  /** Who planned. */
  planned_by: z.enum(['model', 'rules']),
  /** Why rules did, where a model was asked. */
  note: z.string().max(500).optional(),
  model: z.string().optional(),
  usage: modelUsage.optional(),
  /** The model's words for files that it put first. */
  reasons: z.array(z.object({ path, reason: z.string().max(300) })).optional(),
});
export type PlanResult = z.output<typeof planResult>;
