// How long a job that cannot be judged now waits before somebody looks at it again. Short, so that the jobs go on soon after the
// kernel is back; longer when so many wait that looking at them all the time would take the machine away from what can run.
import type { Clock } from '#core/system.ts';

/** ms. */
export const shortestHoldMs = 1_000;
export const longestHoldMs = 30_000;
/** Held jobs looked at in a second, about: a twelfth of a processor. */
const perSecond = 2_000;

/** Answers the wait for one more held job, ms; at least `least`. */
export type Holds = (least: number) => number;

/** Doubles the wait after each second in which too many were held, and halves it after one with few. */
export function createHolds(clock: Pick<Clock, 'monotonic'>): Holds {
  let holdMs = shortestHoldMs;
  let since = clock.monotonic();
  let held = 0;
  return (least) => {
    const now = clock.monotonic();
    if (now - since >= 1_000) {
      if (held > perSecond) holdMs = Math.min(holdMs * 2, longestHoldMs);
      else if (held < perSecond / 4) holdMs = Math.max(holdMs / 2, shortestHoldMs);
      since = now;
      held = 0;
    }
    held++;
    return Math.max(least, holdMs);
  };
}
