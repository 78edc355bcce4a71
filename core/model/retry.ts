// Tries again what may succeed later: when the provider said, else after a second and then two. A wait that one request is told holds
// for all that come to the same model, since a full quota, or a server with too much to do, is everybody's. What has begun to be read is not tried again: it cannot be unsaid.
import { isRetryable } from '#core/errors.ts';
import type { Clock } from '#core/system.ts';
import { NotAskedError } from './breaker.ts';
import { type Model, ModelError, throwIfStopped } from './model.ts';

export interface RetryOptions {
  /** Requests in all. */
  readonly attempts: number;
  /** A longer wait is not waited for: the caller, or a fallback, knows better. */
  readonly maxWaitMs: number;
}

/** A longer pause is asked about again: nobody's word takes a model away for good, ms. */
const mostPauseMs = 300_000;

export const retryDefaults: RetryOptions = { attempts: 3, maxWaitMs: 10_000 };

export function withRetry(model: Model, clock: Clock, options: RetryOptions = retryDefaults): Model {
  const { attempts, maxWaitMs } = options;
  let notBefore = 0;

  /** Waits until the model may be asked, or says at once that this takes too long. */
  const wait = async (signal: AbortSignal): Promise<void> => {
    for (let ms = notBefore - clock.monotonic(); ms > 0; ms = notBefore - clock.monotonic()) {
      if (ms > maxWaitMs) {
        throw new ModelError(
          'resource_exhausted',
          `model ${model.name} asked for a pause of ${Math.ceil(ms / 1_000)} s`,
          {
            retryAfterMs: ms,
          },
        );
      }
      await pause(clock, ms, signal);
    }
  };

  return {
    name: model.name,
    async *stream(request) {
      const { signal } = request;
      for (let attempt = 1; ; attempt++) {
        await wait(signal);
        let said = false;
        try {
          for await (const part of model.stream(request)) {
            said = true;
            yield part;
          }
          return;
        } catch (error) {
          if (!(error instanceof ModelError)) throw error;
          const { code, retryAfterMs } = error;
          if (retryAfterMs !== undefined && isRetryable(error) && !(error instanceof NotAskedError)) {
            notBefore = Math.max(notBefore, clock.monotonic() + Math.min(retryAfterMs, mostPauseMs));
          }
          const ms = retryAfterMs ?? 1_000 * 2 ** (attempt - 1);
          // Its silence has cost the time of several attempts already.
          if (said || !isRetryable(error) || code === 'deadline_exceeded' || attempt >= attempts || ms > maxWaitMs)
            throw error;
          await pause(clock, ms, signal);
        }
      }
    },
  };
}

/** Resolves after so many ms; throws what the signal says as soon as it does. */
export async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  throwIfStopped(signal);
  const over = Promise.withResolvers<void>();
  const cancel = clock.after(ms, () => over.resolve());
  const wake = (): void => over.resolve();
  signal.addEventListener('abort', wake, { once: true });
  await over.promise;
  signal.removeEventListener('abort', wake);
  cancel();
  throwIfStopped(signal);
}
