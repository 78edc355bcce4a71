// A bound on waiting. The work itself goes on: only who waits for it is let go.
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
