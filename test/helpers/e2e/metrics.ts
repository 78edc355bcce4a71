// Reads a process's /metrics as numbers by series.
import type { ServiceProcess } from '../service-process.ts';

/** `name{a="x",b="y"}` (labels sorted) to value. */
export async function readMetrics(process: ServiceProcess): Promise<ReadonlyMap<string, number>> {
  const response = await fetch(`${process.urls['metrics']}/metrics`, { signal: AbortSignal.timeout(5_000) });
  const series = new Map<string, number>();
  for (const line of (await response.text()).split('\n')) {
    const found = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (found === null) continue;
    const labels = (found[2] ?? '').match(/[a-z_]+="[^"]*"/g) ?? [];
    series.set(labels.length === 0 ? String(found[1]) : `${found[1]}{${labels.sort().join(',')}}`, Number(found[3]));
  }
  return series;
}

/** Results of bus-only workers that did not count, by all schedulers together. */
export async function foreignRefusals(system: {
  readonly schedulers: readonly { readonly process: ServiceProcess }[];
}) {
  const all = await Promise.all(system.schedulers.map(({ process }) => readMetrics(process)));
  return all.reduce((n, m) => n + (m.get('cortex_fence_rejections_total{operation="foreign_result"}') ?? 0), 0);
}
