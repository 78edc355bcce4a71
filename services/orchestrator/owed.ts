// What a rerun brings with it beside results: signals that the run before had taken in, and sleeps that were over. They come in the order in
// which they came then, each after the results that were there before it; else a signal would win a race that it came too late for.
import type { Seed } from '#core/workflow/lines.ts';

export interface Owed {
  /** Signals among it: the first ones of the run. */
  readonly signals: number;
  /** What comes next; undefined while something else comes first. `idle`: no child is under way that it could have to wait for. */
  next(idle: boolean): Seed['owed'][number] | undefined;
  /** That has come. */
  take(): void;
}

/** Of a run in which these steps have ended; `told`: signals that it had taken in when it was taken up. */
export function createOwed(
  { kept, owed }: Pick<Seed, 'kept' | 'owed'>,
  ended: ReadonlySet<string>,
  told: number,
): Owed {
  /** How many of the kept ends, from the first, have come. */
  let front = 0;
  const signals = owed.flatMap(({ k }, i) => (k === undefined ? [i] : []));
  // A sleep that was over comes again: it is not known whether somebody waits for it still.
  let at = (signals[Math.min(told, signals.length) - 1] ?? -1) + 1;
  return {
    signals: signals.length,
    next(idle) {
      const one = owed[at];
      while (front < kept.length && ended.has(kept[front]?.k ?? '')) front++;
      return one !== undefined && (idle || front >= one.n) ? one : undefined;
    },
    take() {
      at++;
    },
  };
}
