// Repeats a call to the store while it cannot be reached, until a moment of the monotonic clock. Only for calls that may be repeated,
// as every call of the job store may.
import { isRetryable } from '#core/errors.ts';
import type { Clock } from '#core/system.ts';

/** Waits on a clock; resolves early when the signal aborts. Milliseconds. */
export function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) {
      resolve();
      return;
    }
    const done = (): void => {
      cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const cancel = clock.after(ms, done);
    signal?.addEventListener('abort', done);
  });
}

export interface PersistOptions {
  readonly clock: Clock;
  /** Asked before every repetition, because leases grow: the moment (monotonic, ms) after which to give up. */
  readonly until: () => number;
  readonly signal?: AbortSignal;
}

/**
 * The call's answer. Pauses between tries grow from 50 to 500 ms. Throws the last error when it is not retryable, when the time is
 * over, or when the signal aborts.
 */
export async function persist<T>(call: () => Promise<T>, options: PersistOptions): Promise<T> {
  const { clock, until, signal } = options;
  for (let wait = 50; ; wait = Math.min(wait * 2, 500)) {
    try {
      return await call();
    } catch (error) {
      if (!isRetryable(error) || signal?.aborted === true || clock.monotonic() + wait >= until()) throw error;
    }
    await pause(clock, wait, signal);
  }
}
