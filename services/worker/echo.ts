// job.echo: gives back what it got. The smallest worker there is; also the one that measures the plane itself.
import { echoContext, echoResult } from '#core/protocol/payloads.ts';
import { defineWorker } from './define.ts';
import { harmless } from './harmless.ts';
import { utcSeconds } from './utc.ts';

export const echo = defineWorker({
  topic: 'job.echo',
  pool: 'echo',
  parallel: 32,
  capabilities: ['echo'],
  honours: harmless,
  input: echoContext,
  output: echoResult,
  handle: (input, { job, worker, now }) => ({
    job_id: job.id,
    received_ctx: input,
    processed_by: worker,
    completed_at_utc: utcSeconds(now()),
  }),
});
