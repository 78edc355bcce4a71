// One system, one door, once: start, warm up, each mode, verify, stop. What it answers is raw; report.ts makes tables of it.
import { watchCpu } from './cpu.ts';
import { startGenerator } from './generator.ts';
import type { Door, Mode, PathOptions } from './options.ts';
import { type StageOptions, startStage, type SystemName, type Stage } from './stage.ts';
import { quantile } from './stats.ts';

export interface Figures {
  readonly system: SystemName;
  readonly door: Door;
  readonly mode: Mode;
  readonly jobs: number;
  readonly ms: number;
  readonly jobsPerSecond: number;
  /** CPU microseconds per job, by process; the load generator is not among them. */
  readonly micros: Readonly<Record<string, number>>;
  readonly generatorMicros: number;
  /** Submission to visible result, ms; closed mode alone. */
  readonly latency: { readonly p50: number; readonly p99: number } | undefined;
}

export interface MeasureHooks {
  readonly nodeOptions?: StageOptions['nodeOptions'];
  /** Around each phase: called when it is about to begin; what it answers, when it is over. */
  readonly onPhase?: (mode: Mode, stage: Stage) => Promise<() => Promise<void>>;
}

export async function measure(
  system: SystemName,
  door: Door,
  options: PathOptions,
  hooks: MeasureHooks = {},
): Promise<Figures[]> {
  const { outstanding, jobs, appendfsync, peerConcurrency } = options;
  const stage = await startStage(system, {
    ...{ door, lanes: outstanding, appendfsync, peerConcurrency },
    ...(hooks.nodeOptions !== undefined && { nodeOptions: hooks.nodeOptions }),
  });
  try {
    const generator = await startGenerator(stage.target);
    try {
      await generator.run('closed', options.warmup, outstanding);
      await generator.verify();
      const out: Figures[] = [];
      for (const mode of options.modes) {
        const over = await hooks.onPhase?.(mode, stage);
        const used = watchCpu({ ...stage.pids, generator: generator.pid });
        const { ms, latencies } = await generator.run(mode, jobs, outstanding);
        const { generator: generatorMicros = 0, ...micros } = used();
        await over?.();
        await generator.verify();
        out.push({
          ...{ system, door, mode, jobs, ms },
          jobsPerSecond: (jobs / ms) * 1000,
          micros: Object.fromEntries(Object.entries(micros).map(([role, us]) => [role, us / jobs])),
          generatorMicros: generatorMicros / jobs,
          latency:
            latencies.length === 0 ? undefined : { p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) },
        });
      }
      return out;
    } finally {
      await generator.stop();
    }
  } catch (error) {
    const said = stage.complaints();
    if (said.length > 0) console.error(said.join('\n'));
    throw error;
  } finally {
    await stage.stop();
  }
}
