// Pages of other origins: only those that the configuration names may read answers, and never with cookies, of which there are none.
// For any other origin nothing is said at all, and its browser keeps the answer from it. Whether a request is allowed is not decided here.
import { createMiddleware } from 'hono/factory';
import { CortexError } from '#core/errors.ts';
import type { AppContext, AppEnv } from './route.ts';

export interface Cors {
  /** Whether pages of this origin may read answers. */
  listed(origin: string): boolean;
}

const requestHeaders = [
  ...['Authorization', 'Content-Type', 'X-API-Key', 'X-Cortex-Tenant', 'X-Session-Id', 'X-Request-Id'],
  ...['Idempotency-Key', 'Last-Event-ID'],
  // Connect and gRPC-Web.
  ...['Connect-Protocol-Version', 'Connect-Timeout-Ms', 'X-Grpc-Web', 'X-User-Agent', 'Grpc-Timeout'],
].join(', ');

const exposedHeaders = [
  ...['Location', 'X-Request-Id', 'Idempotent-Replayed', 'Retry-After', 'Allow', 'WWW-Authenticate'],
  ...['Grpc-Status', 'Grpc-Message', 'Cortex-Field'],
].join(', ');

/** How long a browser may remember what a preflight said, s. */
const maxAge = '600';

export function createCors(origins: readonly string[]): Cors {
  const all = new Set(origins);
  return { listed: (origin) => all.has(origin) };
}

/** Adds to every answer what a listed origin needs to read it. */
export function cors({ listed }: Cors) {
  return createMiddleware<AppEnv>(async (c, next) => {
    await next();
    const { headers } = c.res;
    headers.append('vary', 'Origin');
    const origin = c.req.header('Origin');
    if (origin === undefined || !listed(origin)) return;
    headers.set('access-control-allow-origin', origin);
    headers.set('access-control-expose-headers', exposedHeaders);
  });
}

/** The answer to a preflight of a listed origin; undefined for any other request. */
export function preflight(c: AppContext, { listed }: Cors, methods: string): Response | undefined {
  const origin = c.req.header('Origin');
  if (c.req.method !== 'OPTIONS' || origin === undefined || !listed(origin)) return undefined;
  if (c.req.header('Access-Control-Request-Method') === undefined) return undefined;
  return new Response(null, {
    status: 204,
    headers: {
      'access-control-allow-methods': methods,
      'access-control-allow-headers': requestHeaders,
      'access-control-max-age': maxAge,
    },
  });
}

/**
 * A WebSocket is not kept to its origin by the browser: whoever opens one is asked here. Throws `permission_denied` for a page that is
 * neither listed nor of this host; what is no page sends no Origin.
 */
export function checkSocketOrigin(c: AppContext, { listed }: Cors): void {
  const origin = c.req.header('Origin');
  if (origin === undefined || listed(origin)) return;
  const host = c.req.header('Host')?.toLowerCase();
  if (host !== undefined && URL.canParse(origin) && new URL(origin).host === host) return;
  throw new CortexError('permission_denied', 'Origin: pages of this origin may not open streams (CORS_ORIGINS)', {
    field: 'Origin',
  });
}
