// The metrics port: three verbs, typed by the table. Drivers: prom.node.ts (prom-client, Node alone), noop.ts.
import type { CounterName, GaugeName, HistogramName, LabelsOf } from './table.ts';

export interface Metrics {
  /** Adds `n`, by default 1, to a counter. */
  count<N extends CounterName>(name: N, labels: LabelsOf<N>, n?: number): void;
  /** Notes one observation; times are in seconds. */
  observe<N extends HistogramName>(name: N, labels: LabelsOf<N>, value: number): void;
  /** Sets a gauge. */
  gauge<N extends GaugeName>(name: N, labels: LabelsOf<N>, value: number): void;
}

/** Metrics that can be read: what GET /metrics answers. */
export interface ReadableMetrics extends Metrics {
  readonly contentType: string;
  read(): Promise<string>;
}
