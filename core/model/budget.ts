// Tokens and what they cost, without a tokenizer: four characters are taken for a token, which is near enough to refuse what cannot fit.
// A server that gets too much says so at best; at worst it drops the beginning and answers anyway.
import { err, ok, type Result } from '#core/result.ts';
import type { ModelMessage, ModelRequest, Usage } from './model.ts';
import type { Price } from './models.ts';

type Said = Pick<ModelRequest, 'messages' | 'tools'>;

export function estimateTokens({ messages, tools = [] }: Said): number {
  const tokens = (text: string): number => Math.ceil(text.length / 4) + 4; // and what marks its begin and end
  const ofMessage = (message: ModelMessage): number => {
    const calls = message.role === 'assistant' ? (message.toolCalls ?? []) : [];
    return calls.reduce((sum, call) => sum + tokens(JSON.stringify(call)), tokens(message.content));
  };
  const ofTools = tools.reduce((sum, tool) => sum + tokens(JSON.stringify(tool)), 0);
  return messages.reduce((sum, message) => sum + ofMessage(message), ofTools);
}

/** Tokens that are left for the answer, at most `maxOutput`; or why there is no room. */
export function answerRoom(
  said: Said,
  { name, context, maxOutput }: { readonly name: string; readonly context: number; readonly maxOutput: number },
): Result<number, string> {
  const asked = estimateTokens(said);
  if (asked < context) return ok(Math.min(context - asked, maxOutput));
  return err(`about ${asked} tokens do not fit into the ${context} of model ${name}`);
}

/** Tokens of one request that a provider is believed at most: sums of anything larger would drown what is true. */
export const mostTokens = 100_000_000;

/** What a provider says that a request took; undefined where these can be no counts of tokens, for it may say anything. */
export function usageOf(inputTokens: unknown, outputTokens: unknown): Usage | undefined {
  return isCount(inputTokens) && isCount(outputTokens) ? { inputTokens, outputTokens } : undefined;
}

function isCount(n: unknown): n is number {
  return Number.isSafeInteger(n) && Number(n) >= 0 && Number(n) <= mostTokens;
}

/** US dollars, exact to a billionth. */
export function costOf(usage: Usage, price: Price): number {
  const millionths = usage.inputTokens * price.input + usage.outputTokens * price.output;
  return Math.round(millionths * 1_000) / 1e9;
}
