// Metrics that count nothing: for functions in workerd and for tests that do not look.
import type { ReadableMetrics } from './metrics.ts';

export const noopMetrics: ReadableMetrics = {
  count: () => undefined,
  observe: () => undefined,
  gauge: () => undefined,
  contentType: 'text/plain; version=0.0.4; charset=utf-8',
  read: () => Promise.resolve(''),
};
