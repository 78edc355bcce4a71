// Gathers what comes in one turn of the event loop into one call, as core/coalesce.ts does, for those who wait for no answer: no promise
// for each item, and a bound on what may wait.
import { afterTick } from '#core/coalesce.ts';

export interface BatchOptions<T> {
  /** Items per call at most. */
  readonly max: number;
  /** Calls under way at once. Default 2, so that one can be prepared while the other waits. */
  readonly concurrency?: number;
  /** Weight of all that waits or is under way, at most; what is beyond is not taken. */
  readonly most: number;
  /** What an item weighs. Default 1. */
  readonly weigh?: (item: T) => number;
  readonly run: (items: readonly T[]) => Promise<void>;
  /** Hears what `run` throws; the items of that call are over. */
  readonly onError: (error: unknown, items: readonly T[]) => void;
}

export interface Batches<T> {
  /** Answers whether the item was taken. */
  push(item: T): boolean;
  /** Resolves when nothing waits and nothing is under way. */
  idle(): Promise<void>;
}

export function createBatches<T>(options: BatchOptions<T>): Batches<T> {
  const { max, concurrency = 2, most, weigh = () => 1, run, onError } = options;
  let waiting: T[] = [];
  let weight = 0;
  let running = 0;
  let scheduled = false;
  let whenIdle: (() => void)[] = [];

  const pump = (): void => {
    scheduled = false;
    while (waiting.length > 0 && running < concurrency) {
      const items = waiting.length <= max ? waiting : waiting.slice(0, max);
      waiting = waiting.length <= max ? [] : waiting.slice(max);
      running++;
      void work(items);
    }
  };
  const work = async (items: readonly T[]): Promise<void> => {
    try {
      await run(items);
    } catch (error) {
      onError(error, items);
    }
    running--;
    for (const item of items) weight -= weigh(item);
    pump();
    if (running > 0 || waiting.length > 0) return;
    const told = whenIdle;
    whenIdle = [];
    for (const resolve of told) resolve();
  };
  return {
    push(item) {
      const its = weigh(item);
      if (weight + its > most) return false;
      weight += its;
      waiting.push(item);
      if (!scheduled && running < concurrency) {
        scheduled = true;
        afterTick(pump);
      }
      return true;
    },
    idle: () =>
      running === 0 && waiting.length === 0 ? Promise.resolve() : new Promise((resolve) => void whenIdle.push(resolve)),
  };
}
