// What the gateway needs from outside, as ports: an entry chooses them, a test hands in its own.
import type { Archives } from '#core/archives/archives.ts';
import type { Publisher, Subscription } from '#core/bus/bus.ts';
import type { Keys } from '#core/jobs/keys.ts';
import type { JobStore } from '#core/jobs/store.ts';
import type { Journal } from '#core/workflow/journal.ts';
import type { Log } from '#core/log.ts';
import type { Metrics } from '#core/metrics/metrics.ts';
import type { HealthReport } from '#core/process/health.ts';
import type { Redis } from '#core/redis/redis.ts';
import type { Clock, Ids } from '#core/system.ts';
import type { Keyring } from '../http/keyring.ts';
import type { RateLimit } from '../http/rate-limit.ts';
import type { Upgrade } from '../http/upgrade.ts';

export interface GatewayDeps {
  readonly store: JobStore;
  readonly keys: Keys;
  /** What runs of workflows remember, and their signals. */
  readonly journal: Journal;
  /** Uploaded repositories. */
  readonly archives: Archives;
  /** For the snapshot of the workers, and for tickets. */
  readonly redis: Pick<Redis, 'get' | 'set' | 'run'>;
  /** News for the bus: never throws, and may be lost. Everything it carries is in the store already. */
  readonly post: Publisher['post'];
  /** Listens on a subject; undefined where the runtime cannot, and waiting then looks at the store from time to time. */
  readonly subscribe: ((subject: string, handle: (data: Uint8Array) => void) => Promise<Subscription>) | undefined;
  /**
   * True in workerd: no request may wait for what another one has begun, so nothing is gathered over requests, and each that waits has a
   * subscription of its own.
   */
  readonly isolated?: boolean;
  readonly keyring: Keyring;
  /** Undefined: nobody is limited. */
  readonly rateLimit: RateLimit | undefined;
  readonly health: () => Promise<HealthReport>;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly clock: Clock;
  readonly ids: Ids;
  /** The address at the other end, from what the runtime hands in beside the request. */
  readonly peer: (env: unknown) => string | undefined;
  /** How this runtime makes a WebSocket of a request; undefined where it cannot. */
  readonly upgrade?: Upgrade | undefined;
  /** Origins whose pages may read answers and open streams. Default none. */
  readonly corsOrigins?: readonly string[];
  readonly streams?: StreamSettings;
  /** Requests that wait for the end of a job at once. Default 1,000. */
  readonly maxWaiters?: number;
  /** Of these for one tenant, so that none takes every place. Default 200. */
  readonly maxWaitersPerTenant?: number;
}

export interface StreamSettings {
  /** Streams of this process at once. Default 5,000. */
  readonly max?: number;
  /** Of these for one tenant. Default 2,000. */
  readonly maxPerTenant?: number;
  /** How long one stream may live, ms. Default an hour. */
  readonly lifetimeMs?: number;
  /** Between two signs of life, ms. Default 15 s. */
  readonly beatMs?: number;
  /** Between two looks at the store where no bus is listened to, ms. Default 500. */
  readonly pollMs?: number;
}
