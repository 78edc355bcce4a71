// job.workflow.demo: a patch, then an explanation of that very patch. In planner mode the steps are those of a plan, which a planner makes
// first; both are versions of one workflow, so that a run goes on as it began when the mode changes in between.
import { z } from 'zod';
import { CortexError } from '#core/errors.ts';
import { orderOfSteps, type PlanStep } from '#core/planning/plan.ts';
import { codeContext, type CodeContext, codeResult } from '#core/protocol/code-payloads.ts';
import { chatResult, maxPromptLength } from '#core/protocol/payloads.ts';
import { planResult } from '#core/protocol/plan-payloads.ts';
import {
  defineTask,
  defineWorkflow,
  type Op,
  type WorkflowContext,
  type WorkflowDefinition,
} from '#core/workflow/definition.ts';
import { isStepKey } from '#core/workflow/run.ts';

const patchShape = codeResult.shape.patch;
type Patch = z.output<typeof patchShape>;

export const demoResult = z.object({
  file_path: z.string(),
  original_code: z.string(),
  instruction: z.string(),
  patch: patchShape,
  explanation: z.string(),
  workflow_id: z.string(),
});

/** What the children get: their own fields, and where they stand. */
const place = { patch: patchShape.nullable(), step_index: z.int(), workflow_id: z.string(), prompt: z.string() };
const code = defineTask({
  topic: 'job.code.llm',
  input: z.looseObject({ file_path: z.string(), code_snippet: z.string(), instruction: z.string(), ...place }),
  output: codeResult.pick({ patch: true }),
});
const chat = defineTask({
  topic: 'job.chat.simple',
  input: z.looseObject({ file_path: z.string(), code_snippet: z.string(), instruction: z.string(), ...place }),
  output: chatResult.pick({ response: true }),
});

const common = { name: 'code_review_demo', topic: 'job.workflow.demo', input: codeContext, output: demoResult };

const plain = defineWorkflow({
  ...common,
  version: '1',
  *run(input, w) {
    w.progress(5, 'patch');
    const patch = yield* patchStep('patch', 0, input, w);
    w.progress(60, 'explain');
    const explanation = yield* chatStep('explain', 1, input, patch, w);
    return resultOf(input, patch, explanation, w);
  },
});

const planned = (topic: string): WorkflowDefinition => {
  const planner = defineTask({
    topic,
    input: z.looseObject({ workflow: z.string() }),
    output: planResult.pick({ steps: true }),
  });
  return defineWorkflow({
    ...common,
    version: '1-planned',
    *run(input, w) {
      w.progress(2, 'plan');
      const facts = { ...input, workflow: common.name, workflow_id: w.workflowId, step_index: -1 };
      const plan = yield* w.run('plan', planner, facts, { stepIndex: -1 });
      const steps = inOrder(plan.value.steps ?? []);
      let patch: Patch | undefined;
      let explanation = '';
      const keys = keysOf(steps);
      for (const [i, step] of steps.entries()) {
        const key = keys[i] ?? '';
        w.progress(5 + Math.floor((90 * i) / steps.length), step.id);
        if (step.topic === code.topic) patch = yield* patchStep(key, i, input, w);
        else if (patch === undefined)
          throw planFault(`step ${JSON.stringify(step.id)} explains a patch before there is one`);
        else explanation = yield* chatStep(key, i, input, patch, w);
      }
      if (patch === undefined) throw planFault('no step makes a patch');
      return resultOf(input, patch, explanation, w);
    },
  });
};

/** The demo, as `usePlanner` has it for new runs. Throws RangeError for a topic that cannot be. */
export function demo({
  usePlanner,
  plannerTopic,
}: {
  readonly usePlanner: boolean;
  readonly plannerTopic: string;
}): readonly WorkflowDefinition[] {
  return usePlanner ? [planned(plannerTopic), plain] : [plain, planned(plannerTopic)];
}

function* patchStep(key: string, index: number, input: CodeContext, w: WorkflowContext): Op<Patch> {
  const { file_path, code_snippet, instruction } = input;
  const where = { patch: null, step_index: index, workflow_id: w.workflowId, prompt: instruction };
  return (yield* w.run(key, code, { file_path, code_snippet, instruction, ...where }, { stepIndex: index })).value
    .patch;
}

function* chatStep(key: string, index: number, input: CodeContext, patch: Patch, w: WorkflowContext): Op<string> {
  const { file_path, code_snippet, instruction } = input;
  const where = { patch, step_index: index, workflow_id: w.workflowId, prompt: explainPrompt(input, patch) };
  return (yield* w.run(key, chat, { file_path, code_snippet, instruction, ...where }, { stepIndex: index })).value
    .response;
}

/** The patch whole, and as much of the file as there is room for. */
function explainPrompt({ file_path, instruction, code_snippet }: CodeContext, { type, content }: Patch): string {
  const head = [
    `Explain to a reviewer what this ${type} does to ${file_path} and why, in a few sentences.`,
    `It was asked for with: ${instruction}`,
    `The patch:\n${content.slice(0, maxPromptLength / 2)}`,
  ].join('\n\n');
  const room = maxPromptLength - head.length - 100;
  return code_snippet.length <= room ? `${head}\n\nThe file before it:\n${code_snippet}` : head;
}

function resultOf(
  input: CodeContext,
  patch: Patch,
  explanation: string,
  w: WorkflowContext,
): z.output<typeof demoResult> {
  const { file_path, code_snippet, instruction } = input;
  return { file_path, original_code: code_snippet, instruction, patch, explanation, workflow_id: w.workflowId };
}

/** The steps in an order in which they can be done. Throws what names the step that is wrong. */
function inOrder(steps: readonly PlanStep[]): readonly PlanStep[] {
  if (steps.length === 0) throw planFault('it has no steps');
  const stranger = steps.find(({ topic }) => topic !== code.topic && topic !== chat.topic);
  if (stranger !== undefined) {
    throw planFault(
      `step ${JSON.stringify(stranger.id)} has the topic ${stranger.topic}: ${code.topic} and ${chat.topic} are known`,
    );
  }
  const ordered = orderOfSteps(steps);
  if (ordered.ok) return ordered.value;
  throw planFault(ordered.error.message);
}

/** A key of its own for each step: its id, where that is one. */
function keysOf(steps: readonly PlanStep[]): readonly string[] {
  const taken = new Set(['plan', ...steps.map(({ id }) => id)]);
  return steps.map(({ id }, i) => {
    if (isStepKey(id) && id !== 'plan') return id;
    let key = `step-${i}`;
    while (taken.has(key)) key = `${key}-x`;
    taken.add(key);
    return key;
  });
}

function planFault(problem: string): CortexError {
  return new CortexError('failed_precondition', `the plan cannot be done: ${problem}`);
}
