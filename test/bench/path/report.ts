// Tables for the terminal: medians with their ranges, ratios taken within each round, microseconds by process.
import type { Figures } from './measure.ts';
import { spread } from './stats.ts';

export const systemNames = { cortex: 'cortex', bullmq: 'BullMQ' } as const;

export function totalMicros({ micros }: Figures): number {
  return Object.values(micros).reduce((sum, us) => sum + us, 0);
}

/** Text in columns; numbers to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  return rows
    .map((row) =>
      row
        .map((cell, i) => (/^[\d.,x±-]/.test(cell) ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

const whole = (n: number): string => String(Math.round(n));

function ranged(figures: readonly number[], show: (n: number) => string): [string, string] {
  const { median, min, max } = spread(figures);
  return [show(median), `${show(min)} to ${show(max)}`];
}

/** Everything that was measured for one door and mode, ours first. */
export function reportMode(all: readonly Figures[], door: string, mode: string): string {
  const own = all.filter((f) => f.door === door && f.mode === mode);
  const systems = (['cortex', 'bullmq'] as const).filter((name) => own.some((f) => f.system === name));
  const of = (name: string): Figures[] => own.filter((f) => f.system === name);
  const rows = [['', 'jobs/s', 'range', 'us/job', 'range', 'p50 ms', 'p99 ms', 'generator us/job']];
  for (const name of systems) {
    const figures = of(name);
    const latency = (q: 'p50' | 'p99'): string => {
      const seen = figures.flatMap((f) => f.latency?.[q] ?? []);
      return seen.length === 0 ? '-' : spread(seen).median.toFixed(1);
    };
    rows.push([
      systemNames[name],
      ...ranged(
        figures.map((f) => f.jobsPerSecond),
        whole,
      ),
      ...ranged(figures.map(totalMicros), whole),
      latency('p50'),
      latency('p99'),
      whole(spread(figures.map((f) => f.generatorMicros)).median),
    ]);
  }
  const lines = [`${door}, ${mode}`, table(rows)];
  const ours = of('cortex');
  const theirs = of('bullmq');
  if (ours.length > 0 && ours.length === theirs.length) {
    const ratio = (value: (f: Figures) => number): [string, string] =>
      ranged(
        ours.map((f, i) => value(f) / value(theirs[i] as Figures)),
        (n) => n.toFixed(2),
      );
    const [speed, speedRange] = ratio((f) => f.jobsPerSecond);
    const [cpu, cpuRange] = ratio(totalMicros);
    lines.push(`by round: ${speed} times the jobs/s (${speedRange}), ${cpu} times the CPU (${cpuRange})`);
  }
  return lines.join('\n');
}

/** Microseconds per job by process, medians. */
export function reportProcesses(all: readonly Figures[]): string {
  const roles = [...new Set(all.flatMap((f) => Object.keys(f.micros)))];
  const rows = [['us/job by process', ...roles, 'together', 'generator']];
  for (const key of new Set(all.map((f) => `${f.system} ${f.door} ${f.mode}`))) {
    const own = all.filter((f) => `${f.system} ${f.door} ${f.mode}` === key);
    const median = (value: (f: Figures) => number): string => whole(spread(own.map(value)).median);
    const [system = '', ...rest] = key.split(' ');
    rows.push([
      [systemNames[system as Figures['system']], ...rest].join(' '),
      ...roles.map((role) => (own.some((f) => role in f.micros) ? median((f) => f.micros[role] ?? 0) : '-')),
      median(totalMicros),
      median((f) => f.generatorMicros),
    ]);
  }
  return table(rows);
}
