// What a stream does while the store is away: it tries again until the store is back, or the stream ends.
import { isRetryable } from '#core/errors.ts';
import type { Log } from '#core/log.ts';
import type { Clock } from '#core/system.ts';

/** Between two tries, ms. */
const pauseMs = 1_000;

export interface PatienceDeps {
  readonly clock: Clock;
  readonly log: Log;
}

/** What the work gives as soon as it can. Throws what no second try mends, and what the signal says. */
export async function patiently<T>(
  { clock, log }: PatienceDeps,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (signal.aborted || !isRetryable(error)) throw error;
      log.debug('a stream waits for the store', { error });
    }
    await pause(clock, pauseMs, signal);
    signal.throwIfAborted();
  }
}

/** Resolves after that time, or when the signal aborts. */
export function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      cancel();
      signal.removeEventListener('abort', settle);
      resolve();
    };
    const cancel = clock.after(ms, settle);
    signal.addEventListener('abort', settle);
    if (signal.aborted) settle();
  });
}
