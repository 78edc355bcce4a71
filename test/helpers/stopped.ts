// Whether SIGSTOP has reached a process: the signal is sent in no time and heeded a little later, thread by thread.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Whether every thread of the process stands still. Where that cannot be seen it is believed. */
export function isStopped(pid: number): boolean {
  if (process.platform !== 'linux') return true; // no list of threads to look at
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks).every((task) => {
    const stat = readFileSync(join(tasks, task, 'stat'), 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('T');
  });
}
