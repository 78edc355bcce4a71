// Gathers what comes in one turn of the event loop, or while a call is under way, into one call, for those who wait for no answer: no
// promise for each item as in core/coalesce.ts, and a bound on what may wait.
import { afterTick } from '#core/coalesce.ts';
import type { Clock } from '#core/system.ts';

export interface BatchOptions<T> {
  /** Items per call at most. */
  readonly max: number;
  /** Weight of all that waits or is under way, at most; what is beyond is not taken. */
  readonly most: number;
  /** What an item weighs. Default 1. */
  readonly weigh?: (item: T) => number;
  /** For what nobody waits for: how long a first item waits for company, ms. Default: for the end of the turn. */
  readonly linger?: { readonly clock: Pick<Clock, 'after'>; readonly ms: number };
  /** One call at a time. */
  readonly run: (items: readonly T[]) => Promise<void>;
  /** Hears what `run` throws; the items of that call are over. */
  readonly onError: (error: unknown, items: readonly T[]) => void;
}

export interface Batches<T> {
  /** Answers whether the item was taken. */
  push(item: T): boolean;
  /** Lets nothing linger any more; resolves when nothing waits and nothing is under way. */
  idle(): Promise<void>;
}

export function createBatches<T>(options: BatchOptions<T>): Batches<T> {
  const { max, most, weigh = () => 1, linger, run, onError } = options;
  let waiting: T[] = [];
  let weight = 0;
  let state: 'idle' | 'scheduled' | 'running' = 'idle';
  let whenIdle: (() => void)[] = [];

  const work = async (): Promise<void> => {
    if (state === 'running') return; // a timer that came late
    state = 'running';
    while (waiting.length > 0) {
      const items = waiting.length <= max ? waiting : waiting.slice(0, max);
      waiting = waiting.length <= max ? [] : waiting.slice(max);
      try {
        await run(items);
      } catch (error) {
        onError(error, items);
      }
      for (const item of items) weight -= weigh(item);
    }
    state = 'idle';
    const told = whenIdle;
    whenIdle = [];
    for (const resolve of told) resolve();
  };
  const schedule = (): void => {
    state = 'scheduled';
    if (linger === undefined) afterTick(() => void work());
    else linger.clock.after(linger.ms, () => void work());
  };
  return {
    push(item) {
      const its = weigh(item);
      if (weight + its > most) return false;
      weight += its;
      waiting.push(item);
      if (state === 'idle') schedule();
      else if (linger !== undefined && state === 'scheduled' && waiting.length >= max) void work();
      return true;
    },
    idle() {
      if (state === 'idle') return Promise.resolve();
      const idle = new Promise<void>((resolve) => void whenIdle.push(resolve));
      if (state === 'scheduled' && linger !== undefined) void work();
      return idle;
    },
  };
}
