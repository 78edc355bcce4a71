// What the gateway needs from outside, as ports: an entry chooses them, a test hands in its own.
import type { Archives } from '#core/archives/archives.ts';
import type { Publisher, Subscription } from '#core/bus/bus.ts';
import type { Keys } from '#core/jobs/keys.ts';
import type { JobStore } from '#core/jobs/store.ts';
import type { Log } from '#core/log.ts';
import type { Metrics } from '#core/metrics/metrics.ts';
import type { HealthReport } from '#core/process/health.ts';
import type { Redis } from '#core/redis/redis.ts';
import type { Clock, Ids } from '#core/system.ts';
import type { Keyring } from '../http/keyring.ts';
import type { RateLimit } from '../http/rate-limit.ts';

export interface GatewayDeps {
  readonly store: JobStore;
  readonly keys: Keys;
  /** Uploaded repositories. */
  readonly archives: Archives;
  /** For the snapshot of the workers. */
  readonly redis: Pick<Redis, 'get'>;
  /** News for the bus: never throws, and may be lost. Everything it carries is in the store already. */
  readonly post: Publisher['post'];
  /** Listens on a subject; undefined where the runtime cannot, and waiting then looks at the store from time to time. */
  readonly subscribe: ((subject: string, handle: (data: Uint8Array) => void) => Promise<Subscription>) | undefined;
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
  /** Requests that wait for the end of a job at once. Default 1,000. */
  readonly maxWaiters?: number;
  /** Of these for one tenant, so that none takes every place. Default 200. */
  readonly maxWaitersPerTenant?: number;
}
