// Requests that wait for the end of a job: news of it wakes them, and each also looks at the store every two seconds, because news may
// be lost and the store is the truth. Waiting is bounded in time and in number.
import { CortexError } from '#core/errors.ts';
import { isEnd } from '#core/jobs/state.ts';
import type { Seen } from '#core/jobs/store.ts';
import type { GatewayDeps } from './deps.ts';
import type { ReadJob } from './read-job.ts';
import { createTenantEnds } from './tenant-ends.ts';

export interface Waiters {
  /**
   * The job once it has ended, or as it is after `ms`, or as it is now when too many wait already; undefined when the tenant has no
   * such job. Throws CortexError `unavailable` when the process stops, `canceled` when the signal aborts, and what the store throws.
   */
  wait(id: string, tenant: string, ms: number, signal: AbortSignal): Promise<Seen | undefined>;
  /** A place for who is about to make a job and to wait for its end; it must be left. */
  enter(tenant: string): Place;
  /** How many wait now. */
  readonly waiting: number;
  /** Tenants whose events are listened to now. */
  readonly subscriptions: number;
  /** Ends every wait with `unavailable`: the process is stopping. */
  stop(): void;
}

export interface Place {
  /**
   * Listens for the end of this job, of which nobody has heard yet. Where the bus was listened to already, the first look at the store is
   * spared: whatever becomes of the job will be heard.
   */
  readonly expect: (id: string) => void;
  /** As `Waiters.wait`, for the expected job or any other. */
  wait(id: string, ms: number, signal: AbortSignal): Promise<Seen | undefined>;
  leave(): void;
}

export interface WaiterDeps
  extends Pick<GatewayDeps, 'subscribe' | 'isolated' | 'clock' | 'log' | 'maxWaiters' | 'maxWaitersPerTenant'> {
  readonly readJob: ReadJob;
}

/** Milliseconds between two looks at the store without news. */
const lookMs = 2_000;

export function createWaiters(deps: WaiterDeps): Waiters {
  const { readJob, clock, maxWaiters = 1_000, maxWaitersPerTenant = 200 } = deps;
  const ends = createTenantEnds(deps);
  const bells = new Set<Bell>();
  let stopping = false;

  const pause = async (bell: Bell, ms: number): Promise<void> => {
    const cancel = clock.after(ms, bell.ring);
    await bell.rung();
    cancel();
  };
  /** No room is no error: the answer is the one of a wait that was over at once, and the caller asks again. */
  const outside = (tenant: string): Place => ({
    expect: () => undefined,
    wait: (id) => readJob(id, tenant),
    leave: () => undefined,
  });
  const enter: Waiters['enter'] = (tenant) => {
    if (bells.size >= maxWaiters || ends.listeners(tenant) >= maxWaitersPerTenant) return outside(tenant);
    const ear = ends.open(tenant);
    const bell = createBell();
    bells.add(bell);
    let expected: string | undefined;
    return {
      expect(id) {
        ear.on(id, bell.ring);
        if (ear.hears()) expected = id;
      },
      async wait(id, ms, signal) {
        const until = clock.monotonic() + ms;
        if (id !== expected) {
          // Listening comes before looking: an end between the two is heard. A bus that says nothing is not waited for longer.
          ear.on(id, bell.ring);
          ear.ready.then(bell.ring, bell.ring);
        }
        signal.addEventListener('abort', bell.ring);
        try {
          for (let left = ms; ; left = until - clock.monotonic()) {
            if (!stopping && !signal.aborted) await pause(bell, Math.min(left, lookMs));
            if (signal.aborted) throw new CortexError('canceled', 'the client went away');
            if (stopping) throw new CortexError('unavailable', 'the gateway is stopping');
            const seen = await readJob(id, tenant);
            if (seen === undefined || isEnd(seen.job.state) || clock.monotonic() >= until) return seen;
          }
        } finally {
          signal.removeEventListener('abort', bell.ring);
        }
      },
      leave() {
        ear.close();
        bells.delete(bell);
      },
    };
  };

  return {
    enter,
    async wait(id, tenant, ms, signal) {
      const place = enter(tenant);
      try {
        return await place.wait(id, ms, signal);
      } finally {
        place.leave();
      }
    },
    get waiting() {
      return bells.size;
    },
    get subscriptions() {
      return ends.tenants;
    },
    stop() {
      stopping = true;
      for (const { ring } of bells) ring();
    },
  };
}

interface Bell {
  readonly ring: () => void;
  /** Resolves with the next ring. One that came before somebody listened counts: none is missed. */
  readonly rung: () => Promise<void>;
}

function createBell(): Bell {
  let pending = false;
  let answer: (() => void) | undefined;
  return {
    ring: () => {
      pending = true;
      answer?.();
    },
    rung: () =>
      new Promise((resolve) => {
        answer = () => {
          pending = false;
          answer = undefined;
          resolve();
        };
        if (pending) answer();
      }),
  };
}
