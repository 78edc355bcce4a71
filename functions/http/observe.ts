// What happens around every route: errors as problem JSON and in the log, and the two metrics.
import { isRetryable, toCortexError } from '#core/errors.ts';
import { httpStatus, problemResponse } from '#core/http/errors.ts';
import type { Log } from '#core/log.ts';
import type { Metrics } from '#core/metrics/metrics.ts';
import type { Clock } from '#core/system.ts';
import type { AppContext, Route } from './route.ts';
import { statusOf } from './upgrade.ts';

/** Problem JSON for anything thrown. What is our fault is logged with its causes; what is only away for a while is a warning. */
export function answerError(error: unknown, c: AppContext, log: Log): Response {
  const known = toCortexError(error);
  const requestId = c.get('requestId');
  if (httpStatus(known) >= 500) {
    const { method, path } = c.req;
    log[isRetryable(known) ? 'warn' : 'error']('a request failed', { request_id: requestId, method, path, error });
  }
  return problemResponse(error, requestId);
}

export interface ObserveDeps {
  readonly metrics: Metrics;
  readonly log: Log;
  readonly clock: Pick<Clock, 'monotonic'>;
}

/** The route's handler with its errors answered, and counted by pattern. */
export function observed({ metrics, log, clock }: ObserveDeps, route: Route, handle: Route['handle']): Route['handle'] {
  const { method, path } = route;
  return async (c) => {
    const began = clock.monotonic();
    let response: Response;
    try {
      response = await handle(c);
    } catch (error) {
      response = answerError(error, c, log);
    }
    metrics.count('cortex_api_gateway_http_requests_total', {
      method,
      route: path,
      status: String(statusOf(response)),
    });
    const seconds = (clock.monotonic() - began) / 1000;
    metrics.observe('cortex_api_gateway_http_request_duration_seconds', { method, route: path }, seconds);
    return response;
  };
}
