// Processes that a test starts, noted in the folder of the test run (CORTEX_TEST_RUN, set by `npm test`):
// what outlives its test is found at the end of the run and counts as a failure, and what a killed run
// left is ended by the next one. Without that variable this does nothing.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { identify } from '../../local/bootstrap/process.mjs';

/**
 * What a Node process of ours needs of this process's environment, and no more. `npm test` names a folder in which compiled
 * code is kept for the length of the run: half the cost of a start is compiling the same files again.
 */
export function childEnv(): Record<string, string> {
  const kept = ['PATH', 'NODE_COMPILE_CACHE'].map((name) => [name, process.env[name] ?? ''] as const);
  return Object.fromEntries(kept.filter(([, value]) => value !== ''));
}

/** Notes a child process; call it right after the start. */
export function noteChild(name: string, pid: number): void {
  const file = noteFile(pid);
  const found = identify(pid);
  if (file === undefined || found === undefined) return;
  // Without the command line: redis-server rewrites its own.
  writeFileSync(file, JSON.stringify({ name, pid, startTime: found.startTime }));
}

/** Call it when the child is known to be gone. */
export function forgetChild(pid: number): void {
  const file = noteFile(pid);
  if (file !== undefined) rmSync(file, { force: true });
}

function noteFile(pid: number): string | undefined {
  const folder = process.env['CORTEX_TEST_RUN'];
  return folder === undefined || folder === '' ? undefined : join(folder, 'children', `${pid}.json`);
}
