// Starts the process that replays, and reads what it says.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Replayed, ReplayTask } from './task.ts';

export interface RunReplay {
  /** The root of the checkout whose handlers run. */
  readonly checkout: string;
  readonly signal: AbortSignal;
  /** The URL of a module with workers, in place of the product's. */
  readonly workers?: string;
}

/** Throws what the signal says, and an Error with what the process wrote when it fails. */
export async function runReplay(task: ReplayTask, { checkout, signal, workers }: RunReplay): Promise<Replayed> {
  signal.throwIfAborted();
  const root = realpathSync(checkout);
  const readable = [root, realpathSync(join(root, 'node_modules'))].map((folder) => `--allow-fs-read=${folder}/*`);
  const args = ['--permission', ...readable, '--no-warnings', join(root, 'local', 'replay', 'main.ts')];
  const child = spawn(process.execPath, [...args, ...(workers === undefined ? [] : [workers])], {
    cwd: root,
    // No key and no address of anything.
    env: {},
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const stop = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', stop);
  try {
    child.stdin.on('error', () => undefined); // it may be gone before it has read all
    child.stdin.end(JSON.stringify(task));
    const closed = once(child, 'close') as Promise<[code: number | null]>;
    const [said, wrong, [code]] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
    signal.throwIfAborted();
    if (code !== 0) throw new Error(`the replay failed: ${wrong.trim()}`);
    return JSON.parse(said) as Replayed;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
