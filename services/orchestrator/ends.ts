// Tells of the ends of jobs. The store says how a job ended; the events on the bus only say when to look, and as they may be lost, the store
// is asked now and then anyway: about all jobs that are watched together.
import type { Bus, Delivery, Subscription } from '#core/bus/bus.ts';
import type { JobEvent } from '#core/jobs/job.ts';
import { isEnd, isState } from '#core/jobs/state.ts';
import type { JobKey, JobStore, Seen } from '#core/jobs/store.ts';
import type { Log } from '#core/log.ts';
import type { Clock } from '#core/system.ts';

export interface Ends {
  /** Listens from now on. */
  start(): Promise<void>;
  /**
   * Calls `onEnd` once, when the job has ended: with how, or with undefined when the tenant has no such job. `now`: it may have ended
   * already. The answer ends the watch.
   */
  watch(job: JobKey, onEnd: (seen: Seen | undefined) => void, now: boolean): () => void;
  stop(): Promise<void>;
}

export interface EndsOptions {
  readonly bus: Bus;
  readonly store: Pick<JobStore, 'look'>;
  readonly clock: Clock;
  readonly log: Log;
  /** Between two looks without an event, ms. Default 2,000. */
  readonly lookMs?: number;
}

const eventsOfAllTenants = 'cortex.ev.>';
/** Jobs in one call. */
const batch = 64;
/** Before a store that was away is asked again, ms. */
const awayMs = 250;

interface Watched {
  readonly job: JobKey;
  readonly onEnd: Set<(seen: Seen | undefined) => void>;
}

/** Watches on this bus and store. */
export function createEnds({ bus, store, clock, log, lookMs = 2000 }: EndsOptions): Ends {
  const watched = new Map<string, Watched>();
  /** To be looked at now. */
  const asked = new Set<string>();
  let looking = false;
  let stopped = false;
  let subscription: Subscription | undefined;
  let cancelSweep: (() => void) | undefined;

  const look = (): void => {
    if (looking || stopped || asked.size === 0) return;
    looking = true;
    const ids = Array.from(asked).slice(0, batch);
    for (const id of ids) asked.delete(id);
    const jobs = ids.flatMap((id) => watched.get(id)?.job ?? []);
    store.look(jobs).then(
      (seen) => {
        looking = false;
        for (const [i, { id }] of jobs.entries()) tell(id, seen[i]);
        look();
      },
      (error: unknown) => {
        log.debug('the ends of jobs could not be looked up', { error });
        for (const { id } of jobs) asked.add(id);
        clock.after(awayMs, () => {
          looking = false;
          look();
        });
      },
    );
  };

  const tell = (id: string, seen: Seen | undefined): void => {
    if (seen !== undefined && !isEnd(seen.job.state)) return;
    const { onEnd } = watched.get(id) ?? { onEnd: [] };
    watched.delete(id);
    for (const call of onEnd) call(seen);
  };

  const ask = (ids: Iterable<string>): void => {
    for (const id of ids) asked.add(id);
    look();
  };

  const sweep = (): void => {
    cancelSweep = clock.after(lookMs, () => {
      ask(watched.keys());
      sweep();
    });
  };

  const onEvents = ({ subject, data }: Delivery): void => {
    if (watched.size === 0) return;
    let events: unknown;
    try {
      events = JSON.parse(new TextDecoder().decode(data));
    } catch (error) {
      log.warn('events that are no JSON', { subject, error });
      return;
    }
    if (!Array.isArray(events)) return;
    const ended = (events as (Partial<JobEvent> | null)[]).flatMap((event) => {
      if (typeof event?.job !== 'string' || event.state === undefined || !isState(event.state)) return [];
      return isEnd(event.state) && watched.has(event.job) ? [event.job] : [];
    });
    if (ended.length > 0) ask(ended);
  };

  return {
    async start() {
      subscription = await bus.subscribe(eventsOfAllTenants, onEvents);
      sweep();
    },

    watch(job, onEnd, now) {
      const one = watched.get(job.id) ?? { job, onEnd: new Set() };
      watched.set(job.id, one);
      one.onEnd.add(onEnd);
      if (now) ask([job.id]);
      return () => {
        one.onEnd.delete(onEnd);
        if (one.onEnd.size === 0 && watched.get(job.id) === one) watched.delete(job.id);
      };
    },

    async stop() {
      stopped = true;
      cancelSweep?.();
      await subscription?.close();
    },
  };
}
