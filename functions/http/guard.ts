// What stands before every route with a role: lets in who has a key (or, for a stream, a ticket), not too often, and with a role that
// suffices.
import { CortexError } from '#core/errors.ts';
import { HttpError } from '#core/http/errors.ts';
import type { Role } from '#core/http/api-keys.ts';
import type { Clock } from '#core/system.ts';
import { authenticate, type Caller, tenantHeader } from './auth.ts';
import type { Identity, Keyring } from './keyring.ts';
import type { RateLimit } from './rate-limit.ts';
import { requireRole } from './roles.ts';
import type { AppContext, Route } from './route.ts';
import type { Tickets } from './tickets.ts';

export interface GuardDeps {
  readonly keyring: Keyring;
  readonly rateLimit: RateLimit | undefined;
  readonly clock: Clock;
  readonly peer: (env: unknown) => string | undefined;
  readonly tickets: Tickets;
}

/** The handler of a route behind its guard. It throws what `authenticate`, `Tickets.redeem`, `RateLimit.take` and `requireRole` throw. */
export function createGuard({ keyring, rateLimit, clock, peer, tickets }: GuardDeps) {
  return ({ handle, ticket }: Pick<Route, 'handle' | 'ticket'>, role: Role): Route['handle'] => {
    const admit = (c: AppContext, identity: Identity): Response | Promise<Response> => {
      rateLimit?.take(identity.keyId, clock.monotonic());
      requireRole(identity, role);
      c.set('identity', identity);
      return handle(c);
    };
    const callerOf = (c: AppContext): Caller => ({
      header: (name) => c.req.header(name),
      host: hostOf(c),
      peer: peer(c.env),
    });
    if (ticket !== true) return (c) => admit(c, authenticate(keyring, callerOf(c)));
    return async (c) => {
      refuseKeyInQuery(c);
      const given = c.req.query('ticket');
      if (given === undefined) return admit(c, authenticate(keyring, callerOf(c)));
      // Without keys only this machine is served, with a ticket as without.
      if (keyring.open) authenticate(keyring, callerOf(c));
      const identity = await tickets.redeem(given);
      const asked = c.req.header(tenantHeader);
      if (asked === undefined || asked === identity.tenant) return admit(c, identity);
      throw new CortexError('permission_denied', `${tenantHeader}: a ticket is for the tenant that it was made for`, {
        field: tenantHeader,
      });
    };
  };
}

/** The original took its key there, where every proxy and log on the way can read it. */
function refuseKeyInQuery(c: AppContext): void {
  if (c.req.query('api_key') === undefined) return;
  const instead = 'send it as X-API-Key, or open the stream with ?ticket= from POST /api/v1/stream-tickets';
  throw new HttpError(401, 'unauthenticated', `api_key: a key is not taken in an address; ${instead}`, {
    field: 'api_key',
    headers: { 'www-authenticate': 'Bearer realm="cortex"' },
  });
}

/** The Host header; over HTTP/2 it is only in the address. */
function hostOf(c: AppContext): string | undefined {
  return c.req.header('Host') ?? (URL.canParse(c.req.url) ? new URL(c.req.url).host : undefined);
}
