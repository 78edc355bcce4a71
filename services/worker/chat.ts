// job.chat.simple: the prompt to the model, the model's text back. Without any model configured it answers as the original did, so that the
// default topic works everywhere; a configured model that fails is a failure, never an echo.
import { CortexError } from '#core/errors.ts';
import { type Answer, collect } from '#core/model/model.ts';
import type { Models } from '#core/model/serve.ts';
import { chatContext, chatResult } from '#core/protocol/payloads.ts';
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
    async handle({ prompt }, { job, worker, signal, now }) {
      const said =
        models === undefined ? { response: `Echo: ${prompt}`, model: 'echo' } : await ask(models, prompt, signal);
      return { job_id: job.id, prompt, processed_by: worker, completed_at: utcSeconds(now()), ...said };
    },
  });
}

async function ask(models: Models, prompt: string, signal: AbortSignal) {
  if (prompt.trim() === '') throw new CortexError('invalid_argument', 'prompt: is empty', { field: 'prompt' });
  const answer = await collect(models.default.stream({ messages: [{ role: 'user', content: prompt }], signal }));
  const { model, text, finish } = answer;
  if (text === '') throw new CortexError('internal', `model ${model} answered without a text (${finish})`);
  return { response: text, model, finish, ...usageOf(models, answer) };
}

function usageOf(models: Models, { model, usage }: Answer) {
  if (usage === undefined) return {};
  const cost = models.cost(model, usage);
  const tokens = { input_tokens: usage.inputTokens, output_tokens: usage.outputTokens };
  return { usage: { ...tokens, ...(cost !== undefined && { cost }) } };
}
