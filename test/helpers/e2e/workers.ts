// Workers for end-to-end tests. They note in Redis what they really did, so that a test can tell what ran from what was told.
//   job.test.quick   ends at once
//   job.test.gate    runs until `test:open` or `test:open:<job>` is there; a progress of 1 says that the handler is in
//   job.test.talk    gives out the pieces of talk.ts; in the middle it waits as a gate does if its prompt says `hold`
//   job.test.deaf    the same, but it does not heed its signal, and `test:open:<job>:<worker>` opens for one worker alone
import { z } from 'zod';
import { isRetryable } from '#core/errors.ts';
import type { RedisConnection } from '#core/redis/redis.ts';
import { script } from '#core/redis/redis.ts';
import { piecesOf } from './talk.ts';
import { defineWorker, type WorkerDefinition } from '../../../services/worker/define.ts';

// Said again after an answer that was lost, a line is not written twice.
const note = script(
  'note',
  `if ARGV[2]=='again' and redis.call('LPOS',KEYS[1],ARGV[1]) then return 0 end return redis.call('RPUSH',KEYS[1],ARGV[1])`,
);
/** Between two looks at the gate, and two tries to reach Redis, ms: the handler's own affair, no test waits for it. */
const lookMs = 20;
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, lookMs));

/**
 * Tests take Redis away and stop whole processes. What a handler wants to note or to see then comes later: it must not fail for
 * that, since a job ends as its handler says.
 */
async function patiently<T>(call: (again: boolean) => Promise<T>): Promise<T> {
  for (let again = false; ; again = true) {
    try {
      return await call(again);
    } catch (error) {
      if (!isRetryable(error)) throw error;
      await pause();
    }
  }
}

/** What one execution of a handler left behind: `begin <fence> <worker>`, then `end <fence> <worker>` unless it was stopped. */
export const ranKey = (job: string): string => `test:ran:${job}`;
export const gateKey = (job?: string, worker?: string): string =>
  ['test:open', job, worker].filter((part) => part !== undefined).join(':');
/** When the handler's signal came, ms since 1970 by the clock of this machine. */
export const toldKey = (job: string): string => `test:told:${job}`;

export function testWorkers(redis: RedisConnection): readonly WorkerDefinition[] {
  const ran = (job: string, line: string): Promise<unknown> =>
    patiently((again) => redis.run(note, [ranKey(job)], [line, again ? 'again' : '']));
  const open = async (key: string): Promise<boolean> => (await patiently(() => redis.get(key))) !== null;
  const quick = defineWorker({
    topic: 'job.test.quick',
    pool: 'test',
    parallel: 16,
    input: z.unknown(),
    async handle(_input, { job, fence, worker }) {
      await ran(job.id, `begin ${fence} ${worker}`);
      return { job_id: job.id, fence, worker };
    },
  });
  const waiting = (topic: string, heeds: boolean): WorkerDefinition =>
    defineWorker({
      topic,
      pool: 'test',
      parallel: 4,
      input: z.unknown(),
      async handle(_input, { job, fence, worker, signal, progress }) {
        let toldAt = 0;
        signal.addEventListener('abort', () => (toldAt = Date.now()));
        await ran(job.id, `begin ${fence} ${worker}`);
        progress(1, 'in');
        const gates = [gateKey(), gateKey(job.id), gateKey(job.id, worker)];
        for (;;) {
          if (heeds && signal.aborted) {
            await patiently(() => redis.set(toldKey(job.id), String(toldAt)));
            await ran(job.id, `stop ${fence} ${worker}`);
            throw signal.reason;
          }
          if ((await Promise.all(gates.map(open))).includes(true)) break;
          await pause();
        }
        await ran(job.id, `end ${fence} ${worker}`);
        return { job_id: job.id, fence, worker };
      },
    });
  const talk = defineWorker({
    topic: 'job.test.talk',
    pool: 'test',
    parallel: 4,
    input: z.object({ prompt: z.string() }),
    async handle({ prompt }, { job, fence, worker, signal, output }) {
      await ran(job.id, `begin ${fence} ${worker}`);
      const pieces = piecesOf(prompt);
      for (const [i, piece] of pieces.entries()) {
        output(piece === 'now' ? `${Date.now()}\n` : piece);
        if (i % 5 === 0) await pause();
        if (!prompt.includes('hold') || i !== Math.floor(pieces.length / 2)) continue;
        while (!(await open(gateKey(job.id)))) {
          signal.throwIfAborted();
          await pause();
        }
      }
      return { job_id: job.id, fence, worker };
    },
  });
  return [quick, talk, waiting('job.test.gate', true), waiting('job.test.deaf', false)];
}
