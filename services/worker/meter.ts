// What one attempt's requests to models took, told to the store as soon as each is over: they were paid for, whatever becomes of the
// attempt. The store counts each once, so that telling is repeated until it is heard.
import { checkMetered, type Metered, mostSum } from '#core/jobs/usage.ts';
import type { Sent } from '#core/model/model.ts';
import type { Attempt, AttemptDeps } from './hosted.ts';
import { persist } from './retry.ts';

export interface Meter {
  /** `cost` in US dollars; undefined: not known. Never throws. */
  sent(request: Sent, cost: number | undefined): void;
  /** Resolves when each was told, or could not be at the first try: who sees the job's end sees what it took, unless the store was away. */
  tried(): Promise<void>;
  /** Resolves when nothing is left to tell, or the time for it is over. */
  over(): Promise<void>;
}

/** How long the store may be away until a request is lost, ms: less than it remembers what it has counted. */
const deliveryMs = 60_000;

export function createMeter(
  attempt: Pick<Attempt, 'key' | 'about' | 'log'>,
  { calls, clock, events }: Pick<AttemptDeps, 'calls' | 'clock' | 'events'>,
): Meter {
  const { about, key } = attempt;
  const tried = new Set<Promise<void>>();
  const delivered = new Set<Promise<void>>();
  let number = 0;

  const tell = async (item: Metered, first: () => void): Promise<void> => {
    const until = clock.monotonic() + deliveryMs;
    try {
      checkMetered(item); // alone: other jobs' requests go in the same call
      const once = async (): Promise<void> => {
        try {
          await calls.meter(item);
        } finally {
          first();
        }
      };
      await persist(once, { clock, until: () => until });
    } catch (error) {
      attempt.log.error('what a request to a model took could not be stored, and is in no sum', { ...item, error });
    } finally {
      first();
    }
  };

  return {
    sent({ model, outcome, usage }, cost) {
      events.emit({ type: 'asked', ...about, model, outcome, usage });
      // The provider said no, or was not there: nothing was paid.
      if (outcome === 'failed') return;
      number++;
      const first = Promise.withResolvers<void>();
      const billionths = cost === undefined ? undefined : Math.min(Math.round(cost * 1e9), mostSum);
      const telling = tell(
        { id: key.id, tenant: key.tenant, attempt: key.attempt, number, model, usage, cost: billionths },
        first.resolve,
      );
      tried.add(first.promise);
      delivered.add(telling);
      void first.promise.then(() => tried.delete(first.promise));
      void telling.then(() => delivered.delete(telling));
    },
    tried: async () => void (await Promise.all(tried)),
    over: async () => void (await Promise.all(delivered)),
  };
}
