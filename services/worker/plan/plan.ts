// job.workflow.plan: in which order a review looks at files, or which steps one file takes. Rules give an order that is always true; a
// model may give a better one of the same files, never other ones. One that fails or answers rubbish costs nothing but its time: the
// result says that rules planned, and why.
import { CortexError } from '#core/errors.ts';
import { oneLine } from '#core/model/fault.ts';
import { throwIfStopped } from '#core/model/model.ts';
import type { Models } from '#core/model/serve.ts';
import { type PlannedFile, reordered, riskOrder } from '#core/planning/order.ts';
import { defaultSteps } from '#core/planning/plan.ts';
import { type PlanContext, planContext, type PlanResult, planResult } from '#core/protocol/plan-payloads.ts';
import { asking } from '../asking.ts';
import { defineWorker, type JobContext, type WorkerDefinition } from '../define.ts';
import { harmless } from '../harmless.ts';
import { maxTokensOf } from '../max-tokens.ts';
import { structured } from '../structured.ts';
import { inWords, orderIn, orderMessages, orderTool } from './ask.ts';

/** undefined: no model is configured, and rules plan. */
export function planner(models: Models | undefined): WorkerDefinition {
  return defineWorker({
    topic: 'job.workflow.plan',
    pool: 'workflow',
    parallel: models?.concurrency ?? 8,
    capabilities: ['plan'],
    honours: harmless,
    input: planContext,
    output: planResult,
    async handle(input, context): Promise<PlanResult> {
      const workflow = input.workflow || context.job.request.workflowId || 'code_review_demo';
      if (input.files.length === 0) return { workflow, steps: [...defaultSteps], planned_by: 'rules' };
      const files = riskOrder(input.files, limitsOf(input));
      if (models === undefined) return { workflow, files: pathsOf(files), planned_by: 'rules' };
      return { workflow, ...(await askModel(files, models, context)) };
    },
  });
}

const pathsOf = (files: readonly PlannedFile[]): string[] => files.map(({ path }) => path);

const limitsOf = ({ max_files, batch_size, max_batches }: PlanContext) => ({
  ...{ maxFiles: max_files, batchSize: batch_size, maxBatches: max_batches },
});

async function askModel(
  files: readonly PlannedFile[],
  models: Models,
  context: JobContext,
): Promise<Omit<PlanResult, 'workflow'>> {
  const bound = maxTokensOf(context.job);
  const asked = asking(models, context);
  context.progress(10, 'asking the model for an order');
  try {
    const question = { messages: orderMessages(files), tool: orderTool, inWords, ...bound };
    const answer = await structured(asked).ask(question);
    const order = orderIn(answer, files);
    if (!order.ok) throw new CortexError('internal', `model ${answer.model}: ${order.error}`);
    const reasons = order.value.filter(({ reason }) => reason !== '');
    return {
      files: pathsOf(
        reordered(
          files,
          order.value.map(({ path }) => path),
        ),
      ),
      planned_by: 'model',
      ...{ model: answer.model, ...asked.used() },
      ...(reasons.length > 0 && { reasons }),
    };
  } catch (error) {
    throwIfStopped(context.signal);
    if (!(error instanceof CortexError)) throw error;
    context.log.info('rules planned in place of the model', { error });
    const note = oneLine(error.message);
    return { files: pathsOf(files), planned_by: 'rules', note, ...asked.used() };
  }
}
