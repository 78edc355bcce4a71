// The safety kernel as an app for any runtime: judges jobs by the policy in force and keeps nothing of them.
//
// A tenant's allowed_repo_hosts go along with the allow of the step that fetches a repository (job.repo.scan), as the constraint
// sandbox.network_allowlist, and bind the worker. What a policy may say and nobody keeps yet is max_concurrent_jobs (it belongs to
// the claim, where running jobs are counted; sent as a constraint it would bind one worker's one run); whoever loads a policy logs
// it. REQUIRE_HUMAN and THROTTLE are never this kernel's answer, but callers understand them, because foreign kernels give them.
import { Hono } from 'hono';
import { CortexError } from '#core/errors.ts';
import { mountConnect, type Routes, type RpcServerOptions } from '#core/http/connect.ts';
import { mountRest } from '#core/http/service-app.ts';
import { requireToken } from '#core/http/token.ts';
import { formatPolicy } from '#core/jobs/job.ts';
import type { Log } from '#core/log.ts';
import { type KernelDeps, kernelRoutes } from './kernel.ts';

export interface SafetyDeps extends KernelDeps {
  readonly log: Log;
  /** Without one, whoever reaches the kernel may ask it. */
  readonly token?: string | undefined;
}

export interface Safety {
  readonly app: Hono;
  /** For a server that speaks gRPC beside the app: the same methods, to be mounted with the same options. */
  readonly routes: Routes;
  readonly options: RpcServerOptions;
}

/** Connect (JSON and binary) and gRPC-Web at `/<service>/<method>`, and GET /health: 503 while there is no usable policy. */
export function createSafety({ log, token, ...deps }: SafetyDeps): Safety {
  const app = new Hono();
  const routes = kernelRoutes(deps);
  const options: RpcServerOptions = {
    ...(token === undefined
      ? {}
      : { admit: requireToken(token, 'the safety kernel wants SAFETY_KERNEL_TOKEN as a bearer token') }),
    onError(error, method) {
      // A policy that cannot be used was logged by its source when that was found out.
      const known = error instanceof CortexError;
      log[known ? 'debug' : 'error']('a check failed', { method, error });
    },
  };
  mountConnect(app, routes, options);
  app.get('/health', async (c) => {
    const current = await deps.source.current();
    return current.ok
      ? c.json({ status: 'ok', policy: formatPolicy(current.value.version) })
      : c.json({ status: 'degraded', error: current.error.message }, 503);
  });
  mountRest(app, log);
  return { app, routes, options };
}
