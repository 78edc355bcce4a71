// The metrics driver on prom-client, with Node's own metrics (event loop, heap, GC) beside ours. prom-client hashes the labels of
// every call, which costs 0.2 to 0.7 us here: cheap enough to keep no children of our own.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { ReadableMetrics } from './metrics.ts';
import { type MetricName, metricTable } from './table.ts';

export interface PromOptions {
  /** Beginnings of names, as `cortex_scheduler_`: these are listed from the start, all others with their first value. */
  readonly owns?: readonly string[];
  /** Node's own metrics. Default true; tests that create many registries leave them out. */
  readonly nodeMetrics?: boolean;
  /** Distinct values that one label may have in this process; topics come from users. What is beyond counts as `other`. */
  readonly maxLabelValues?: number;
  /** By label, the values that are not made up by users, as the topics of pools.yaml: always counted by name, within the same bound. */
  readonly known?: Readonly<Record<string, Iterable<string>>>;
}

/** A registry of its own, so that several may live in one process. */
export function createPromMetrics(options: PromOptions = {}): ReadableMetrics {
  const registry = new Registry();
  if (options.nodeMetrics !== false) collectDefaultMetrics({ register: registry });
  const bounded = createBound(options.maxLabelValues ?? 200, options.known ?? {});

  const counters = lazily((name) => {
    const metric = new Counter(described(name, registry));
    const bound = bounded(metricTable[name].labels);
    return (labels: Labels, n: number) => metric.inc(bound(labels), n);
  });
  const gauges = lazily((name) => {
    const metric = new Gauge(described(name, registry));
    const bound = bounded(metricTable[name].labels);
    return (labels: Labels, value: number) => metric.set(bound(labels), value);
  });
  const histograms = lazily((name) => {
    const row = metricTable[name];
    const buckets = 'buckets' in row ? { buckets: [...row.buckets] } : {};
    const metric = new Histogram({ ...described(name, registry), ...buckets });
    const bound = bounded(row.labels);
    return (labels: Labels, value: number) => metric.observe(bound(labels), value);
  });
  for (const name of Object.keys(metricTable) as MetricName[]) {
    if (!(options.owns ?? []).some((prefix) => name.startsWith(prefix))) continue;
    const kind = metricTable[name].type;
    if (kind === 'counter') counters(name);
    else if (kind === 'gauge') gauges(name);
    else histograms(name);
  }

  return {
    count: (name, labels, n = 1) => counters(name)(labels, n),
    observe: (name, labels, value) => histograms(name)(labels, value),
    gauge: (name, labels, value) => gauges(name)(labels, value),
    contentType: registry.contentType,
    read: () => registry.metrics(),
  };
}

function described(name: MetricName, registry: Registry) {
  const { help, labels } = metricTable[name];
  return { name, help, labelNames: [...labels], registers: [registry] };
}

function lazily<T>(make: (name: MetricName) => T): (name: MetricName) => T {
  const made = new Map<MetricName, T>();
  return (name) => {
    let metric = made.get(name);
    if (metric === undefined) {
      metric = make(name);
      made.set(name, metric);
    }
    return metric;
  };
}

type Labels = Readonly<Record<string, string>>;

/**
 * Keeps the number of values of each label bounded, over all metrics, so that a topic has one name everywhere. Where nothing
 * must be replaced the caller's own object is passed on; prom-client keeps it.
 */
function createBound(
  max: number,
  admitted: Readonly<Record<string, Iterable<string>>>,
): (names: readonly string[]) => (labels: Labels) => Record<string, string> {
  const known = new Map(Object.entries(admitted).map(([name, values]) => [name, new Set(values)]));
  const admit = (values: Set<string>, value: string): boolean => {
    if (!values.has(value) && values.size >= max) return false;
    values.add(value);
    return true;
  };
  return (names) => {
    const sets = names.map((name) => {
      const values = known.get(name) ?? new Set<string>();
      known.set(name, values);
      return { name, values };
    });
    return (labels) => {
      for (const { name, values } of sets) {
        if (!values.has(labels[name] ?? '')) return replaced(labels);
      }
      return labels;
    };
    function replaced(labels: Labels): Record<string, string> {
      return Object.fromEntries(
        sets.map(({ name, values }) => [name, admit(values, labels[name] ?? '') ? (labels[name] ?? '') : 'other']),
      );
    }
  };
}
