// What stands behind the pointers of the simple workers: schemas of their contexts and results, and the one function that
// turns a payload into a typed value or into an error that names the field. Repositories have their own file, repo-payloads.ts.
import { z } from 'zod';
import { invalid } from '#core/errors.ts';
import type { Result } from '#core/result.ts';
import { err, ok } from '#core/result.ts';

/** Characters of text in one field; a payload's bytes are bounded where it is stored. */
export const maxPromptLength = 100_000;

/**
 * The value as the schema reads it, defaults filled in. The error names the first field that is wrong, as a path below
 * `at` (`files.3.path`), and leaves out what stood there.
 */
export function parsePayload<S extends z.ZodType>(schema: S, value: unknown, at = 'payload'): Result<z.output<S>> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return ok(parsed.data);
  const issue = parsed.error.issues[0];
  const field = issue === undefined || issue.path.length === 0 ? at : issue.path.map(String).join('.');
  return err(invalid(field, issue?.message ?? 'is not valid'));
}

/** A payload whose fields stand in its `context`, as the gateway writes it, with these beside its own. Anything else as it is. */
export function spreadContext(payload: unknown): unknown {
  if (!isRecord(payload) || !isRecord(payload['context'])) return payload;
  return { ...payload['context'], ...payload };
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Seconds precision, UTC, as the original writes times. */
const time = z.string();

/** echo takes any JSON. */
export const echoContext = z.unknown();

export const echoResult = z.object({
  job_id: z.string(),
  received_ctx: z.unknown(),
  processed_by: z.string(),
  completed_at_utc: time,
});

/** A job with no context has an empty prompt, and still succeeds. */
export const chatContext = z
  .object({
    prompt: z
      .string()
      .max(maxPromptLength)
      .nullish()
      .transform((text) => text ?? ''),
  })
  .nullish()
  .transform((context) => context ?? { prompt: '' });

/** What an answer took. Without a price in config/models.yaml there is no cost. */
export const modelUsage = z.object({
  input_tokens: z.int().min(0),
  output_tokens: z.int().min(0),
  /** US dollars. */
  cost: z.number().min(0).optional(),
});
export type ModelUsage = z.output<typeof modelUsage>;

/** The window that an answer came from: `cortex context explain JOB` shows all of it. */
export const windowSummary = z.object({
  memory_id: z.string(),
  mode: z.enum(['raw', 'chat', 'rag']),
  messages: z.int(),
  input_tokens: z.int(),
  limit: z.int(),
  /** The model's encoding is not known. */
  estimated: z.boolean(),
  /** As its provider calls the model by which tokens were counted. */
  counted_for: z.string(),
  /** The memory as it was: entries before this one, of this epoch (another one began when it was forgotten). */
  before: z.int(),
  epoch: z.string(),
  /** Messages that the job itself brought. */
  history: z.int(),
  repository: z.string().optional(),
  commit: z.string().optional(),
  sources: z.array(
    z.object({
      source: z.string(),
      lines: z.object({ first: z.int(), last: z.int() }).optional(),
      score: z.number(),
      reason: z.string(),
      tokens: z.int(),
    }),
  ),
});
export type WindowSummary = z.output<typeof windowSummary>;

export const chatResult = z.object({
  job_id: z.string(),
  prompt: z.string(),
  response: z.string(),
  processed_by: z.string(),
  completed_at: time,
  /** Which model answered; `echo` when none is configured. */
  model: z.string().optional(),
  /** `length`: the model reached its bound, and the response is not whole. */
  finish: z.enum(['stop', 'length', 'tool_calls', 'filtered', 'other']).optional(),
  usage: modelUsage.optional(),
  /** Where a memory was spoken with. */
  context: windowSummary.optional(),
});
