// Who may come in: API_KEY, the keys of a file, or, with neither, whoever sits at this machine. It holds digests, never keys,
// and looks a presented key up by its digest, so that the time it takes tells nothing about the keys that exist.
import { type ApiKey, keyDigest, type Role } from '#core/http/api-keys.ts';

/** Who is calling, and for which tenant. */
export interface Identity {
  /** The key's id, for logs and limits. */
  readonly keyId: string;
  readonly tenant: string;
  readonly principal: string;
  readonly role: Role;
}

export interface Keyring {
  /** No key is configured: only this machine may call, and needs none. */
  readonly open: boolean;
  /** Whose key this is. */
  find(key: string): Identity | undefined;
  /** Who a caller without a key is, when the ring is open. */
  readonly local: Identity;
}

export interface KeyringOptions {
  /** API_KEY. Its holder is the administrator, as the only key of the original was. */
  readonly apiKey: string | undefined;
  /** TENANT_ID: the tenant of API_KEY, and of callers without a key. */
  readonly tenant: string;
  /** The keys of API_KEYS_PATH as they are now; undefined when the variable is not set. An empty list lets nobody in. */
  readonly keys: (() => readonly ApiKey[]) | undefined;
}

/** No key is longer; what is, is not even hashed. */
const maxKeyLength = 512;

/** The ring. The list of keys may change at any time: a new array is noticed at the next call. */
export function createKeyring({ apiKey, tenant, keys }: KeyringOptions): Keyring {
  const single: Identity = { keyId: 'API_KEY', tenant, principal: 'api-key', role: 'admin' };
  const singleDigest = apiKey === undefined ? undefined : keyDigest(apiKey);
  let indexed: readonly ApiKey[] | undefined;
  let index = new Map<string, Identity>();
  const current = (): Map<string, Identity> => {
    const list = keys?.() ?? [];
    if (list === indexed) return index;
    index = new Map(
      list.map((k) => [k.sha256, { keyId: k.id, tenant: k.tenant, principal: k.principal, role: k.role }]),
    );
    if (singleDigest !== undefined) index.set(singleDigest, single);
    indexed = list;
    return index;
  };
  return {
    open: apiKey === undefined && keys === undefined,
    local: { keyId: 'loopback', tenant, principal: 'local', role: 'admin' },
    find: (key) => (key.length > maxKeyLength ? undefined : current().get(keyDigest(key))),
  };
}
