// Polls a condition with a deadline. Only for what happens outside this process (a server, a child, a file), where no event
// can be awaited; inside the process wait for the event itself. It is not a sleep: the condition decides, never the time.

export interface UntilOptions {
  /** Milliseconds after which waiting is given up. Default 5,000. */
  readonly timeout?: number;
  /** Milliseconds between two looks. Default 20. */
  readonly interval?: number;
  /** What was waited for, for the error. A function is asked at the end, so that it can tell what was seen last. */
  readonly message?: string | (() => string);
}

/**
 * Waits until `cond` answers something truthy and returns that. A condition that throws ends the wait at once with its error.
 * Rejects with an Error that names what was waited for when the deadline passes, even if `cond` itself never answers.
 */
export async function until<T>(cond: () => T | Promise<T>, options: UntilOptions = {}): Promise<NonNullable<T>> {
  const { timeout = 5000, interval = 20, message = 'the condition' } = options;
  const deadline = performance.now() + timeout;
  for (;;) {
    const seen = await within(cond, deadline - performance.now());
    if (seen !== late && seen) return seen;
    if (seen === late || performance.now() >= deadline) {
      throw new Error(`waited ${timeout} ms in vain for ${typeof message === 'function' ? message() : message}`);
    }
    await new Promise((resolve) => setTimeout(resolve, interval));
  }
}

const late = Symbol('late');

async function within<T>(cond: () => T | Promise<T>, ms: number): Promise<T | typeof late> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const given = new Promise<typeof late>((resolve) => {
    timer = setTimeout(() => resolve(late), Math.max(0, ms));
  });
  try {
    return await Promise.race([cond(), given]);
  } finally {
    clearTimeout(timer);
  }
}
