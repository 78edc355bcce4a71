// Work that is asked for again and again and never runs twice at once: "wake it, it will run soon; wake it while it runs, it will run
// once more". And the beat that wakes what nobody woke.
import { afterTick } from '#core/coalesce.ts';
import type { Clock } from '#core/system.ts';

export interface Loop {
  /** Runs soon; a wake during a run leads to one more. */
  wake(): void;
  /** No run begins any more; resolves when the last one is over. */
  stop(): Promise<void>;
}

/** `run` must not throw for what it expects; what it throws goes to `onError`, and the loop goes on. */
export function createLoop(run: () => Promise<void>, onError: (error: unknown) => void): Loop {
  const state = { wanted: false, stopped: false };
  let running: Promise<void> | undefined;
  const go = async (): Promise<void> => {
    // After this turn of the event loop, so that what arrives together is looked at together.
    await new Promise<void>((resolve) => void afterTick(resolve));
    while (state.wanted && !state.stopped) {
      state.wanted = false;
      try {
        await run();
      } catch (error) {
        onError(error);
      }
    }
    running = undefined;
  };
  return {
    wake() {
      state.wanted = true;
      if (running === undefined && !state.stopped) running = go();
    },
    async stop() {
      state.stopped = true;
      await running;
    },
  };
}

/** Calls `tick` every `ms` until stopped. */
export function every(clock: Clock, ms: number, tick: () => void): () => void {
  let cancel: () => void = () => undefined;
  const next = (): void => {
    cancel = clock.after(ms, () => {
      next();
      tick();
    });
  };
  next();
  return () => cancel();
}
