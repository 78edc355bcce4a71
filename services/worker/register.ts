// Gets a worker its id in the store. An id that another live process holds is waited for: its owner may have just died, and then it is
// free within a few seconds.
import { CortexError, isRetryable } from '#core/errors.ts';
import type { JobStore } from '#core/jobs/store.ts';
import type { Log } from '#core/log.ts';
import type { Clock } from '#core/system.ts';
import type { HostedWorker } from './hosted.ts';
import type { News } from './news.ts';
import { pause } from './retry.ts';

export interface RegisterOptions {
  readonly store: Pick<JobStore, 'register'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly news: News;
  readonly instance: string;
  readonly aliveMs: number;
  /** Gives up waiting. */
  readonly stopping?: AbortSignal | undefined;
  /** How long to wait for an id that is taken, or for a store that is away, ms. Default 10,000. */
  readonly patienceMs?: number;
}

/** Throws CortexError: `already_exists` when the id stays taken, else what the store throws. */
export async function register(worker: HostedWorker, options: RegisterOptions): Promise<void> {
  const { store, clock, log, news, instance, aliveMs, stopping, patienceMs = 10_000 } = options;
  const { id, definition, parallel } = worker;
  const until = clock.monotonic() + patienceMs;
  for (let told = false; ; ) {
    let waitMs = 250;
    try {
      const answer = await store.register({ worker: id, instance, pool: definition.pool, capacity: parallel, aliveMs });
      if (answer.outcome === 'ok') {
        if (answer.requeued > 0)
          log.info('jobs of the worker before this one are handed out again', { worker: id, jobs: answer.requeued });
        for (const end of answer.ends) news.ended(end, id);
        return;
      }
      if (!told)
        log.warn('another process holds this worker id; waiting for it to go', {
          worker: id,
          alive_ms: answer.aliveMs,
        });
      told = true;
      // Asked again a little more often than needed: a process that ends in order frees its id at once.
      waitMs = Math.min(Math.max(answer.aliveMs, 50), 500);
      if (clock.monotonic() + waitMs >= until) {
        throw new CortexError(
          'already_exists',
          `the worker id ${id} is held by another live process; give each its own WORKER_ID`,
        );
      }
    } catch (error) {
      if (!isRetryable(error) || clock.monotonic() + waitMs >= until) throw error;
      log.warn('could not register; trying again', { worker: id, error });
    }
    await pause(clock, waitMs, stopping);
    if (stopping?.aborted === true) throw new CortexError('canceled', 'told to stop before the worker was registered');
  }
}
