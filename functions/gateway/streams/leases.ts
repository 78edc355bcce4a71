// The places of streams: so many in this process, so many of one tenant, none for ever. A lease ends by whoever comes first: the
// stream itself, its client, its lifetime, the end of the process.
import { CortexError } from '#core/errors.ts';
import { HttpError } from '#core/http/errors.ts';
import type { GatewayDeps } from '../deps.ts';

export type StreamKind = 'sse' | 'websocket';

/**
 * `done`: all is told. `client`: it went away. `slow`: it does not take what is there. `rude`: it sends too much. `failed`: a fault of
 * ours.
 */
export type StreamEnd = 'done' | 'client' | 'slow' | 'rude' | 'failed' | 'lifetime' | 'stopping';

export interface Lease {
  /** Aborts when the stream must end; `ended` says why. */
  readonly signal: AbortSignal;
  readonly ended: StreamEnd | undefined;
  /** Says that the stream must end, or has: the first word counts. */
  end(why: StreamEnd): void;
  /** Gives the place back. Idempotent. */
  release(): void;
  /** Called once when the place is given back. */
  onRelease(run: () => void): void;
}

export interface Leases {
  /** A place. Throws HttpError 429 when the tenant has all of its, 503 when nobody gets one. */
  take(kind: StreamKind, tenant: string, gone: AbortSignal | undefined): Lease;
  readonly open: number;
  /** Ends every stream, and refuses more: the process is stopping. */
  stop(): void;
}

/** How long a stream that must end may take to say so, ms. */
const graceMs = 2_000;

export function createLeases(deps: Pick<GatewayDeps, 'clock' | 'metrics' | 'streams'>): Leases {
  const { clock, metrics, streams = {} } = deps;
  const { max = 5_000, maxPerTenant = 2_000, lifetimeMs = 3_600_000 } = streams;
  const byTenant = new Map<string, number>();
  const byKind = new Map<StreamKind, number>();
  const open = new Set<Lease>();
  let stopping = false;

  const add = (kind: StreamKind, tenant: string, n: 1 | -1): void => {
    const left = (byTenant.get(tenant) ?? 0) + n;
    if (left > 0) byTenant.set(tenant, left);
    else byTenant.delete(tenant);
    const ofKind = (byKind.get(kind) ?? 0) + n;
    byKind.set(kind, ofKind);
    metrics.gauge('cortex_api_gateway_streams_open', { kind }, ofKind);
  };
  const later = { headers: { 'retry-after': '5' } };

  return {
    take(kind, tenant, gone) {
      if (stopping) throw new HttpError(503, 'unavailable', 'this gateway is stopping; another one serves you', later);
      if ((byTenant.get(tenant) ?? 0) >= maxPerTenant) {
        const message = `the tenant has ${maxPerTenant} streams open here already; close one first`;
        throw new HttpError(429, 'resource_exhausted', message, later);
      }
      const all = Array.from(byKind.values()).reduce((sum, n) => sum + n, 0);
      if (all >= max) throw new HttpError(503, 'unavailable', 'all streams of this gateway are taken', later);

      const controller = new AbortController();
      const releases: (() => void)[] = [];
      let ended: StreamEnd | undefined;
      let released = false;
      let cancelGrace = (): void => undefined;
      const leave = (): void => lease.end('client');
      const lease: Lease = {
        signal: controller.signal,
        get ended() {
          return ended;
        },
        end(why) {
          if (ended !== undefined) return;
          ended = why;
          metrics.count('cortex_api_gateway_streams_ended_total', { kind, cause: why });
          controller.abort(new CortexError('canceled', `the stream ends: ${why}`));
          // Nobody is there to hear a last word; else there is a little time for it.
          if (why === 'client') lease.release();
          else cancelGrace = clock.after(graceMs, lease.release);
        },
        release() {
          if (released) return;
          released = true;
          lease.end('done');
          cancelGrace();
          cancelLife();
          gone?.removeEventListener('abort', leave);
          open.delete(lease);
          add(kind, tenant, -1);
          for (const run of releases) run();
        },
        onRelease: (run) => void releases.push(run),
      };
      const cancelLife = clock.after(lifetimeMs, () => lease.end('lifetime'));
      open.add(lease);
      add(kind, tenant, 1);
      if (gone?.aborted === true) leave();
      else gone?.addEventListener('abort', leave);
      return lease;
    },
    get open() {
      return open.size;
    },
    stop() {
      stopping = true;
      for (const lease of open) lease.end('stopping');
    },
  };
}
