// Whether a connection is up: who wants to know, and who waits for it. Shared by the drivers of bus and Redis.
// It opens and closes nothing; the driver tells it what happened.
import { systemClock } from './system.ts';

export type LinkState = 'connected' | 'disconnected' | 'closed';

export interface Link {
  readonly state: LinkState;
  /** Notes a state; listeners hear of a change, never of the same state twice. `closed` is final. */
  set(state: LinkState): void;
  /** Calls back on every change of state; the answer stops it. */
  onState(listener: (state: LinkState) => void): () => void;
  /** Resolves as soon as the link is connected: true; or when it is closed or after `ms`: false. */
  connected(ms: number): Promise<boolean>;
}

/** A link that begins in `initial`. What a listener throws goes to `report`, so that the others still hear. */
export function createLink(initial: LinkState, report: (error: unknown) => void): Link {
  let state = initial;
  const listeners = new Set<(state: LinkState) => void>();
  const onState = (listener: (state: LinkState) => void): (() => void) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  };
  return {
    get state() {
      return state;
    },
    set(next) {
      if (state === next || state === 'closed') return;
      state = next;
      for (const listener of Array.from(listeners)) {
        try {
          listener(next);
        } catch (error) {
          report(error);
        }
      }
    },
    onState,
    connected(ms) {
      if (state !== 'disconnected') return Promise.resolve(state === 'connected');
      return new Promise((resolve) => {
        const settle = (up: boolean): void => {
          stop();
          cancel();
          resolve(up);
        };
        const stop = onState((next) => settle(next === 'connected'));
        const cancel = systemClock.after(ms, () => settle(false));
      });
    },
  };
}
