// Counters that a driver keeps by itself (it knows no metrics): looked at once a second, and what came since is added.
import type { Clock } from '#core/system.ts';
import type { Metrics } from './metrics.ts';

/** Counters without labels that drivers keep. */
export type Followed = 'cortex_bus_dropped_total' | 'cortex_redis_calls_total';

const everyMs = 1_000;

/** Follows the sources until the signal aborts. A source never goes back. */
export function followCounters(
  { metrics, clock, signal }: { readonly metrics: Metrics; readonly clock: Clock; readonly signal: AbortSignal },
  sources: Readonly<Partial<Record<Followed, () => number>>>,
): void {
  const seen = new Map<Followed, number>();
  const look = (): void => {
    for (const [name, read] of Object.entries(sources) as [Followed, () => number][]) {
      const now = read();
      const grown = now - (seen.get(name) ?? 0);
      if (grown > 0) metrics.count(name, {}, grown);
      seen.set(name, now);
    }
    if (!signal.aborted) clock.after(everyMs, look);
  };
  look();
}
