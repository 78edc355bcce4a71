// Metrics that a test can read at once: counters summed, gauges as last set, of histograms how often and the sum.
import type { Metrics } from '#core/metrics/metrics.ts';

export interface CountedMetrics extends Metrics {
  /** `name{label="value"}` in the order in which the labels were given; 0 for what was never told. */
  read(series: string): number;
}

export function createCountedMetrics(): CountedMetrics {
  const values = new Map<string, number>();
  const seriesOf = (name: string, labels: Readonly<Record<string, string>>): string => {
    const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
    return pairs.length === 0 ? name : `${name}{${pairs.join(',')}}`;
  };
  const add = (series: string, n: number): void => void values.set(series, (values.get(series) ?? 0) + n);
  return {
    count: (name, labels, n = 1) => add(seriesOf(name, labels), n),
    observe(name, labels, value) {
      add(seriesOf(`${name}_count`, labels), 1);
      add(seriesOf(`${name}_sum`, labels), value);
    },
    gauge: (name, labels, value) => void values.set(seriesOf(name, labels), value),
    read: (series) => values.get(series) ?? 0,
  };
}
