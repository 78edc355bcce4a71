// The context engine as an app: its methods by Connect, gRPC-Web and JSON at /<service>/<method>.
import { Hono } from 'hono';
import { CortexError } from '#core/errors.ts';
import { mountConnect, type Routes, type RpcServerOptions } from '#core/http/connect.ts';
import { mountRest } from '#core/http/service-app.ts';
import { requireToken } from '#core/http/token.ts';
import type { Log } from '#core/log.ts';
import type { Metrics } from '#core/metrics/metrics.ts';
import type { Clock } from '#core/system.ts';
import { type ContextDeps, contextRoutes } from './service.ts';

export interface ContextAppDeps extends Omit<ContextDeps, 'log'> {
  readonly memoryLog: ContextDeps['log'];
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** Without one, whoever reaches the engine may ask it. */
  readonly token?: string | undefined;
}

export interface ContextApp {
  readonly app: Hono;
  /** For a server that speaks gRPC beside the app: the same methods, to be mounted with the same options. */
  readonly routes: Routes;
  readonly options: RpcServerOptions;
}

/** A scan of 50,000 files, as JSON. */
const readMaxBytes = 16 * 2 ** 20;
/** The largest repository takes minutes to read. */
const maxTimeoutMs = 600_000;

export function createContextApp({ memoryLog, log, metrics, clock, token, ...deps }: ContextAppDeps): ContextApp {
  const app = new Hono();
  const routes = contextRoutes({ ...deps, log: memoryLog });
  const options: RpcServerOptions = {
    ...(token === undefined
      ? {}
      : { admit: requireToken(token, 'the context engine wants CONTEXT_ENGINE_TOKEN as a bearer token') }),
    readMaxBytes,
    maxTimeoutMs,
    onCall(method) {
      const began = clock.monotonic();
      const name = method.slice(method.lastIndexOf('/') + 1);
      return (error) => {
        metrics.count('cortex_context_calls_total', { method: name, code: error?.code ?? 'ok' });
        metrics.observe('cortex_context_call_seconds', { method: name }, (clock.monotonic() - began) / 1_000);
      };
    },
    onError(error, method) {
      const known = error instanceof CortexError;
      log[known ? 'debug' : 'error']('a call failed', { method, error });
    },
  };
  mountConnect(app, routes, options);
  app.get('/health', (c) => c.json({ status: 'ok' }));
  mountRest(app, log);
  return { app, routes, options };
}
