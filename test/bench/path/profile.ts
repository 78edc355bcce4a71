// `npm run bench -- path --profile`: where the microseconds of a job go. Ours twice: as shipped, for the CPU time of each process, and
// once more with a CPU profile of every Node process and the server's own times by script, for the shares of that time.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PlaneRole } from '../plane.ts';
import { intervalMicros, monotonicMicros, readProfile } from './cpu-profile.ts';
import { type Figures, measure } from './measure.ts';
import type { Door, Mode, PathOptions } from './options.ts';
import { reportProcesses, table } from './report.ts';
import { type ScriptTime, watchScripts } from './script-time.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const roles = ['gateway', 'scheduler', 'worker', 'safety'] as const satisfies readonly PlaneRole[];
/** Lines of each list. */
const shown = 24;

interface Window {
  readonly from: number;
  readonly to: number;
  readonly scripts: readonly ScriptTime[];
}

export async function profilePath(options: PathOptions): Promise<void> {
  for (const door of options.doors) {
    for (const mode of options.modes) await profileOne(door, mode, options);
  }
}

async function profileOne(door: Door, mode: Mode, options: PathOptions): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'cortex-profile-'));
  try {
    const one = { ...options, modes: [mode] };
    const [figures] = await measure('cortex', door, one);
    let window: Window | undefined;
    await measure('cortex', door, one, {
      nodeOptions: (role) =>
        `--cpu-prof --cpu-prof-dir=${dir} --cpu-prof-name=${role}.cpuprofile --cpu-prof-interval ${intervalMicros}`,
      async onPhase(_mode, stage) {
        const scripts = await watchScripts(stage.target.redisUrl);
        const from = monotonicMicros();
        return async () => void (window = { from, to: monotonicMicros(), scripts: await scripts() });
      },
    });
    if (figures === undefined || window === undefined) throw new Error('nothing was measured');
    console.log(`\n==== ${door}, ${mode}: ${Math.round(figures.jobsPerSecond)} jobs/s\n`);
    console.log(reportProcesses([figures]));
    console.log(`\n${scriptTable(window.scripts, figures)}`);
    for (const role of roles) console.log(roleReport(join(dir, `${role}.cpuprofile`), role, figures, window));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function scriptTable(scripts: readonly ScriptTime[], { jobs, micros }: Figures): string {
  const rows = scripts.map(({ name, calls, micros: us }) => [
    name,
    (calls / jobs).toFixed(2),
    (us / jobs).toFixed(1),
    calls === 0 ? '-' : (us / calls).toFixed(0),
  ]);
  const inScripts = scripts.reduce((sum, script) => sum + script.micros, 0) / jobs;
  const rest = ['outside scripts (network, log)', '', ((micros['redis'] ?? 0) - inScripts).toFixed(1), ''];
  return table([['redis, by script', 'calls/job', 'us/job', 'us/call'], ...rows, rest]);
}

function roleReport(path: string, role: PlaneRole, { micros }: Figures, { from, to }: Window): string {
  const perJob = micros[role] ?? 0;
  if (perJob < 20) return `\n${role}: ${perJob.toFixed(0)} us/job, not looked into`;
  const { byFile, byFunction, samples } = readProfile(path, root, from, to);
  const rows = (list: readonly (readonly [string, number])[]): string[][] =>
    list.slice(0, shown).map(([name, share]) => [(share * perJob).toFixed(1), name]);
  return [
    `\n${role}: ${perJob.toFixed(0)} us/job, ${samples} samples`,
    table([['us/job', 'by file of ours, with what it calls elsewhere'], ...rows(byFile)]),
    table([['us/job', 'by function, without what it calls'], ...rows(byFunction)]),
  ].join('\n');
}
