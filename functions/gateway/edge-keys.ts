// Who may come in where there are no files: API_KEY, and the keys that `cortex config push` put in Redis.
import { createStoredSource } from '#core/config/stored.ts';
import { type ApiKey, parseApiKeys } from '#core/http/api-keys.ts';
import type { Redis } from '#core/redis/redis.ts';
import { unwrap } from '#core/result.ts';
import type { Clock } from '#core/system.ts';
import { createKeyring, type Keyring } from '../http/keyring.ts';
import type { GatewayEdgeConfig } from './edge-config.ts';

export interface EdgeKeys {
  /** The ring of the last look. */
  readonly ring: Keyring;
  /** Looks, at most once a second. Throws what Redis throws, and `failed_precondition` for keys that cannot be used. */
  refresh(): Promise<void>;
}

export interface EdgeKeysDeps {
  readonly redis: Pick<Redis, 'run'>;
  readonly clock: Pick<Clock, 'monotonic'>;
}

/** With neither API_KEY nor keys in Redis nobody comes in, unless the runtime serves this machine alone. */
export function createEdgeKeys(
  { apiKey, tenant, loopback }: Pick<GatewayEdgeConfig, 'apiKey' | 'tenant' | 'loopback'>,
  { redis, clock }: EdgeKeysDeps,
): EdgeKeys {
  const stored = createStoredSource({ redis, clock, name: 'keys', parse: parseApiKeys });
  const none: readonly ApiKey[] = [];
  let list: readonly ApiKey[] | undefined;
  const ringOf = (keys: readonly ApiKey[] | undefined): Keyring =>
    createKeyring({ apiKey, tenant, keys: keys === undefined && loopback ? undefined : () => keys ?? none });
  let current = ringOf(list);
  return {
    // One object for the whole life of the app, whatever keys there are.
    ring: {
      get open() {
        return current.open;
      },
      get local() {
        return current.local;
      },
      find: (key) => current.find(key),
    },
    async refresh() {
      const found = unwrap(await stored())?.value;
      if (found === list) return;
      list = found;
      current = ringOf(found);
    },
  };
}
