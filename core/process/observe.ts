// The two routes that every process serves for its keepers: GET /health (JSON) and GET /metrics (Prometheus text).
import type { ReadableMetrics } from '#core/metrics/metrics.ts';
import type { Health } from './health.ts';

/** A fetch handler. /health answers 200 once the process does its work, else 503. */
export function createObserveHandler(
  health: Health,
  metrics: ReadableMetrics,
): (request: Request) => Promise<Response> {
  return async (request) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return new Response(null, { status: 405, headers: { allow: 'GET, HEAD' } });
    }
    switch (new URL(request.url).pathname) {
      case '/health': {
        const { healthy, body } = await health.report();
        return Response.json(body, { status: healthy ? 200 : 503, headers: { 'cache-control': 'no-store' } });
      }
      case '/metrics':
        return new Response(await metrics.read(), { headers: { 'content-type': metrics.contentType } });
      default:
        return new Response('GET /health or GET /metrics\n', {
          status: 404,
          headers: { 'content-type': 'text/plain' },
        });
    }
  };
}
