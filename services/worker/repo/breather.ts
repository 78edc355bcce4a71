// Lets other things happen in a loop that computes: messages of the host are heard, and an abort ends the loop at the next pause.
import { setImmediate } from 'node:timers/promises';

export interface Breather {
  /** Pauses when the last pause was long enough ago; answers whether it did. Throws the signal's reason. */
  pause(): Promise<boolean>;
}

/** Pauses at most every `everyMs`. */
export function createBreather(signal: AbortSignal, everyMs = 20): Breather {
  let last = performance.now();
  return {
    async pause() {
      signal.throwIfAborted();
      if (performance.now() - last < everyMs) return false;
      await setImmediate();
      signal.throwIfAborted();
      last = performance.now();
      return true;
    },
  };
}
