// The events of one tenant for all who follow them in this process. The bus says when to look, the store says what there is: news may be
// lost, come twice, out of order, or be nonsense, and nothing of that can make a gap or a double. Followers pull from their own
// positions, so a slow one costs nobody anything; what came last is kept, so that a thousand of them cost one read.
import type { Subscription } from '#core/bus/bus.ts';
import { beforeFirst, compareIds, eventsAfter, fromOldest, takePage } from '#core/jobs/follow.ts';
import type { JobEvent } from '#core/jobs/job.ts';
import type { JobStore } from '#core/jobs/store.ts';
import type { Log } from '#core/log.ts';
import type { Clock } from '#core/system.ts';

export interface Next {
  /** Of this job alone. */
  readonly job?: string;
  /** How long to wait for an event, ms. */
  readonly ms: number;
  readonly signal: AbortSignal;
}

export interface News {
  /** In order; none when the time was over, or where the position was reset. */
  readonly events: readonly JobEvent[];
  /** Where to go on. Nothing that was asked for lies between the position before and this one, but the events. */
  readonly cursor: string;
  /** Something after the position before is not kept any more; from `cursor` on nothing is missing. */
  readonly reset: boolean;
}

export interface Feed {
  /** What comes after a position. Throws what the store throws, and what the signal says. */
  next(after: string, options: Next): Promise<News>;
  close(): void;
}

export interface FeedOptions {
  readonly store: Pick<JobStore, 'events' | 'standing'>;
  /** Undefined where there is no bus; may fail, and is tried again. */
  readonly subscribe: ((heard: () => void) => Promise<Subscription>) | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly tenant: string;
  /** Between two looks at the store without news, ms. Default 2,000. */
  readonly silenceMs?: number;
  /** The same while no bus is listened to. Default 500. */
  readonly pollMs?: number;
  /** Events that are kept for all. Default 1,000. */
  readonly kept?: number;
  /** Events of one read. Default 200. */
  readonly page?: number;
}

/** The least time between two reads that news asks for, ms: under load a read then brings many events. */
const lingerMs = 10;
/** How often a subscription is tried for, ms. */
const subscribeMs = 5_000;

interface Waiter {
  readonly job: string | undefined;
  /** `from`: nothing that was waited for lies before it. Undefined: nobody knows. */
  readonly wake: (from: string | undefined) => void;
}

