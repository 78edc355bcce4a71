// CPU time of processes from /proc: user and system together, of all their threads. Linux counts in hundredths of a second, so a phase
// must be long: over 4,000 jobs one tick is 2.5 microseconds a job.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** Microseconds of CPU that a process has used so far. Throws when there is no such process. */
export function cpuMicros(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The command's name is in parentheses and may hold blanks; utime and stime are the 14th and 15th field of the whole line.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1_000_000) / ticksPerSecond;
}

export type Pids = Readonly<Record<string, number>>;

/** What each process used between the call and the call of what it answers, in microseconds. */
export function watchCpu(pids: Pids): () => Record<string, number> {
  const before = Object.entries(pids).map(([role, pid]) => [role, pid, cpuMicros(pid)] as const);
  return () => Object.fromEntries(before.map(([role, pid, used]) => [role, cpuMicros(pid) - used]));
}
