// job.chat.advanced: a conversation with the model, whose answer is given out as it is made. It needs a model: without one, and when the
// model fails, the job fails and says so.
import { CortexError } from '#core/errors.ts';
import type { Models } from '#core/model/serve.ts';
import { chatAdvancedContext } from '#core/protocol/conversation.ts';
import { chatResult } from '#core/protocol/payloads.ts';
import { asking } from './asking.ts';
import { defineWorker, type WorkerDefinition } from './define.ts';
import { harmless } from './harmless.ts';
import { maxTokensOf } from './max-tokens.ts';
import { noModel } from './no-model.ts';
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
      const bound = maxTokensOf(job);
      if (models === undefined) throw noModel();
      if (prompt.trim() === '') throw new CortexError('invalid_argument', 'prompt: is empty', { field: 'prompt' });
      const asked = asking(models, context);
      const messages = [...history, { role: 'user' as const, content: prompt }];
      const { text, model, finish } = await asked.ask({ messages, ...bound }, (piece) => context.output(piece));
      if (text === '') throw new CortexError('internal', `model ${model} answered without a text (${finish})`);
      const about = { job_id: job.id, prompt, processed_by: worker, completed_at: utcSeconds(now()) };
      return { ...about, response: text, model, finish, ...asked.used() };
    },
  });
}
