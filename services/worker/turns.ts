// Large results one turn of the event loop at a time: to write 8 MiB as JSON takes it some 20 ms, and 32 handlers that answer together
// would keep it from renewing leases for as long as all of them take. Small ones wait only for a large one before them.
import { afterTick } from '#core/coalesce.ts';

/** From this length on a result has its turn for itself. */
const largeLength = 2 ** 18;

export interface Turns {
  /** What `work` answers; begun later when something large was made in this turn already. `size` tells how large the answer is. */
  take<T>(work: () => T, size: (made: T) => number): Promise<T>;
}

/** One for all that share an event loop. */
export function createTurns(): Turns {
  const turn: { over: Promise<void> | undefined } = { over: undefined };
  return {
    async take(work, size) {
      while (turn.over !== undefined) await turn.over; // whoever comes first takes the next turn too
      const made = work();
      if (size(made) >= largeLength) {
        turn.over = new Promise((resolve) => {
          afterTick(() => {
            turn.over = undefined;
            resolve();
          });
        });
      }
      return made;
    },
  };
}
