// A circuit breaker: after some failures in a row a model is left alone for a while, then one request tries it.
//
//   closed    requests go through; a success forgets the failures
//   open      nobody goes through until the time is over
//   half-open one request goes through: the first piece of its answer closes, its failure before that opens again
//
// While it is not closed, that one request alone decides: what older ones come to is old news.
// Only what says that the server is ill counts: not a full quota, nor a wrong request, nor a caller who left.
import type { Clock } from '#core/system.ts';
import { type Model, ModelError } from './model.ts';

export interface BreakerOptions {
  /** In a row. */
  readonly failures: number;
  readonly openMs: number;
}

export const breakerDefaults: BreakerOptions = { failures: 5, openMs: 30_000 };

/** Says that a model was not asked at all: how long that lasts is ours to say, and no pause that its provider asks for. */
export class NotAskedError extends ModelError {}

const ill = (error: unknown): error is ModelError =>
  error instanceof ModelError && ['unavailable', 'deadline_exceeded', 'internal'].includes(error.code);

export function withBreaker(model: Model, clock: Clock, options: BreakerOptions = breakerDefaults): Model {
  const { failures, openMs } = options;
  let inRow = 0;
  let openUntil = 0;
  let trying = false;
  /** What the newest failure was. */
  let why = '';
  const isClosed = (): boolean => inRow < failures;

  return {
    name: model.name,
    async *stream(request) {
      const waitMs = openUntil - clock.monotonic();
      if (!isClosed() && (trying || waitMs > 0)) {
        throw new NotAskedError(
          'unavailable',
          `model ${model.name} is not asked for a while: it failed ${inRow} times in a row, the last time: ${why}`,
          {
            retryAfterMs: Math.max(waitMs, 1_000),
          },
        );
      }
      let isTrial = !isClosed();
      if (isTrial) trying = true;
      try {
        for await (const part of model.stream(request)) {
          // A trial that is answered need not be over: its answer may be long, and all others would wait for it.
          if (isTrial || (part.type === 'end' && isClosed())) inRow = 0;
          if (isTrial) isTrial = trying = false;
          yield part;
        }
      } catch (error) {
        if (!isTrial && !isClosed()) throw error;
        if (ill(error)) {
          inRow++;
          why = error.brief;
          if (!isClosed()) openUntil = clock.monotonic() + openMs;
        } else if (error instanceof ModelError) {
          inRow = 0; // it answered
        }
        throw error;
      } finally {
        if (isTrial) trying = false;
      }
    },
  };
}
