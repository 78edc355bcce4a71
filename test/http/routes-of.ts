// The routes that there are, for tables that must have a row for each. Nothing behind them works.
import { createGateway } from '../../functions/gateway/app.ts';
import type { GatewayDeps } from '../../functions/gateway/deps.ts';

const nothing = new Proxy({}, { get: () => undefined });

/** `POST /api/v1/jobs/{id}/cancel` and so on. */
export function everyRoute(): readonly string[] {
  return createGateway(nothing as GatewayDeps).routes.map(({ method, path }) => `${method} ${path}`);
}
