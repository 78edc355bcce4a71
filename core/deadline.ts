// A bound on waiting. The work itself goes on: only who waits for it is let go.
import { toCortexError } from './errors.ts';
import { systemClock } from './system.ts';

/** What `work` gives, or rejects with `late()` after `ms`. What `work` does afterwards is nobody's concern any more. */
export function within<T>(ms: number, work: Promise<T>, late: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = systemClock.after(ms, () => reject(late()));
    work.then(
      (value) => {
        cancel();
        resolve(value);
      },
      (error: unknown) => {
        cancel();
        reject(error);
      },
    );
  });
}

/** What `work` gives, or rejects when the signal says so; does not begin it if that was before. Throws what the signal says. */
export async function abortable<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  if (signal === undefined) return work();
  if (signal.aborted) throw toCortexError(signal.reason);
  return new Promise<T>((resolve, reject) => {
    const stop = (): void => reject(toCortexError(signal.reason));
    signal.addEventListener('abort', stop, { once: true });
    work()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', stop));
  });
}
