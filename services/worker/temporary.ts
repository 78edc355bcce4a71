// Folders for what lasts no longer than a job. Whoever makes one removes it; those of killed processes go when the next one is made.
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';

const machine = hostname().replaceAll(/[^A-Za-z0-9]/g, '_');

/** Longer than it takes to end a process that nobody else ends, ms. */
const lateMs = 60_000;

/** Makes an empty folder that only this user can read. `kind` is part of its name; nothing in it is needed for longer than `maxMs`. */
export function makeFolder(kind: 'repo' | 'patch', maxMs: number): string {
  sweep(kind, maxMs);
  return mkdtempSync(join(tmpdir(), `cortex-${kind}-${machine}-${process.pid}-`));
}

/** Removes what processes left that were killed, and threads of this one: of these whatever is older than its use can be. */
function sweep(kind: string, maxMs: number): void {
  const names = new RegExp(`^cortex-${kind}-([A-Za-z0-9_]*)-(\\d+)-[A-Za-z0-9]+$`);
  for (const name of readdirSync(tmpdir())) {
    const [, host, pid] = names.exec(name) ?? [];
    if (host !== machine) continue;
    const folder = join(tmpdir(), name);
    if (Number(pid) === process.pid ? ageOf(folder) <= maxMs + lateMs : isAlive(Number(pid))) continue;
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Since something was made or removed in the folder itself, ms; 0 for one that has gone. */
function ageOf(folder: string): number {
  const made = statSync(folder, { throwIfNoEntry: false })?.mtimeMs;
  return made === undefined ? 0 : Date.now() - made;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}
