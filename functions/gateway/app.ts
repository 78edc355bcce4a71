// The gateway: routes and what goes around them, out of ports alone. The same app runs on Node, in workerd and inside a test.
import { Hono } from 'hono';
import { CortexError, isRetryable, toCortexError } from '#core/errors.ts';
import { mountConnect, type RpcServerOptions } from '#core/http/connect.ts';
import { HttpError, httpStatus } from '#core/http/errors.ts';
import { unservedCall } from '#core/http/unserved.ts';
import { authenticate } from '../http/auth.ts';
import { answers } from '../http/answer.ts';
import { answerError, observed } from '../http/observe.ts';
import { requireRole } from '../http/roles.ts';
import { type AppContext, type AppEnv, honoPath, type Route } from '../http/route.ts';
import { createCancelJob } from './cancel-job.ts';
import type { GatewayDeps } from './deps.ts';
import { createReadJob } from './read-job.ts';
import { healthRoutes } from './routes/health.ts';
import { jobRoutes } from './routes/jobs.ts';
import { submitRoutes } from './routes/submit.ts';
import { traceRoutes } from './routes/traces.ts';
import { workerRoutes } from './routes/workers.ts';
import { cortexApi } from './rpc.ts';
import { callerValues, cortexGate } from './rpc-gate.ts';
import { createSubmitJob } from './submit-job.ts';
import { createWaiters, type Waiters } from './waiters.ts';

export interface Gateway {
  readonly app: Hono<AppEnv>;
  /** Every REST route, for those who check that none is forgotten. */
  readonly routes: readonly Route[];
  /** CortexApi, for a server that speaks gRPC. */
  readonly rpc: ReturnType<typeof cortexApi>;
  /** For that server. */
  readonly rpcOptions: RpcServerOptions;
  readonly waiters: Waiters;
}

/** Bytes of one message of CortexApi: the longest prompt in any script, and room for the rest. */
const maxRpcBytes = 512 * 1024;

export function createGateway(deps: GatewayDeps): Gateway {
  const submitJob = createSubmitJob(deps);
  const cancelJob = createCancelJob(deps);
  const readJob = createReadJob(deps.store, deps.isolated);
  const waiters = createWaiters({ ...deps, readJob });
  const routes: readonly Route[] = [
    ...healthRoutes(deps),
    ...workerRoutes(deps),
    ...jobRoutes({ ...deps, cancelJob, readJob, waiters }),
    ...submitRoutes({ ...deps, submitJob, waiters }),
    ...traceRoutes(deps),
  ];
  const rpc = cortexApi({ ...deps, submitJob });

  const app = new Hono<AppEnv>();
  app.use(answers(deps.ids));
  for (const route of routes) {
    const { role } = route;
    // Health is not counted, or probes would drown what people do.
    const handle = role === undefined ? route.handle : observed(deps, route, guarded(deps, route.handle, role));
    app.on(route.method, honoPath(route.path), handle);
  }
  for (const [path, allow] of methodsByPath(routes)) {
    app.all(honoPath(path), () => {
      throw new HttpError(405, 'unimplemented', 'Method Not Allowed', { headers: { allow } });
    });
  }
  const rpcOptions: RpcServerOptions = {
    admit: cortexGate(deps),
    readMaxBytes: maxRpcBytes,
    onError: (error, method) => logRpc(deps.log, error, method),
    onCall: countedCall(deps),
  };
  mountConnect(app, rpc, { ...rpcOptions, contextValues: (c) => callerValues(deps.peer(c.env)) });
  app.notFound(
    (c) => unservedCall(c.req.raw) ?? answerError(new CortexError('not_found', 'page not found'), c, deps.log),
  );
  app.onError((error, c) => answerError(error, c, deps.log));
  return { app, routes, rpc, rpcOptions, waiters };
}

/** Calls of CortexApi in the metrics of requests, by the status that Connect sends. */
function countedCall({ metrics, clock }: GatewayDeps): NonNullable<RpcServerOptions['onCall']> {
  return (name) => {
    const began = clock.monotonic();
    const call = { method: 'POST', route: `/${name}` };
    return (error) => {
      const status = String(error === undefined ? 200 : httpStatus(error));
      metrics.count('cortex_api_gateway_http_requests_total', { ...call, status });
      metrics.observe('cortex_api_gateway_http_request_duration_seconds', call, (clock.monotonic() - began) / 1000);
    };
  };
}

/** Lets in who has a key, not too often, and with a role that suffices. */
function guarded(deps: GatewayDeps, handle: Route['handle'], role: NonNullable<Route['role']>): Route['handle'] {
  const { keyring, rateLimit, clock, peer } = deps;
  return (c: AppContext) => {
    const header = (name: string): string | undefined => c.req.header(name);
    const identity = authenticate(keyring, { header, host: hostOf(c), peer: peer(c.env) });
    rateLimit?.take(identity.keyId, clock.monotonic());
    requireRole(identity, role);
    c.set('identity', identity);
    return handle(c);
  };
}

function logRpc(log: GatewayDeps['log'], error: unknown, method: string): void {
  const known = toCortexError(error);
  const ours = httpStatus(known) >= 500;
  log[!ours ? 'debug' : isRetryable(known) ? 'warn' : 'error']('an rpc failed', { method, error });
}

/** The Host header; over HTTP/2 it is only in the address. */
function hostOf(c: AppContext): string | undefined {
  return c.req.header('Host') ?? (URL.canParse(c.req.url) ? new URL(c.req.url).host : undefined);
}

function methodsByPath(routes: readonly Route[]): ReadonlyMap<string, string> {
  const methods = new Map<string, string[]>();
  for (const { path, method } of routes) {
    const known = methods.get(path) ?? [];
    known.push(...(method === 'GET' ? ['GET', 'HEAD'] : [method]));
    methods.set(path, known);
  }
  return new Map(Array.from(methods, ([path, names]) => [path, names.join(', ')]));
}
