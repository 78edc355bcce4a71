// The two routes that every process serves for its keepers: GET /health (JSON) and GET /metrics (Prometheus text).
import type { ReadableMetrics } from '#core/metrics/metrics.ts';
import { type Address, isLoopback } from './address.ts';
import type { Health } from './health.ts';

/**
 * A fetch handler. /health answers 200 once the process does its work, else 503. On a loopback address nobody is answered who
 * calls it by another name: a web page whose name was made to point here may not read what runs on this machine.
 */
export function createObserveHandler(
  health: Health,
  metrics: ReadableMetrics,
  addr: Address,
): (request: Request) => Promise<Response> {
  return async (request) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return new Response(null, { status: 405, headers: { allow: 'GET, HEAD' } });
    }
    const { hostname, pathname } = new URL(request.url);
    if (isLoopback(addr) && !isLoopback({ host: hostname.replace(/^\[(.*)\]$/, '$1'), port: 0 })) {
      return new Response('the Host header does not name this machine\n', { status: 403 });
    }
    switch (pathname) {
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
