// Thins out what a handler tells of its progress: at most four a second, one under way at a time, the newest wins, the last always goes.
import type { Clock } from '#core/system.ts';

export interface ProgressReport {
  /** A whole number, 0 to 100. */
  readonly percent: number;
  readonly message: string;
}

export interface ProgressReports {
  report(percent: number, message: string): void;
  /** Sends what waits, and resolves when nothing is under way any more. */
  flush(): Promise<void>;
  /** Drops what waits. */
  close(): void;
}

const maxMessage = 500;

export interface ProgressOptions {
  readonly clock: Clock;
  /** Must not reject. */
  readonly send: (report: ProgressReport) => Promise<void>;
  /** Milliseconds between two sends. Default 250. */
  readonly gapMs?: number;
}

/** Nothing is allocated per report but the report. */
export function createProgress({ clock, send, gapMs = 250 }: ProgressOptions): ProgressReports {
  let waiting: ProgressReport | undefined;
  let underWay: Promise<void> | undefined;
  let cancelTimer: (() => void) | undefined;
  let lastAt = Number.NEGATIVE_INFINITY;
  let closed = false;

  const go = (): void => {
    cancelTimer?.();
    cancelTimer = undefined;
    if (waiting === undefined) return;
    const report = waiting;
    waiting = undefined;
    lastAt = clock.monotonic();
    underWay = send(report).finally(() => {
      underWay = undefined;
      if (!closed) plan();
    });
  };
  const plan = (): void => {
    if (waiting === undefined || underWay !== undefined || cancelTimer !== undefined) return;
    const wait = lastAt + gapMs - clock.monotonic();
    if (wait <= 0) go();
    else cancelTimer = clock.after(wait, go);
  };
  return {
    report(percent, message) {
      if (closed) return;
      const whole = Number.isFinite(percent) ? Math.round(Math.min(100, Math.max(0, percent))) : 0;
      waiting = { percent: whole, message: message.slice(0, maxMessage) };
      plan();
    },
    async flush() {
      closed = true;
      await underWay;
      go();
      await underWay;
    },
    close() {
      closed = true;
      waiting = undefined;
      cancelTimer?.();
      cancelTimer = undefined;
    },
  };
}
