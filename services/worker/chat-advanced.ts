// job.chat.advanced: a conversation with the model, whose answer is given out as it is made. It needs a model: without one, and when the
// model fails, the job fails and says so.
import type { Models } from '#core/model/serve.ts';
import { chatAdvancedContext } from '#core/protocol/conversation.ts';
import { chatResult } from '#core/protocol/payloads.ts';
import { answerOf } from './answer.ts';
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
      maxTokensOf(job); // what is wrong with the job comes before what is wrong here
      if (models === undefined) throw noModel();
      const said = await answerOf(models, { prompt, history, onText: (piece) => context.output(piece) }, context);
      return { job_id: job.id, prompt, processed_by: worker, completed_at: utcSeconds(now()), ...said };
    },
  });
}
