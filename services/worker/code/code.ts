// job.code.llm: a file and an instruction to the model, a patch back that applies to that file. What the model answers is taken for a
// proposal: the patch in the result is git's own, between the file as it was and as the proposal makes it. An answer of no use is shown
// to the model once, with the reason; then the job fails with it.
import { CortexError } from '#core/errors.ts';
import { oneLine } from '#core/model/fault.ts';
import type { Answer } from '#core/model/model.ts';
import type { Models } from '#core/model/serve.ts';
import { type CodeContext, codeContext, type CodeResult, codeResult } from '#core/protocol/code-payloads.ts';
import { asking } from '../asking.ts';
import { defineWorker, type JobContext, type WorkerDefinition } from '../define.ts';
import { maxTokensOf } from '../max-tokens.ts';
import { noModel } from '../no-model.ts';
import { structured } from '../structured.ts';
import { type Proposal, proposalOf } from './answer.ts';
import { gitDiff } from './git-diff.ts';
import { fileAfter } from './patch.ts';
import { firstMessages, inWords, patchTool, repairMessages } from './prompt.ts';
import { checkRules, honoured, sizeProblem } from './rules.ts';

/** undefined: no model is configured, and every job fails with what to set. `git`: where git is looked for, in place of the usual places. */
export function codeLlm(models: Models | undefined, git?: string): WorkerDefinition {
  return defineWorker({
    topic: 'job.code.llm',
    pool: 'code-llm',
    // What the model cannot take yet waits in Redis, where another worker may take it.
    parallel: models?.concurrency ?? 2,
    capabilities: ['code-llm'],
    honours: honoured,
    input: codeContext,
    output: codeResult,
    handle(input, context) {
      if (models === undefined) throw noModel();
      return patchFor(input, models, context, git);
    },
  });
}

async function patchFor(
  input: CodeContext,
  models: Models,
  context: JobContext,
  git: string | undefined,
): Promise<CodeResult> {
  const { file_path, code_snippet, instruction } = input;
  const { constraints, job, progress } = context;
  checkRules(constraints, file_path);
  const bound = maxTokensOf(job);
  const asked = asking(models, context);
  const form = structured(asked);
  const messages = firstMessages(input, constraints?.diff?.maxLines ?? 0);

  progress(5, 'asking the model for a patch');
  let answer = await form.ask({ messages, tool: patchTool, inWords, ...bound });
  progress(60, 'trying the patch');
  let tried = await tryAnswer(answer, input, context, git);
  const repaired = 'problem' in tried;
  if ('problem' in tried) {
    progress(70, 'the patch cannot be used; asking the model to mend it');
    const again = [...messages, ...repairMessages(answer, tried.problem)];
    answer = await form.ask({ messages: again, tool: patchTool, inWords, ...bound });
    progress(90, 'trying the mended patch');
    tried = await tryAnswer(answer, input, context, git);
  }
  if ('problem' in tried) throw tried.error ?? useless(answer, tried.problem);
  const { summary, analysis } = tried.proposal;
  return {
    ...{ file_path, original_code: code_snippet, instruction },
    patch: { type: 'unified_diff', content: tried.patch },
    ...{ model: answer.model, finish: answer.finish, ...asked.used(), repaired },
    ...(summary !== undefined && { summary }),
    ...(analysis !== undefined && { analysis: [...analysis] }),
  };
}

type Tried =
  | { readonly patch: string; readonly proposal: Proposal }
  /** `error`: what is thrown in place of our words. */
  | { readonly problem: string; readonly error?: CortexError };

/** Throws what has nothing to do with the answer. */
async function tryAnswer(
  answer: Answer,
  { file_path: path, code_snippet: original }: CodeContext,
  { signal, log, constraints }: JobContext,
  git: string | undefined,
): Promise<Tried> {
  const proposal = proposalOf(answer, original);
  if (!proposal.ok) return { problem: proposal.error };
  const result = fileAfter(proposal.value, { path, original });
  if (!result.ok) return { problem: result.error };
  const patch = await gitDiff(
    { path, original, result: result.value },
    { signal, log, ...(git !== undefined && { git }) },
  );
  const tooLarge = sizeProblem(constraints, patch);
  if (tooLarge !== undefined) return { problem: tooLarge.message, error: tooLarge };
  return { patch, proposal: proposal.value };
}

/** The same code as for an answer that is not the provider's protocol: another attempt of the job asks the same and is not worth it. */
function useless({ model }: Answer, problem: string): CortexError {
  return new CortexError('internal', oneLine(`model ${model} gave no patch that can be used, twice: ${problem}`));
}
