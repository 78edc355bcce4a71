// An engine that is asked again while it is away: it comes back within seconds, and a job should not fail over that.
import type { Engine } from '#core/context/engine.ts';
import type { Clock } from '#core/system.ts';
import { persist } from './retry.ts';

/** How long, ms: a restart takes two seconds. */
const patienceMs = 15_000;

/** Windows alone: whoever hands in a repository goes on without. */
export function patientEngine(engine: Engine, clock: Clock): Engine {
  return {
    ...engine,
    async window(wanted, signal) {
      const end = clock.monotonic() + patienceMs;
      return persist(() => engine.window(wanted, signal), { clock, until: () => end, signal });
    },
  };
}
