// A clock that tests step. Timers run in the order of their times, and between two of them the promises that wait get their turn,
// so that `await clock.advance(5000)` sees what five seconds would bring.
import type { Clock } from '#core/system.ts';

export interface FakeClock extends Clock {
  /** Asked between two timers, so that time stands still while something real (a server's answer) is under way. */
  quiet: () => Promise<void>;
  /** Moves on by `ms`, running what is due on the way. */
  advance(ms: number): Promise<void>;
  /** Moves on in steps until the promise is settled; what it gives. For work that waits for timers and for something real. */
  during<T>(work: Promise<T>, stepMs?: number): Promise<T>;
  /** Time goes by and nothing runs, as for a process that is stopped; what is due by then runs at the next advance. */
  jump(ms: number): void;
  /** Timers that wait. */
  readonly waiting: number;
}

interface Timer {
  readonly at: number;
  readonly seq: number;
  readonly run: () => void;
}

/** Where a fake clock begins, ms since the epoch. */
export const fakeStart = 1_800_000_000_000;

/** A clock that stands at `start` (ms since the epoch) until it is told to move. */
export function createFakeClock(start = fakeStart): FakeClock {
  const timers = new Set<Timer>();
  let elapsed = 0;
  let seq = 0;
  const next = (until: number): Timer | undefined => {
    let first: Timer | undefined;
    for (const t of timers) {
      if (t.at > until) continue;
      if (first === undefined || t.at < first.at || (t.at === first.at && t.seq < first.seq)) first = t;
    }
    return first;
  };
  const clock: FakeClock = {
    quiet: () => settle(),
    now: () => start + elapsed,
    monotonic: () => elapsed,
    after(ms, run) {
      const timer: Timer = { at: elapsed + Math.max(0, ms), seq: ++seq, run };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    async advance(ms) {
      const until = elapsed + ms;
      await clock.quiet();
      for (let due = next(until); due !== undefined; due = next(until)) {
        elapsed = Math.max(elapsed, due.at);
        timers.delete(due);
        due.run();
        await clock.quiet();
      }
      elapsed = Math.max(elapsed, until);
      await clock.quiet();
    },
    async during(work, stepMs = 100) {
      const state = { settled: false };
      const watched = work.finally(() => {
        state.settled = true;
      });
      watched.catch(() => undefined); // heard below
      for (await clock.quiet(); !state.settled; ) await clock.advance(stepMs);
      return watched;
    },
    jump(ms) {
      elapsed += ms;
    },
    get waiting() {
      return timers.size;
    },
  };
  return clock;
}

/** Lets everything run that waits for nothing but its turn: promises, and what was put off to the end of this turn. */
export async function settle(turns = 8): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}
