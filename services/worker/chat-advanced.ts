// job.chat.advanced: a conversation with the model, whose answer is given out as it is made. It needs a model: without one, and when the
// model fails, the job fails and says so.
import type { Engine } from '#core/context/engine.ts';
import type { Models } from '#core/model/serve.ts';
import { chatAdvancedContext } from '#core/protocol/conversation.ts';
import { chatResult } from '#core/protocol/payloads.ts';
import { answerOf } from './answer.ts';
import { defineWorker, type WorkerDefinition } from './define.ts';
import { harmless } from './harmless.ts';
import { maxTokensOf } from './max-tokens.ts';
import { maxInputTokensOf, memoryOf } from './memory.ts';
import { noModel } from './no-model.ts';
import { utcSeconds } from './utc.ts';
import { summaryOf, windowOf } from './windowed.ts';

export function chatAdvanced(models: Models | undefined, engine: Engine): WorkerDefinition {
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
      const memory = memoryOf(job, 'chat');
      const maxInputTokens = maxInputTokensOf(job, models);
      if (models === undefined) throw noModel();
      const asked = { prompt, history, onText: (piece: string) => context.output(piece) };
      if (memory === undefined) {
        const said = await answerOf(models, asked, context);
        return { job_id: job.id, prompt, processed_by: worker, completed_at: utcSeconds(now()), ...said };
      }
      const model = models.providerModel ?? '';
      const wanted = { prompt, history, model, system: [], excludePaths: [], maxInputTokens };
      const window = await windowOf(engine, memory, wanted, context);
      const before = window.messages.slice(0, -1);
      const said = await answerOf(models, { ...asked, history: before }, context);
      context.remember?.(memory.memory, [
        { role: 'user', content: prompt },
        { role: 'assistant', content: said.response },
      ]);
      return {
        ...{ job_id: job.id, prompt, processed_by: worker, completed_at: utcSeconds(now()), ...said },
        context: summaryOf(memory, history.length, window),
      };
    },
  });
}
