// From a request to an identity, the same for every door (REST, Connect, gRPC). The key comes in a header, never in the address,
// where logs and histories would keep it. What the identity may do is roles.ts.
import { CortexError, invalid } from '#core/errors.ts';
import { HttpError } from '#core/http/errors.ts';
import { isSubjectToken } from '#core/protocol/subjects.ts';
import type { Identity, Keyring } from './keyring.ts';
import { notLocal } from './loopback.ts';

export interface Caller {
  /** A header of the request by name, in any case. */
  header(name: string): string | undefined;
  /** Host as the client wrote it, HTTP/2's :authority included. */
  readonly host: string | undefined;
  readonly peer: string | undefined;
}

/** The header in which an administrator names the tenant to act for. */
export const tenantHeader = 'X-Cortex-Tenant';

/** Who calls. Throws CortexError: `unauthenticated` without a known key, `permission_denied` for what that key may not be. */
export function authenticate(keyring: Keyring, caller: Caller): Identity {
  const identity = keyring.open ? local(keyring, caller) : byKey(keyring, caller);
  const asked = caller.header(tenantHeader);
  if (asked === undefined || asked === identity.tenant) return identity;
  if (!isSubjectToken(asked)) throw invalid(tenantHeader, 'is not the name of a tenant');
  if (identity.role !== 'admin') {
    throw new CortexError('permission_denied', `${tenantHeader}: only an admin acts for another tenant`, {
      field: tenantHeader,
    });
  }
  return { ...identity, tenant: asked };
}

function byKey(keyring: Keyring, caller: Caller): Identity {
  const key = presentedKey(caller);
  if (key === undefined) throw unauthenticated('an API key is needed, in the header X-API-Key or as a Bearer token');
  const identity = keyring.find(key);
  if (identity === undefined) throw unauthenticated('the API key is not known');
  return identity;
}

function presentedKey(caller: Caller): string | undefined {
  const plain = caller.header('X-API-Key');
  if (plain !== undefined && plain !== '') return plain;
  return /^Bearer +(\S+)$/i.exec(caller.header('Authorization') ?? '')?.[1];
}

function local(keyring: Keyring, caller: Caller): Identity {
  const wrong = notLocal({ peer: caller.peer, host: caller.host, origin: caller.header('Origin') });
  if (wrong === undefined) return keyring.local;
  const { reason, ...blame } = wrong;
  throw new CortexError('permission_denied', `without a key only this machine is served, and ${reason}`, blame);
}

function unauthenticated(message: string): HttpError {
  return new HttpError(401, 'unauthenticated', message, { headers: { 'www-authenticate': 'Bearer realm="cortex"' } });
}
