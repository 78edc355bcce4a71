// Requests that wait for the end of a job. While a tenant has any, there is one subscription to its events; each also looks at the
// store every two seconds, because news may be lost and the store is the truth. Waiting is bounded in time and in number.
import type { Subscription } from '#core/bus/bus.ts';
import { CortexError } from '#core/errors.ts';
import type { JobEvent } from '#core/jobs/job.ts';
import { isEnd, isState } from '#core/jobs/state.ts';
import type { Seen } from '#core/jobs/store.ts';
import { tenantEvents } from '#core/protocol/subjects.ts';
import type { GatewayDeps } from './deps.ts';
import type { ReadJob } from './read-job.ts';

export interface Waiters {
  /**
   * The job once it has ended, or as it is after `ms`, or as it is now when too many wait already; undefined when the tenant has no
   * such job. Throws CortexError `unavailable` when the process stops, `canceled` when the signal aborts, and what the store throws.
   */
  wait(id: string, tenant: string, ms: number, signal: AbortSignal): Promise<Seen | undefined>;
  /** How many wait now. */
  readonly waiting: number;
  /** Tenants whose events are listened to now. */
  readonly subscriptions: number;
  /** Ends every wait with `unavailable`: the process is stopping. */
  stop(): void;
}

export interface WaiterDeps
  extends Pick<GatewayDeps, 'subscribe' | 'clock' | 'log' | 'maxWaiters' | 'maxWaitersPerTenant'> {
  readonly readJob: ReadJob;
}

/** Milliseconds between two looks at the store without news. */
const lookMs = 2_000;

/** The listeners of one tenant: by job, who wants to be woken. */
interface Hub {
  readonly wakers: Map<string, Set<() => void>>;
  /** Resolves when the server knows of it; undefined when it could not be had. */
  readonly subscription: Promise<Subscription | undefined>;
  waiting: number;
}

export function createWaiters(deps: WaiterDeps): Waiters {
  const { readJob, subscribe, clock, log, maxWaiters = 1_000, maxWaitersPerTenant = 200 } = deps;
  const hubs = new Map<string, Hub>();
  const stopping = new AbortController();
  let waiting = 0;

  const open = (tenant: string): Hub => {
    const wakers: Hub['wakers'] = new Map();
    const heard = (data: Uint8Array): void => {
      for (const event of readEvents(data)) {
        if (isEnd(event.state)) for (const wake of wakers.get(event.job) ?? []) wake();
      }
    };
    const subscription: Promise<Subscription | undefined> =
      subscribe === undefined
        ? Promise.resolve(undefined)
        : subscribe(tenantEvents(tenant), heard).catch((error: unknown) => {
            log.warn('cannot listen for events; waiting requests look at the store instead', { tenant, error });
            return undefined;
          });
    const hub: Hub = { wakers, subscription, waiting: 0 };
    hubs.set(tenant, hub);
    return hub;
  };
  const leave = (tenant: string, hub: Hub): void => {
    if (--hub.waiting > 0) return;
    hubs.delete(tenant);
    hub.subscription
      .then((subscription) => subscription?.close())
      .catch((error: unknown) => log.warn('cannot end a subscription', { tenant, error }));
  };
  const pause = async (bell: Bell, ms: number): Promise<void> => {
    const cancel = clock.after(ms, bell.ring);
    await bell.rung();
    cancel();
  };
  const wait: Waiters['wait'] = async (id, tenant, ms, signal) => {
    // No room is no error: the answer is the one of a wait that was over at once, and the caller asks again.
    if (waiting >= maxWaiters || (hubs.get(tenant)?.waiting ?? 0) >= maxWaitersPerTenant) return readJob(id, tenant);
    const until = clock.monotonic() + ms;
    const hub = hubs.get(tenant) ?? open(tenant);
    hub.waiting++;
    waiting++;
    const bell = createBell();
    const wakers = hub.wakers.get(id) ?? new Set();
    hub.wakers.set(id, wakers.add(bell.ring));
    const aborted = AbortSignal.any([signal, stopping.signal]);
    aborted.addEventListener('abort', bell.ring);
    try {
      // Listening comes before looking: an end between the two is heard. A bus that says nothing is not waited for longer.
      hub.subscription.then(bell.ring, bell.ring);
      await pause(bell, Math.min(ms, lookMs));
      for (;;) {
        if (aborted.aborted) throw reason(signal);
        const seen = await readJob(id, tenant);
        const left = until - clock.monotonic();
        if (seen === undefined || isEnd(seen.job.state) || left <= 0) return seen;
        await pause(bell, Math.min(left, lookMs));
      }
    } finally {
      aborted.removeEventListener('abort', bell.ring);
      wakers.delete(bell.ring);
      if (wakers.size === 0) hub.wakers.delete(id);
      waiting--;
      leave(tenant, hub);
    }
  };
  const reason = (signal: AbortSignal): CortexError =>
    signal.aborted
      ? new CortexError('canceled', 'the client went away')
      : new CortexError('unavailable', 'the gateway is stopping');
  return {
    wait,
    get waiting() {
      return waiting;
    },
    get subscriptions() {
      return hubs.size;
    },
    stop: () => stopping.abort(),
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

/** The events of a message; none when it is not what it should be, for everybody may publish on a bus. */
function readEvents(data: Uint8Array): readonly JobEvent[] {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(data));
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
  return Array.isArray(value) ? (value as unknown[]).filter(isEvent) : [];
}

function isEvent(value: unknown): value is JobEvent {
  return typeof value === 'object' && value !== null && 'job' in value && 'state' in value && isStateName(value.state);
}

function isStateName(value: unknown): boolean {
  return typeof value === 'string' && isState(value);
}
