// A few places for what takes much memory: who comes when all are taken waits, and the first to come is the first to go on.

export interface Places {
  /** Waits for a place; the answer gives it back, once. Throws the signal's reason when that aborts first. */
  enter(signal: AbortSignal): Promise<() => void>;
}

/** So many places. */
export function createPlaces(count: number): Places {
  let free = count;
  /** Told whether they were handed a place. */
  const waiting = new Set<(handed: boolean) => void>();

  const leave = (): void => {
    const [next] = waiting;
    if (next === undefined) free++;
    else next(true);
  };

  const wait = (signal: AbortSignal): Promise<boolean> =>
    new Promise((resolve) => {
      const aborted = (): void => go(false);
      const go = (handed: boolean): void => {
        waiting.delete(go);
        signal.removeEventListener('abort', aborted);
        resolve(handed);
      };
      waiting.add(go);
      signal.addEventListener('abort', aborted);
    });

  return {
    async enter(signal) {
      signal.throwIfAborted();
      if (free > 0) free--;
      else if (!(await wait(signal))) signal.throwIfAborted();
      let left = false;
      return () => {
        if (!left) leave();
        left = true;
      };
    },
  };
}