export function createFeed(options: FeedOptions): Feed {
  const { store, subscribe, clock, log, tenant } = options;
  const { silenceMs = 2_000, pollMs = 500, kept = 1_000, page: pageSize = 200 } = options;
  const waiters = new Set<Waiter>();
  let recent: readonly JobEvent[] = [];
  /** `recent` holds all events after `base`, up to `last`. Undefined until the end of the stream is known. */
  let base = '';
  let last: string | undefined;
  let closed = false;
  let reading = false;
  let again = false;
  let subscription: Subscription | undefined;
  let subscribing = false;
  let triedAt = Number.NEGATIVE_INFINITY;
  let readAt = Number.NEGATIVE_INFINITY;
  let cancelLook = (): void => undefined;

  const wake = (matches: (waiter: Waiter) => boolean, from: string | undefined): void => {
    for (const waiter of waiters) if (matches(waiter)) waiter.wake(from);
  };
  const append = (page: readonly JobEvent[]): void => {
    const before = last ?? '';
    const { events, last: end, reset } = takePage(before, page);
    if (events.length === 0) return;
    if (reset !== undefined) {
      recent = [];
      base = reset;
    }
    recent = recent.length + events.length > kept ? [...recent, ...events].slice(-kept) : [...recent, ...events];
    base = recent.length === kept ? (recent[0]?.prev ?? base) : base;
    last = end;
    if (reset !== undefined) return wake(() => true, undefined);
    const jobs = new Set(events.map(({ job }) => job));
    wake(({ job }) => job === undefined || jobs.has(job), before);
  };
  const read = async (): Promise<void> => {
    if (last === undefined) {
      const { at } = await store.standing(tenant, []);
      base = last = at === '' ? beforeFirst : at;
      return wake(() => true, undefined);
    }
    for (;;) {
      const page = await store.events(tenant, last, pageSize);
      append(page);
      if (closed || page.length < pageSize) return;
    }
  };
  const look = async (): Promise<void> => {
    cancelLook();
    if (reading || closed) {
      again = true;
      return;
    }
    reading = true;
    again = false;
    readAt = clock.monotonic();
    try {
      await read();
    } catch (error) {
      // Followers read for themselves what they need and hear of it there; here it is tried again.
      log.debug('cannot read the events of a tenant', { tenant, error });
    }
    reading = false;
    plan();
  };
  const lookSoon = (): void => void look();
  const plan = (): void => {
    if (closed) return;
    listen();
    cancelLook();
    cancelLook = clock.after(again ? lingerMs : subscription === undefined ? pollMs : silenceMs, lookSoon);
  };
  const heard = (): void => {
    if (closed || again) return;
    again = true;
    if (reading) return;
    const since = clock.monotonic() - readAt;
    if (since >= lingerMs) return lookSoon();
    cancelLook();
    cancelLook = clock.after(lingerMs - since, lookSoon);
  };
  const listen = (): void => {
    if (subscribe === undefined || subscription !== undefined || subscribing) return;
    if (clock.monotonic() - triedAt < subscribeMs) return;
    triedAt = clock.monotonic();
    subscribing = true;
    subscribe(heard)
      .then(
        (made) => {
          if (closed) {
            drop(made);
            return;
          }
          subscription = made;
          // What happened before the server knew of it was told to nobody.
          heard();
        },
        (error: unknown) => log.warn('cannot listen for events; the store is looked at instead', { tenant, error }),
      )
      .finally(() => {
        subscribing = false;
      });
  };
  const drop = (made: Subscription): void => {
    made.close().catch((error: unknown) => log.warn('cannot end a subscription', { tenant, error }));
  };

  /** Until an event comes, or the time is over; what `Waiter.wake` says. */
  const wait = ({ job, ms, signal }: Next): Promise<{ readonly from: string | undefined; readonly late: boolean }> =>
    new Promise((resolve) => {
      const settle = (from: string | undefined, late: boolean): void => {
        waiters.delete(waiter);
        cancel();
        signal.removeEventListener('abort', stop);
        resolve({ from, late });
      };
      const waiter: Waiter = { job, wake: (from) => settle(from, false) };
      const stop = (): void => settle(undefined, true);
      const cancel = clock.after(ms, () => settle(last, true));
      waiters.add(waiter);
      signal.addEventListener('abort', stop);
    });

  const next: Feed['next'] = async (position, { job, ms, signal }) => {
    const until = clock.monotonic() + ms;
    const wanted = (events: readonly JobEvent[]): readonly JobEvent[] =>
      job === undefined ? events : events.filter((event) => event.job === job);
    let after = position;
    for (;;) {
      signal.throwIfAborted();
      if (last !== undefined && after !== fromOldest && compareIds(after, base) >= 0 && compareIds(after, last) <= 0) {
        const events = wanted(eventsAfter(recent, after));
        after = last;
        if (events.length > 0) return { events, cursor: after, reset: false };
      } else {
        const seen = last === undefined ? after : base;
        const { events, last: end, reset } = takePage(after, await store.events(tenant, after, pageSize));
        if (reset !== undefined) return { events: [], cursor: reset, reset: true };
        if (events.length > 0) return { events: wanted(events), cursor: end, reset: false };
        // The store has forgotten all of it, with what came before `seen`.
        if (after !== fromOldest && compareIds(after, seen) < 0) return { events: [], cursor: seen, reset: true };
        if (after === fromOldest) after = beforeFirst; // there is nothing yet
        // It stands where the stream ends, and this feed has not come there yet.
        if (last !== undefined && compareIds(after, last) > 0) heard();
      }
      const caughtUp = last !== undefined && compareIds(after, last) >= 0;
      const left = until - clock.monotonic();
      if (left <= 0) return { events: [], cursor: after, reset: false };
      signal.throwIfAborted();
      const { from, late } = await wait({ ...(job === undefined ? {} : { job }), ms: left, signal });
      if (caughtUp && from !== undefined && compareIds(from, after) > 0) after = from;
      if (late && !signal.aborted) return { events: [], cursor: after, reset: false };
    }
  };

  lookSoon();
  return {
    next,
    close() {
      closed = true;
      cancelLook();
      if (subscription !== undefined) drop(subscription);
      wake(() => true, undefined);
    },
  };
}
