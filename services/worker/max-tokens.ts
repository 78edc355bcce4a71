// The bound that a job sets for its model's answer.
import { invalid } from '#core/errors.ts';
import type { AttemptJob } from './define.ts';

const field = 'env.max_output_tokens';

/** `max_output_tokens` of the request's env, for a question; nothing where it is not set, or 0. Throws `invalid_argument` for what is no number. */
export function maxTokensOf({ request }: Pick<AttemptJob, 'request'>): { readonly maxTokens?: number } {
  const text = request.env['max_output_tokens'];
  if (text === undefined || text === '') return {};
  const tokens = Number(text);
  if (!/^\d{1,10}$/.test(text) || tokens > 2 ** 31 - 1) throw invalid(field, 'must be a whole number of tokens');
  return tokens === 0 ? {} : { maxTokens: tokens };
}
