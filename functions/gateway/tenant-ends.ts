// The ends of jobs as the bus tells them: one subscription to the events of a tenant while anybody listens to its jobs. It is news, which
// may be lost and may be nonsense; who hears it looks at the store.
import type { Subscription } from '#core/bus/bus.ts';
import { endStates, isEnd, isState } from '#core/jobs/state.ts';
import { tenantEvents } from '#core/protocol/subjects.ts';
import type { GatewayDeps } from './deps.ts';

export interface TenantEnds {
  /** Listens until closed. The first of a tenant makes its subscription, the last ends it. */
  open(tenant: string): Ear;
  /** How many listen to this tenant now. */
  listeners(tenant: string): number;
  /** Tenants that are listened to now. */
  readonly tenants: number;
}

export interface Ear {
  /** Whether the server knows of the subscription: whatever happens from then on is heard, unless it is lost. */
  hears(): boolean;
  /** Resolves when the server knows of it, or when it could not be had. Never rejects. */
  readonly ready: Promise<unknown>;
  /** Calls `ring` when the job is said to have ended, in place of the job before. */
  on(job: string, ring: () => void): void;
  close(): void;
}

interface Hub {
  /** By job, who wants to be woken. */
  readonly bells: Map<string, Set<() => void>>;
  readonly subscription: Promise<Subscription | undefined>;
  hears: boolean;
  listeners: number;
}

export function createTenantEnds({
  subscribe,
  isolated,
  log,
}: Pick<GatewayDeps, 'subscribe' | 'isolated' | 'log'>): TenantEnds {
  /** One of each tenant, or, where requests share nothing, one of each listener. */
  const hubs = new Map<string, Set<Hub>>();

  const openHub = (tenant: string): Hub => {
    const bells: Hub['bells'] = new Map();
    const heard = (data: Uint8Array): void => {
      for (const job of endedJobs(data)) for (const ring of bells.get(job) ?? []) ring();
    };
    const listen = async (): Promise<Subscription | undefined> => {
      try {
        const subscription = await subscribe?.(tenantEvents(tenant), heard);
        hub.hears = subscription !== undefined;
        return subscription;
      } catch (error) {
        log.warn('cannot listen for events; waiting requests look at the store instead', { tenant, error });
        return undefined;
      }
    };
    const hub: Hub = { bells, subscription: listen(), hears: false, listeners: 0 };
    hubs.set(tenant, (hubs.get(tenant) ?? new Set()).add(hub));
    return hub;
  };
  const leave = (tenant: string, hub: Hub): void => {
    if (--hub.listeners > 0) return;
    const others = hubs.get(tenant);
    if (others?.delete(hub) === true && others.size === 0) hubs.delete(tenant);
    hub.subscription
      .then((subscription) => subscription?.close())
      .catch((error: unknown) => log.warn('cannot end a subscription', { tenant, error }));
  };

  return {
    open(tenant) {
      const [known] = isolated === true ? [] : (hubs.get(tenant) ?? []);
      const hub = known ?? openHub(tenant);
      hub.listeners++;
      let off: (() => void) | undefined;
      return {
        hears: () => hub.hears,
        ready: hub.subscription,
        on(job, ring) {
          off?.();
          const bells = hub.bells.get(job) ?? new Set();
          hub.bells.set(job, bells.add(ring));
          off = () => {
            bells.delete(ring);
            if (bells.size === 0) hub.bells.delete(job);
          };
        },
        close() {
          off?.();
          leave(tenant, hub);
        },
      };
    },
    listeners: (tenant) => Array.from(hubs.get(tenant) ?? []).reduce((sum, { listeners }) => sum + listeners, 0),
    get tenants() {
      return hubs.size;
    },
  };
}

const decoder = new TextDecoder();
/** Most messages tell no end, and are not worth a parse. */
const tellsEnd = new RegExp(`"(?:${endStates.join('|')})"`);

/** The jobs that a message says have ended; none when it is not what it should be, for everybody may publish on a bus. */
function endedJobs(data: Uint8Array): readonly string[] {
  const text = decoder.decode(data);
  if (!tellsEnd.test(text)) return [];
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
  return Array.isArray(value) ? (value as unknown[]).flatMap(endedJob) : [];
}

function endedJob(event: unknown): string | readonly string[] {
  const { job, state } = Object(event) as { readonly job?: unknown; readonly state?: unknown };
  return typeof job === 'string' && typeof state === 'string' && isState(state) && isEnd(state) ? job : [];
}
