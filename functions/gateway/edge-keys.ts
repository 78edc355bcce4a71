// Who may come in where there are no files: API_KEY, and the keys that `cortex config push` put in Redis.
import { createStoredSource } from '#core/config/stored.ts';
import { CortexError } from '#core/errors.ts';
import { type ApiKey, parseApiKeys } from '#core/http/api-keys.ts';
import type { Log } from '#core/log.ts';
import type { Redis } from '#core/redis/redis.ts';
import type { Clock } from '#core/system.ts';
import { createKeyring, type Keyring } from '../http/keyring.ts';
import type { GatewayEdgeConfig } from './edge-config.ts';

export interface EdgeKeys {
  /** The ring of the last look. Using it throws `unavailable` while nobody knows which keys are in force. */
  readonly ring: Keyring;
  /** Looks, at most once a second. Never throws. */
  refresh(): Promise<void>;
  /** How many keys Redis holds. Throws `unavailable` as the ring does. */
  count(): number;
}

export interface EdgeKeysDeps {
  readonly redis: Pick<Redis, 'run'>;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly log: Log;
}

/** With neither API_KEY nor keys in Redis nobody comes in, unless the runtime serves this machine alone. */
export function createEdgeKeys(
  { apiKey, tenant, loopback }: Pick<GatewayEdgeConfig, 'apiKey' | 'tenant' | 'loopback'>,
  { redis, clock, log }: EdgeKeysDeps,
): EdgeKeys {
  const stored = createStoredSource({ redis, clock, name: 'keys', parse: parseApiKeys });
  const none: readonly ApiKey[] = [];
  const ringOf = (keys: readonly ApiKey[] | undefined): Keyring =>
    createKeyring({ apiKey, tenant, keys: keys === undefined && loopback ? undefined : () => keys ?? none });
  let list: readonly ApiKey[] | undefined;
  let current = ringOf(list);
  let fault: CortexError | undefined;
  let told = '';
  const known = <T>(of: (ring: Keyring) => T): T => {
    if (fault !== undefined) throw fault;
    return of(current);
  };
  return {
    // One object for the whole life of the app, whatever keys there are.
    ring: {
      get open() {
        return known(({ open }) => open);
      },
      get local() {
        return known(({ local }) => local);
      },
      find: (key) => known((ring) => ring.find(key)),
    },
    count: () => known(() => list?.length ?? 0),
    async refresh() {
      const found = await stored();
      if (!found.ok) {
        // What fails in the same way at every look is said once; and to nobody outside.
        if (found.error.message !== told) log.error('the API keys in Redis cannot be used', { error: found.error });
        told = found.error.message;
        fault = new CortexError('unavailable', 'which API keys are in force cannot be found out; the log says why');
        return;
      }
      [fault, told] = [undefined, ''];
      if (found.value?.value === list) return;
      list = found.value?.value;
      current = ringOf(list);
    },
  };
}
