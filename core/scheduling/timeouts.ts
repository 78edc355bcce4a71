// How long things may take, as config/timeouts.yaml says. A top section that is missing is filled with the original's values as a whole.
import { z } from 'zod';
import { problemLines } from '#core/field-problem.ts';
import { isTopic } from '#core/protocol/subjects.ts';
import { err, ok, type Result } from '#core/result.ts';
import { workflowName, workflowPrefix } from '#core/workflow/run.ts';

export interface WorkflowLimits {
  readonly childTimeoutMs: number;
  readonly totalTimeoutMs: number;
  readonly maxRetries: number;
}

export interface TopicLimits {
  /** The longest run of one attempt. */
  readonly timeoutMs: number;
  /** Tries after a failure. */
  readonly maxRetries: number;
}

export interface Timeouts {
  readonly workflows: ReadonlyMap<string, WorkflowLimits>;
  readonly topics: ReadonlyMap<string, TopicLimits>;
  /** How long a job may be handed out again and again without being taken up, from the first hand-out. */
  readonly dispatchTimeoutMs: number;
  /** The longest run of one attempt of a topic without its own. */
  readonly runningTimeoutMs: number;
  /** Between two looks at what no event tells. */
  readonly scanIntervalMs: number;
}

/** What holds for a workflow without a section: the original's numbers for the review. */
export const otherWorkflowLimits: WorkflowLimits = {
  childTimeoutMs: 240_000,
  totalTimeoutMs: 1_800_000,
  maxRetries: 1,
};

const seconds = z
  .number()
  .positive()
  .max(7 * 24 * 3600)
  .transform((s) => Math.round(s * 1000));
const retries = z.int().min(0).max(100).default(0);
const workflow = z.strictObject({
  child_timeout_seconds: seconds,
  total_timeout_seconds: seconds,
  max_retries: retries,
});
const topic = z.strictObject({ timeout_seconds: seconds.optional(), max_retries: retries });
const document = z.strictObject({
  workflows: z.record(z.string(), workflow).default({
    code_review_demo: { child_timeout_seconds: 180_000, total_timeout_seconds: 600_000, max_retries: 1 },
    repo_code_review: { child_timeout_seconds: 240_000, total_timeout_seconds: 1_800_000, max_retries: 1 },
  }),
  topics: z.record(z.string().refine(isTopic, 'must be the full name of a topic: job.<name>'), topic).default({
    'job.code.llm': { timeout_seconds: 120_000, max_retries: 0 },
    'job.chat.simple': { timeout_seconds: 60_000, max_retries: 0 },
    'job.workflow.plan': { timeout_seconds: 120_000, max_retries: 0 },
  }),
  reconciler: z
    .strictObject({
      dispatch_timeout_seconds: seconds.default(120_000),
      running_timeout_seconds: seconds.default(300_000),
      scan_interval_seconds: seconds.default(30_000),
    })
    .default({
      dispatch_timeout_seconds: 120_000,
      running_timeout_seconds: 300_000,
      scan_interval_seconds: 30_000,
    }),
});

/** Reads the object that the YAML holds; an empty file means the built-in values. The problems are all there are. */
export function parseTimeouts(value: unknown): Result<Timeouts, readonly string[]> {
  const parsed = document.safeParse(value ?? {});
  if (!parsed.success) return err(problemLines(parsed.error));
  const { workflows, topics, reconciler } = parsed.data;
  const running = reconciler.running_timeout_seconds;
  return ok({
    workflows: new Map(
      Object.entries(workflows).map(([key, w]) => [
        key,
        { childTimeoutMs: w.child_timeout_seconds, totalTimeoutMs: w.total_timeout_seconds, maxRetries: w.max_retries },
      ]),
    ),
    topics: new Map(
      Object.entries(topics).map(([key, t]) => [
        key,
        { timeoutMs: t.timeout_seconds ?? running, maxRetries: t.max_retries },
      ]),
    ),
    dispatchTimeoutMs: reconciler.dispatch_timeout_seconds,
    runningTimeoutMs: running,
    scanIntervalMs: reconciler.scan_interval_seconds,
  });
}

/**
 * The limits of one attempt of a topic: its own; for a workflow (`job.workflow.<name>`, section `<name>` with `_` for dots) its total and the
 * time of one step more, in which it may undo what was done; else the running time-out. No retries but a topic's own.
 */
export function limitsOf(timeouts: Timeouts, topicName: string): TopicLimits {
  const own = timeouts.topics.get(topicName);
  if (own !== undefined) return own;
  if (!topicName.startsWith(workflowPrefix)) return { timeoutMs: timeouts.runningTimeoutMs, maxRetries: 0 };
  const { totalTimeoutMs, childTimeoutMs } = timeouts.workflows.get(workflowName(topicName)) ?? otherWorkflowLimits;
  return { timeoutMs: totalTimeoutMs + childTimeoutMs, maxRetries: 0 };
}
