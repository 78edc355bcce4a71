// Topics on which nobody listens just now. The bus says so when it can (a 503), and it is a hint: the job goes back to its queue,
// uncounted, and until somebody is heard of no more than one job at a time tries whether the silence is over.
import { pseudoPrefix } from '#core/jobs/lane.ts';
import type { Clock } from '#core/system.ts';

/** Between two tries, ms: doubled each time, up to the longest. */
export const firstPauseMs = 1_000;
export const longestPauseMs = 5_000;
/** A 503 comes within about a millisecond; a try that brought none for so long has found somebody. ms. */
export const answerMs = 250;

export interface Silences {
  /** How many more jobs the subject of this pseudo-worker may get now. */
  allowed(worker: string): number;
  /** A job goes out to it. */
  tried(worker: string): void;
  /** Nobody listened. */
  none(worker: string): void;
  /** Somebody who may listen has come. */
  over(topics: Iterable<string>): void;
}

interface Silence {
  pauseMs: number;
  until: number;
  /** A try is out there. */
  trying: boolean;
}

/** `wake` is called when a topic may be tried again or has been found to be heard. */
export function createSilences(clock: Clock, wake: () => void): Silences {
  const silent = new Map<string, Silence>();
  return {
    allowed(worker) {
      const its = silent.get(worker);
      if (its === undefined) return Number.POSITIVE_INFINITY;
      return its.trying || clock.monotonic() < its.until ? 0 : 1;
    },
    tried(worker) {
      const its = silent.get(worker);
      if (its === undefined) return;
      its.trying = true;
      clock.after(answerMs, () => {
        if (!its.trying || silent.get(worker) !== its) return;
        silent.delete(worker);
        wake();
      });
    },
    none(worker) {
      const now = clock.monotonic();
      const its = silent.get(worker);
      // The rest of those that went out together.
      if (its !== undefined && !its.trying && now < its.until) return;
      const pauseMs = its === undefined ? firstPauseMs : Math.min(its.pauseMs * 2, longestPauseMs);
      silent.set(worker, { pauseMs, until: now + pauseMs, trying: false });
      clock.after(pauseMs, wake);
    },
    over(topics) {
      for (const topic of topics) silent.delete(`${pseudoPrefix}${topic}`);
    },
  };
}
