// job.chat.simple: the prompt to the model, the model's text back. Without any model configured it answers as the original did, so that the
// default topic works everywhere; a configured model that fails is a failure, never an echo.
import type { Models } from '#core/model/serve.ts';
import { chatContext, chatResult } from '#core/protocol/payloads.ts';
import { answerOf } from './answer.ts';
import { defineWorker, type WorkerDefinition } from './define.ts';
import { harmless } from './harmless.ts';
import { utcSeconds } from './utc.ts';

export function chat(models: Models | undefined): WorkerDefinition {
  return defineWorker({
    topic: 'job.chat.simple',
    pool: 'chat-simple',
    // What the model cannot take yet waits in Redis, where another worker may take it.
    parallel: models?.concurrency ?? 32,
    capabilities: ['chat'],
    honours: harmless,
    input: chatContext,
    output: chatResult,
    async handle({ prompt }, context) {
      const { job, worker, now } = context;
      const said =
        models === undefined
          ? { response: `Echo: ${prompt}`, model: 'echo' }
          : await answerOf(models, { prompt }, context);
      return { job_id: job.id, prompt, processed_by: worker, completed_at: utcSeconds(now()), ...said };
    },
  });
}
