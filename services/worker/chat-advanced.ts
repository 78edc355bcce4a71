// job.chat.advanced: a conversation with the model, whose answer is given out as it is made. It needs a model: without one, and when the
// model fails, the job fails and says so.
import { CortexError, invalid } from '#core/errors.ts';
import type { Models } from '#core/model/serve.ts';
import { chatAdvancedContext } from '#core/protocol/conversation.ts';
import { chatResult } from '#core/protocol/payloads.ts';
import { asking } from './asking.ts';
import { defineWorker, type WorkerDefinition } from './define.ts';
import { harmless } from './harmless.ts';
import { utcSeconds } from './utc.ts';

export function chatAdvanced(models: Models | undefined): WorkerDefinition {
  return defineWorker({
    topic: 'job.chat.advanced',
    pool: 'chat-advanced',
    // What the model cannot take yet waits in Redis, where another worker may take it. Without a model nothing is asked at all.
    parallel: models?.concurrency ?? 32,
    capabilities: ['chat-advanced'],
    honours: harmless,
    input: chatAdvancedContext,
    output: chatResult,
    async handle({ prompt, history }, context) {
      const { job, worker, now } = context;
      const maxTokens = outputTokens(job.request.env);
      if (models === undefined) {
        throw new CortexError(
          'unavailable',
          'no model is configured for this worker: set OLLAMA_URL and OLLAMA_MODEL, or name models in config/models.yaml (MODELS_PATH)',
        );
      }
      if (prompt.trim() === '') throw new CortexError('invalid_argument', 'prompt: is empty', { field: 'prompt' });
      const asked = asking(models, context);
      const messages = [...history, { role: 'user' as const, content: prompt }];
      const question = maxTokens === undefined ? { messages } : { messages, maxTokens };
      const { text, model, finish } = await asked.ask(question, (piece) => context.output(piece));
      if (text === '') throw new CortexError('internal', `model ${model} answered without a text (${finish})`);
      const about = { job_id: job.id, prompt, processed_by: worker, completed_at: utcSeconds(now()) };
      return { ...about, response: text, model, finish, ...asked.used() };
    },
  });
}

/** `max_output_tokens` of the request; undefined when it says nothing, or 0. Throws `invalid_argument`. */
function outputTokens(env: Readonly<Record<string, string>>): number | undefined {
  const text = Object.hasOwn(env, 'max_output_tokens') ? (env['max_output_tokens'] ?? '') : '';
  if (text === '') return undefined;
  if (!/^\d{1,10}$/.test(text)) throw invalid('env.max_output_tokens', 'must be a whole number of tokens');
  const tokens = Number(text);
  return tokens === 0 ? undefined : tokens;
}
