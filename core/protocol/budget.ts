// What `budget.deadline_ms` of a request means. The store enforces it and the kernel judges it; neither happens here.

/** 2001-09-09 in ms: more than 31 years as a duration, and long past as a time. */
export const firstInstantMs = 1_000_000_000_000;

/**
 * How long a job may still take, ms; 0 or less when its time is over, undefined when nothing is said (0). It is a duration from
 * acceptance, unless it is large enough to be a time instead, as some clients of CAP write it. `now` is ms since the epoch.
 */
export function timeLeft(deadlineMs: number, now: number): number | undefined {
  if (deadlineMs === 0) return undefined;
  return deadlineMs >= firstInstantMs ? deadlineMs - now : deadlineMs;
}
