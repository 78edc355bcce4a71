// Subscriptions that all in this process share: whoever listens to a subject first makes it, the last one ends it. For runtimes where
// requests may share what they wait for.
import type { Subscription } from '#core/bus/bus.ts';
import type { GatewayDeps } from './deps.ts';

type Subscribe = NonNullable<GatewayDeps['subscribe']>;

export interface Taps {
  /** As of the bus: resolves once the server knows of the subscription. */
  readonly subscribe: Subscribe;
  /** Subscriptions at the bus. */
  readonly size: number;
}

interface Tap {
  readonly ears: Set<{ readonly handle: (data: Uint8Array) => void }>;
  readonly made: Promise<Subscription>;
}

export function createTaps(subscribe: Subscribe): Taps {
  const taps = new Map<string, Tap>();
  const forget = (subject: string, tap: Tap): void => {
    if (taps.get(subject) === tap) taps.delete(subject);
  };
  const open = (subject: string): Tap => {
    const ears: Tap['ears'] = new Set();
    const deliver = (data: Uint8Array): void => {
      for (const ear of Array.from(ears)) ear.handle(data);
    };
    const tap: Tap = { ears, made: subscribe(subject, deliver) };
    taps.set(subject, tap);
    return tap;
  };
  return {
    async subscribe(subject, handle) {
      const tap = taps.get(subject) ?? open(subject);
      const ear = { handle };
      tap.ears.add(ear);
      let made: Subscription;
      try {
        made = await tap.made;
      } catch (error) {
        // The next one tries again.
        forget(subject, tap);
        throw error;
      }
      return {
        async close() {
          if (!tap.ears.delete(ear) || tap.ears.size > 0) return;
          forget(subject, tap);
          await made.close();
        },
      };
    },
    get size() {
      return taps.size;
    },
  };
}
