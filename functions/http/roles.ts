// What a role may do. Everything happens inside the identity's tenant; this file never looks at tenants.
import { CortexError } from '#core/errors.ts';
import { type Role, roles } from '#core/http/api-keys.ts';
import type { Identity } from './keyring.ts';

/** Throws CortexError `permission_denied` when the role is less than what is needed. */
export function requireRole(identity: Identity, least: Role): void {
  if (hasRole(identity, least)) return;
  throw new CortexError('permission_denied', `this needs the role ${least}, and the key has ${identity.role}`);
}

/** Whether the role is at least that one. */
export function hasRole(identity: Identity, least: Role): boolean {
  return roles.indexOf(identity.role) >= roles.indexOf(least);
}

/** Whether the identity may cancel a job of this principal. Submitters end their own jobs alone. */
export function mayCancel(identity: Identity, principal: string): boolean {
  return hasRole(identity, 'operator') || (identity.role === 'submitter' && principal === identity.principal);
}

/**
 * The principal a job is submitted for: the one asked for, else the key's own. Throws `permission_denied` when a mere submitter
 * names somebody else.
 */
export function actingPrincipal(identity: Identity, asked: string): string {
  if (asked === '' || asked === identity.principal) return identity.principal;
  if (hasRole(identity, 'operator')) return asked;
  throw new CortexError(
    'permission_denied',
    "principal_id: is not the key's own, and a submitter acts for itself alone",
    {
      field: 'principal_id',
    },
  );
}

/** The tenant that is meant. Throws `permission_denied`, naming `field`, when it is not the key's, unless the key is an admin's. */
export function actingTenant(identity: Identity, asked: string, field = 'tenant_id'): string {
  if (asked === '' || asked === identity.tenant) return identity.tenant;
  if (identity.role === 'admin') return asked;
  throw new CortexError('permission_denied', `${field}: is not the key's tenant`, { field });
}
