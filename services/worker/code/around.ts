// What stands around the file in its repository, as far as the job's memory knows one: context for the model, an aid that the patch does
// not stand or fall with.
import type { Engine } from '#core/context/engine.ts';
import { toCortexError } from '#core/errors.ts';
import type { ModelMessage } from '#core/model/model.ts';
import type { Models } from '#core/model/serve.ts';
import type { CodeContext, CodeWindow } from '#core/protocol/code-payloads.ts';
import type { JobContext } from '../define.ts';
import { type JobMemory, maxInputTokensOf } from '../memory.ts';
import { summaryOf, windowOf } from '../windowed.ts';

export interface Around {
  /** What was found, each with where it is from. */
  readonly messages: readonly ModelMessage[];
  /** For the result. */
  readonly told: CodeWindow;
}

interface Given {
  readonly rules: ModelMessage;
  readonly task: ModelMessage;
  readonly input: CodeContext;
  readonly models: Models;
}

/** The tool by which a patch is handed in, which is no message. */
const tokensOfTool = 500;

/** Throws what is wrong with the job, and when that is over. */
export async function aroundOf(
  engine: Engine,
  memory: JobMemory,
  { rules, task, input, models }: Given,
  context: JobContext,
): Promise<Around> {
  const maxInputTokens = Math.max(1, maxInputTokensOf(context.job, models) - tokensOfTool);
  const model = models.providerModel ?? '';
  try {
    const window = await windowOf(
      engine,
      memory,
      {
        prompt: task.content,
        system: [rules.content],
        ...{ history: [], model, maxInputTokens, excludePaths: [input.file_path] },
      },
      context,
    );
    const found = new Set(window.sources.map(({ message }) => message));
    // What was said about other files is no part of a patch: the pieces alone.
    return { messages: window.messages.filter((_, i) => found.has(i)), told: summaryOf(memory, 0, window) };
  } catch (error) {
    context.signal.throwIfAborted();
    context.log.warn('a patch goes without what stands around its file', { error });
    return { messages: [], told: { memory_id: memory.memory, error: toCortexError(error).message } };
  }
}
