// job.chat.simple: the original's answer without a model, so that the default topic works everywhere.
import { chatContext, chatResult } from '#core/protocol/payloads.ts';
import { defineWorker } from './define.ts';
import { harmless } from './harmless.ts';
import { utcSeconds } from './utc.ts';

export const chat = defineWorker({
  topic: 'job.chat.simple',
  pool: 'chat-simple',
  parallel: 32,
  capabilities: ['chat'],
  honours: harmless,
  input: chatContext,
  output: chatResult,
  handle: ({ prompt }, { job, worker, now }) => ({
    job_id: job.id,
    prompt,
    response: `Echo: ${prompt}`,
    processed_by: worker,
    completed_at: utcSeconds(now()),
    model: 'echo',
  }),
});
