// Workers whose handlers a test holds in its hand.
import { z } from 'zod';
import { defineWorker, type JobContext } from '../../../services/worker/define.ts';

/** A worker whose handler the test finishes by hand. */
export function createManual(parallel = 1, more: object = {}) {
  const calls: {
    input: unknown;
    context: JobContext;
    resolve: (value: unknown) => void;
    reject: (e: unknown) => void;
  }[] = [];
  let running = 0;
  let most = 0;
  const definition = defineWorker({
    topic: 'job.test',
    pool: 'test',
    parallel,
    input: z.unknown(),
    handle: async (input, context) => {
      most = Math.max(most, ++running);
      try {
        return await new Promise((resolve, reject) => calls.push({ input, context, resolve, reject }));
      } finally {
        running--;
      }
    },
    ...more,
  });
  return { definition, calls, most: () => most };
}

/** A handler that heeds its signal and nothing else. */
export const waiting = defineWorker({
  topic: 'job.test',
  pool: 'test',
  parallel: 1,
  input: z.unknown(),
  handle: (_input, { signal }) =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
});
