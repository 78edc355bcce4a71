// A question to the model and its answer, as chats give them in their results.
import { CortexError } from '#core/errors.ts';
import type { ModelMessage } from '#core/model/model.ts';
import type { Models } from '#core/model/serve.ts';
import { asking } from './asking.ts';
import type { JobContext } from './define.ts';
import { maxTokensOf } from './max-tokens.ts';

export interface Asked {
  readonly prompt: string;
  /** What was said before. */
  readonly history?: readonly ModelMessage[];
  /** Hears the text as it is made. */
  readonly onText?: (piece: string) => void;
}

/** Throws `invalid_argument` for an empty prompt or a wrong bound, `internal` for an answer without a text, and as the model does. */
export async function answerOf(models: Models, { prompt, history = [], onText }: Asked, context: JobContext) {
  if (prompt.trim() === '') throw new CortexError('invalid_argument', 'prompt: is empty', { field: 'prompt' });
  const asked = asking(models, context);
  const messages = [...history, { role: 'user' as const, content: prompt }];
  const { text, model, finish } = await asked.ask({ messages, ...maxTokensOf(context.job) }, onText);
  if (text === '') throw new CortexError('internal', `model ${model} answered without a text (${finish})`);
  return { response: text, model, finish, ...asked.used() };
}
