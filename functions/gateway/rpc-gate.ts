// Who may call CortexApi, and reflection beside it: told by the headers alone, so that a stranger's message is never read. The methods ask here who was let in.
import { type ContextValues, createContextKey, createContextValues, type HandlerContext } from '@connectrpc/connect';
import { CortexError } from '#core/errors.ts';
import type { Role } from '#core/http/api-keys.ts';
import type { RpcServerOptions } from '#core/http/connect.ts';
import type { CortexApi } from '#proto/cortex/v1/gateway_pb.ts';
import { authenticate } from '../http/auth.ts';
import type { Identity } from '../http/keyring.ts';
import { requireRole } from '../http/roles.ts';
import type { GatewayDeps } from './deps.ts';

/** The address at the other end, which Connect itself does not tell. */
const peerKey = createContextKey<string | undefined>(undefined, {
  description: 'the address at the other end',
});
const identityKey = createContextKey<Identity | undefined>(undefined, {
  description: 'who was let in',
});

/** What a server hands to the gate beside the request. */
export function callerValues(peer: string | undefined): ContextValues {
  return createContextValues().set(peerKey, peer);
}

/** The least role for each method. */
const leastRoles: Readonly<Record<keyof typeof CortexApi.method, Role>> = {
  submitJob: 'submitter',
  getJobStatus: 'viewer',
};

/** For `admit` of a server: key, rate and role. Throws what `authenticate`, `RateLimit.take` and `requireRole` throw. */
export function cortexGate({
  keyring,
  rateLimit,
  clock,
}: Pick<GatewayDeps, 'keyring' | 'rateLimit' | 'clock'>): NonNullable<RpcServerOptions['admit']> {
  return ({ requestHeader: headers, url, values, service, method }) => {
    const host = headers.get('host') ?? (URL.canParse(url) ? new URL(url).host : undefined);
    const header = (name: string): string | undefined => headers.get(name) ?? undefined;
    const identity = authenticate(keyring, {
      header,
      host,
      peer: values.get(peerKey),
    });
    rateLimit?.take(identity.keyId, clock.monotonic());
    requireRole(identity, leastRole(service.typeName, method.localName));
    values.set(identityKey, identity);
  };
}

function leastRole(service: string, method: string): Role {
  // Which methods there are may be read by whoever may read anything.
  if (/^grpc\.reflection\.v1(?:alpha)?\.ServerReflection$/.test(service)) return 'viewer';
  return Object.hasOwn(leastRoles, method) ? leastRoles[method as keyof typeof leastRoles] : 'admin';
}

/** Who calls. Throws CortexError `internal` where no gate stood before the method. */
export function admitted({ values }: Pick<HandlerContext, 'values'>): Identity {
  const identity = values.get(identityKey);
  if (identity === undefined) throw new CortexError('internal', 'CortexApi was mounted without its gate');
  return identity;
}
