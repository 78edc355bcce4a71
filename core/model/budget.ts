// Tokens and what they cost, without a tokenizer: four characters are taken for a token, which is near enough to refuse what cannot fit.
// A server that gets too much says so at best; at worst it drops the beginning and answers anyway.
import { err, ok, type Result } from '#core/result.ts';
import type { ModelMessage, Usage } from './model.ts';
import type { Price } from './models.ts';

export function estimateTokens(messages: readonly ModelMessage[]): number {
  return messages.reduce((sum, { content }) => sum + Math.ceil(content.length / 4) + 4, 0);
}

/** Tokens that are left for the answer, at most `maxOutput`; or why there is no room. */
export function answerRoom(
  messages: readonly ModelMessage[],
  { name, context, maxOutput }: { readonly name: string; readonly context: number; readonly maxOutput: number },
): Result<number, string> {
  const room = context - estimateTokens(messages);
  if (room >= 1) return ok(Math.min(room, maxOutput));
  return err(`about ${estimateTokens(messages)} tokens do not fit into the ${context} of model ${name}`);
}

/** US dollars, exact to a billionth. */
export function costOf(usage: Usage, price: Price): number {
  const millionths = usage.inputTokens * price.input + usage.outputTokens * price.output;
  return Math.round(millionths * 1_000) / 1e9;
}
