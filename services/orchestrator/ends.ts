// Waits for the ends of jobs. The store says how a job ended; the events on the bus only say when to look, and as they may be lost, the
// store is asked now and then anyway.
import type { Bus, Delivery, Subscription } from '#core/bus/bus.ts';
import { CortexError } from '#core/errors.ts';
import type { JobEvent, JobView } from '#core/jobs/job.ts';
import { isEnd, isState } from '#core/jobs/state.ts';
import type { JobStore } from '#core/jobs/store.ts';
import type { Log } from '#core/log.ts';
import type { Clock } from '#core/system.ts';
import { pause, persist } from '../worker/retry.ts';

export interface Ends {
  /** Listens from now on. */
  start(): Promise<void>;
  /**
   * The job once it has ended. Throws `not_found` when the tenant has no such job, and the signal's reason. A store that is away is waited
   * for.
   */
  wait(id: string, tenant: string, signal: AbortSignal): Promise<JobView>;
  stop(): Promise<void>;
}

export interface EndsOptions {
  readonly bus: Bus;
  readonly store: Pick<JobStore, 'view'>;
  readonly clock: Clock;
  readonly log: Log;
  /** Between two looks without an event, ms. Default 2,000. */
  readonly lookMs?: number;
}

const eventsOfAllTenants = 'cortex.ev.>';

export function createEnds({ bus, store, clock, log, lookMs = 2000 }: EndsOptions): Ends {
  /** Who waits for which job; a job's id is known to one tenant, and the store compares it. */
  const waiting = new Map<string, Set<() => void>>();
  let subscription: Subscription | undefined;

  const onEvents = ({ subject, data }: Delivery): void => {
    if (waiting.size === 0) return;
    let events: unknown;
    try {
      events = JSON.parse(new TextDecoder().decode(data));
    } catch (error) {
      log.warn('events that are no JSON', { subject, error });
      return;
    }
    if (!Array.isArray(events)) return;
    for (const event of events as (Partial<JobEvent> | null)[]) {
      if (typeof event?.job !== 'string' || event.state === undefined || !isState(event.state)) continue;
      if (isEnd(event.state)) for (const wake of waiting.get(event.job) ?? []) wake();
    }
  };

  return {
    async start() {
      subscription = await bus.subscribe(eventsOfAllTenants, onEvents);
    },

    async wait(id, tenant, signal) {
      let told = new AbortController(); // an event came: no more waiting in this round
      const wake = (): void => told.abort();
      const wakers = waiting.get(id) ?? new Set();
      waiting.set(id, wakers.add(wake));
      try {
        for (;;) {
          signal.throwIfAborted();
          told = new AbortController();
          const look = { clock, until: () => Number.POSITIVE_INFINITY, signal };
          const view = await persist(() => store.view(id, tenant), look);
          if (view === undefined) throw new CortexError('not_found', `job ${id} is not there any more`);
          if (isEnd(view.state)) return view;
          await pause(clock, lookMs, AbortSignal.any([signal, told.signal]));
        }
      } finally {
        wakers.delete(wake);
        if (wakers.size === 0) waiting.delete(id);
      }
    },

    async stop() {
      await subscription?.close();
    },
  };
}
