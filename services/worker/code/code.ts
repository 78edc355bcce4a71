// job.code.llm: a file and an instruction to the model, a patch back that applies to that file. What the model answers is taken for a
// proposal: the patch in the result is git's own, between the file as it was and as the proposal makes it. An answer of no use is shown
// to the model once, with the reason; then the job fails with it.
import { createHash } from 'node:crypto';
import { CortexError } from '#core/errors.ts';
import type { Engine } from '#core/context/engine.ts';
import { oneLine } from '#core/model/fault.ts';
import type { Answer, ModelMessage } from '#core/model/model.ts';
import type { Models } from '#core/model/serve.ts';
import { type CodeContext, codeContext, type CodeResult, codeResult } from '#core/protocol/code-payloads.ts';
import { asking } from '../asking.ts';
import { defineWorker, type JobContext, type WorkerDefinition } from '../define.ts';
import { maxTokensOf } from '../max-tokens.ts';
import { memoryOf } from '../memory.ts';
import { noModel } from '../no-model.ts';
import { structured } from '../structured.ts';
import { useTool } from '../tool.ts';
import { type Proposal, proposalOf } from './answer.ts';
import { aroundOf } from './around.ts';
import { gitDiff } from './git-diff.ts';
import { fileAfter } from './patch.ts';
import { firstMessages, inWords, patchTool, repairMessages } from './prompt.ts';
import { checkRules, honoured, sizeProblem } from './rules.ts';

/** undefined: no model is configured, and every job fails with what to set. `git`: where git is looked for, in place of the usual places. */
export function codeLlm(models: Models | undefined, engine: Engine, git?: string): WorkerDefinition {
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
      return patchFor(input, { models, engine, git }, context);
    },
  });
}

interface PatchNeeds {
  readonly models: Models;
  readonly engine: Engine;
  readonly git: string | undefined;
}

async function patchFor(
  input: CodeContext,
  { models, engine, git }: PatchNeeds,
  context: JobContext,
): Promise<CodeResult> {
  const { file_path, code_snippet, instruction } = input;
  const { constraints, job, progress } = context;
  checkRules(constraints, file_path);
  const bound = maxTokensOf(job);
  const asked = asking(models, context);
  const form = structured(asked);
  const memory = memoryOf(job, 'rag');
  const [rules, task] = firstMessages(input, constraints?.diff?.maxLines ?? 0);
  const around =
    memory === undefined ? undefined : await aroundOf(engine, memory, { rules, task, input, models }, context);
  const messages = [rules, ...(around?.messages ?? []), task];

  const ask = (more: readonly ModelMessage[]): Promise<Answer> =>
    form.ask({ messages: [...messages, ...more], tool: patchTool, inWords, ...bound });
  const judge = (answer: Answer, percent: number): Promise<Tried> => {
    progress(percent, 'trying the patch');
    return tryAnswer(answer, input, context, git);
  };

  progress(5, 'asking the model for a patch');
  const said = await ask([]).catch(unreadable);
  const first = 'problem' in said ? said : await judge(said, 60);
  let last: Tried = first;
  if ('problem' in first) {
    progress(70, 'the patch cannot be used; asking the model to mend it');
    last = await judge(await ask(repairMessages(first.answer, first.problem)), 90);
  }
  if ('problem' in last) throw last.error ?? useless(last.answer, last.problem);
  const { answer, patch, proposal } = last;
  if (memory !== undefined) {
    context.remember?.(memory.memory, [
      { role: 'user', content: `${file_path}: ${instruction}` },
      { role: 'assistant', content: patch },
    ]);
  }
  const { summary, analysis } = proposal;
  return {
    ...{ file_path, original_code: code_snippet, instruction },
    patch: { type: 'unified_diff', content: patch },
    ...{ model: answer.model, finish: answer.finish, ...asked.used(), repaired: last !== first },
    ...(summary !== undefined && { summary }),
    ...(analysis !== undefined && { analysis: [...analysis] }),
    ...(around !== undefined && { context: around.told }),
  };
}

type Tried = { readonly answer: Answer; readonly patch: string; readonly proposal: Proposal } | Useless;

interface Useless {
  readonly answer: Answer | undefined;
  /** In words for the model. */
  readonly problem: string;
  /** Thrown in place of our words. */
  readonly error?: CortexError;
}

/** An answer that is not the provider's protocol (a call whose input is no JSON) or says nothing is of no use, too. Throws all else. */
function unreadable(error: unknown): Useless {
  if (!(error instanceof CortexError && error.code === 'internal')) throw error;
  return { answer: undefined, problem: error.message };
}

/** Throws what has nothing to do with the answer. */
async function tryAnswer(
  answer: Answer,
  { file_path: path, code_snippet: original }: CodeContext,
  context: JobContext,
  git: string | undefined,
): Promise<Tried> {
  const proposal = proposalOf(answer, { path, original });
  if (!proposal.ok) return { answer, problem: proposal.error };
  const result = fileAfter(proposal.value, { path, original });
  if (!result.ok) return { answer, problem: result.error };
  const { signal, log, constraints } = context;
  const versions = { path, original, result: result.value };
  // The original is in the payload already, and may be long.
  const input = { ...versions, original: createHash('sha256').update(original).digest('hex') };
  const patch = await useTool(context, { tool: 'git diff', input }, () =>
    gitDiff(versions, { signal, log, ...(git !== undefined && { git }) }),
  );
  const tooLarge = sizeProblem(constraints, patch);
  if (tooLarge !== undefined) return { answer, problem: tooLarge.message, error: tooLarge };
  return { answer, patch, proposal: proposal.value };
}

/** The same code as for an answer that is not the provider's protocol: another attempt of the job asks the same and is not worth it. */
function useless(answer: Answer | undefined, problem: string): CortexError {
  const who = answer === undefined ? 'the model' : `model ${answer.model}`;
  return new CortexError('internal', oneLine(`${who} gave no patch that can be used, twice: ${problem}`));
}
