// What a workflow is to whoever writes one: a job whose steps are jobs, written down as a function from its input to its output.
//
//   export const review = defineWorkflow({ name: 'repo_code_review', topic: 'job.workflow.repo.code_review', input, output,
//     async run(input, { step }) {
//       const scan = await step('scan', { topic: 'job.repo.scan', input, output: repoScanResult });
//       return (await step('report', { topic: 'job.repo.report', input: { scan_ptr: scan.pointer }, output })).value;
//     } });
//
// The function is replayed from its begin whenever somebody else has to go on with a run; steps that have ended are found by their ids
// and not done again. So it must do the same every time: no clock, no chance, nothing from outside but its input and its steps.
import type { z } from 'zod';
import { isTopic } from '#core/protocol/subjects.ts';
import { isStepKey } from './run.ts';

export interface Step<O> {
  readonly topic: string;
  /** The child's payload: anything that JSON can hold. */
  readonly input: unknown;
  /** How its result is read. */
  readonly output: z.ZodType<O>;
  /** The child's own time from its submission to its end, ms. Default: the workflow's. */
  readonly timeoutMs?: number;
  /** Tries after a failure. Default: the workflow's. */
  readonly maxRetries?: number;
}

export interface StepResult<O> {
  readonly value: O;
  /** Where the result is: `redis://res:<job id>`, for steps that read it themselves. */
  readonly pointer: string;
  readonly jobId: string;
}

export interface WorkflowContext {
  /**
   * Runs a child job and answers its result. `key` names the step and is unique within the workflow. Throws CortexError whose message
   * begins with `<key> failed: `; a run that is told to stop throws what its signal says.
   */
  step<O>(key: string, step: Step<O>): Promise<StepResult<O>>;
  /** How far the workflow is: 0 to 100 and a short text. */
  progress(percent: number, message?: string): void;
}

interface WorkflowSpec<S extends z.ZodType, O> {
  /** Its name in config/timeouts.yaml and in metrics. */
  readonly name: string;
  readonly topic: string;
  readonly input: S;
  readonly output: z.ZodType<O>;
  readonly run: (input: z.output<S>, context: WorkflowContext) => Promise<O>;
}

/** A workflow whose types nobody needs to know any more. */
export interface WorkflowDefinition {
  readonly name: string;
  readonly topic: string;
  readonly input: z.ZodType;
  readonly output: z.ZodType;
  readonly run: (input: unknown, context: WorkflowContext) => Promise<unknown>;
}

/** Defines a workflow. Throws RangeError for a name or topic that cannot be. */
export function defineWorkflow<S extends z.ZodType, O>(spec: WorkflowSpec<S, O>): WorkflowDefinition {
  if (!isTopic(spec.topic)) throw new RangeError(`${spec.topic} is not a topic`);
  if (!isStepKey(spec.name.replaceAll('_', '-'))) throw new RangeError(`${spec.name} is not a name for a workflow`);
  // The input has been through the schema by the time the function sees it.
  return { ...spec, run: spec.run as WorkflowDefinition['run'] };
}
