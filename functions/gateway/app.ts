// The gateway: routes and what goes around them, out of ports alone. The same app runs on Node, in workerd and inside a test.
import { Hono } from 'hono';
import { CortexError, isRetryable, toCortexError } from '#core/errors.ts';
import { mountConnect, type RpcServerOptions } from '#core/http/connect.ts';
import { HttpError, httpStatus } from '#core/http/errors.ts';
import { unservedCall } from '#core/http/unserved.ts';
import { answers } from '../http/answer.ts';
import { cors, createCors, preflight } from '../http/cors.ts';
import { createGuard } from '../http/guard.ts';
import { answerError, observed } from '../http/observe.ts';
import { type AppEnv, honoPath, type Route } from '../http/route.ts';
import { createTickets } from '../http/tickets.ts';
import { createCancelJob } from './cancel-job.ts';
import type { GatewayDeps } from './deps.ts';
import { createReadJob } from './read-job.ts';
import { archiveRoutes } from './routes/archives.ts';
import { healthRoutes } from './routes/health.ts';
import { jobRoutes } from './routes/jobs.ts';
import { recordingRoutes } from './routes/recordings.ts';
import { streamRoutes } from './routes/streams.ts';
import { submitRoutes } from './routes/submit.ts';
import { traceRoutes } from './routes/traces.ts';
import { usageRoutes } from './routes/usage.ts';
import { workerRoutes } from './routes/workers.ts';
import { workflowRoutes } from './routes/workflows.ts';
import { cortexApi } from './rpc.ts';
import { callerValues, cortexGate } from './rpc-gate.ts';
import { createFeeds } from './streams/feeds.ts';
import { createFrames } from './streams/frames.ts';
import { createLeases, type Leases } from './streams/leases.ts';
import { createSubmitJob } from './submit-job.ts';
import { createTaps } from './taps.ts';
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
  readonly streams: Pick<Leases, 'open'>;
  /** Subjects of the bus that are listened to now. */
  readonly subscriptions: number;
  /** Ends every wait and every stream, each with a word: the process is stopping. */
  stop(): void;
}

/** Bytes of one message of CortexApi: the longest prompt in any script, and room for the rest. */
const maxRpcBytes = 512 * 1024;

export function createGateway(given: GatewayDeps): Gateway {
  // One subscription to a tenant's events for all who wait and all who follow.
  const alone = given.subscribe === undefined || given.isolated === true;
  const taps = alone ? undefined : createTaps(given.subscribe);
  const deps: GatewayDeps = taps === undefined ? given : { ...given, subscribe: taps.subscribe };
  const submitJob = createSubmitJob(deps);
  const cancelJob = createCancelJob(deps);
  const readJob = createReadJob(deps.store, deps.isolated);
  const waiters = createWaiters({ ...deps, readJob });
  const leases = createLeases(deps);
  const tickets = createTickets(deps.redis);
  const origins = createCors(deps.corsOrigins ?? []);
  const guarded = createGuard({ ...deps, tickets });
  const routes: readonly Route[] = [
    ...healthRoutes(deps),
    ...workerRoutes(deps),
    ...jobRoutes({ ...deps, cancelJob, readJob, waiters }),
    ...submitRoutes({ ...deps, submitJob, waiters }),
    ...archiveRoutes(deps),
    ...traceRoutes(deps),
    ...workflowRoutes({ ...deps, submitJob }),
    ...usageRoutes(deps),
    ...recordingRoutes(deps),
    ...streamRoutes({
      ...{ ...deps, readJob, leases, tickets, cors: origins },
      feeds: createFeeds(deps),
      frames: createFrames(deps.store),
    }),
  ];
  const rpc = cortexApi({ ...deps, submitJob });

  const app = new Hono<AppEnv>();
  app.use(answers(deps.ids));
  const crossing = (deps.corsOrigins?.length ?? 0) > 0;
  if (crossing) app.use(cors(origins));
  for (const route of routes) {
    const { role } = route;
    // Health is not counted, or probes would drown what people do.
    const handle = role === undefined ? route.handle : observed(deps, route, guarded(route, role));
    app.on(route.method, honoPath(route.path), handle);
  }
  for (const [path, allow] of methodsByPath(routes)) {
    app.all(honoPath(path), (c) => {
      const allowed = preflight(c, origins, allow);
      if (allowed !== undefined) return allowed;
      throw new HttpError(405, 'unimplemented', 'Method Not Allowed', { headers: { allow } });
    });
  }
  const rpcOptions: RpcServerOptions = {
    admit: cortexGate(deps),
    readMaxBytes: maxRpcBytes,
    onError: (error, method) => logRpc(deps.log, error, method),
    onCall: countedCall(deps),
  };
  if (crossing) app.options('/cortex.v1.CortexApi/:method', (c, next) => preflight(c, origins, 'POST') ?? next());
  mountConnect(app, rpc, { ...rpcOptions, contextValues: (c) => callerValues(deps.peer(c.env)) });
  app.notFound(
    (c) => unservedCall(c.req.raw) ?? answerError(new CortexError('not_found', 'page not found'), c, deps.log),
  );
  app.onError((error, c) => answerError(error, c, deps.log));
  const stop = (): void => {
    waiters.stop();
    leases.stop();
  };
  return {
    ...{ app, routes, rpc, rpcOptions, waiters, streams: leases, stop },
    get subscriptions() {
      return taps?.size ?? 0;
    },
  };
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

function logRpc(log: GatewayDeps['log'], error: unknown, method: string): void {
  const known = toCortexError(error);
  const ours = httpStatus(known) >= 500;
  log[!ours ? 'debug' : isRetryable(known) ? 'warn' : 'error']('an rpc failed', { method, error });
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
