// One of our own processes, started for a test as `npm start` would: its entry, its environment, an IPC channel on which it tells
// where it listens. A test file that leaves one running fails.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { childEnv, forgetChild, noteChild } from './children.ts';
import { assertOurs } from './servers.ts';
import { isStopped } from './stopped.ts';
import { until } from './until.ts';

export interface LogLine {
  readonly level?: string;
  readonly msg?: string;
  readonly [field: string]: unknown;
}

export interface ServiceProcess {
  readonly pid: number;
  /** By the name under which it announced the address: `http`, `rpc`, `metrics`. */
  readonly urls: Readonly<Record<string, string>>;
  /** What it wrote so far: JSON lines as objects, and stderr as it is. */
  readonly log: readonly LogLine[];
  readonly stderr: readonly string[];
  /** SIGTERM; the exit code, or the signal that ended it. */
  stop(): Promise<number | NodeJS.Signals>;
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** SIGSTOP: its sockets stay open and nobody answers. */
  pause(): Promise<void>;
  resume(): void;
  /** Settles when it has ended, however. */
  readonly exited: Promise<number | NodeJS.Signals>;
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const running = new Map<ChildProcess, string>();

/**
 * Starts an entry (`functions/safety/node.ts`) and waits until it has announced all of `names`. Of this process's environment it
 * gets only what it needs to run, and no server that this file did not start. Rejects with what it said when it ends before.
 */
export async function startService(
  entry: string,
  env: Readonly<Record<string, string>>,
  names: readonly string[],
): Promise<ServiceProcess> {
  for (const url of [env['NATS_URL'], env['REDIS_URL']]) if (url !== undefined) assertOurs(url);
  const child = spawn(process.execPath, [entry], {
    cwd: root,
    // Port 1: nobody. The default one may be that of a system that somebody runs here.
    env: {
      ...{ ...childEnv(), CORTEX_SUPERVISED: '1', METRICS_ADDR: '127.0.0.1:0', CONTEXT_ENGINE_ADDR: '127.0.0.1:1' },
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const pid = child.pid as number;
  running.set(child, `${entry} (pid ${pid})`);
  noteChild(entry, pid);
  const urls: Record<string, string> = {};
  const log: LogLine[] = [];
  const stderr: string[] = [];
  createInterface({ input: child.stdout as Readable }).on('line', (line) => log.push(JSON.parse(line) as LogLine));
  createInterface({ input: child.stderr as Readable }).on('line', (line) => stderr.push(line));
  child.on('message', (message: { type?: string; name?: string; url?: string }) => {
    if (message.type === 'listening') urls[message.name ?? ''] = message.url ?? '';
  });
  // `close` and not `exit`: its last words have been read by then.
  const exited = once(child, 'close').then(([code, signal]: unknown[]) => {
    running.delete(child);
    forgetChild(pid);
    return (code ?? signal) as number | NodeJS.Signals;
  });
  await until(() => names.every((name) => name in urls) || !running.has(child), {
    timeout: 15_000,
    message: () => `${entry} to listen: ${stderr.join('\n')} ${JSON.stringify(log.slice(-5))}`,
  });
  if (!running.has(child)) throw new Error(`${entry} ended: ${stderr.join('\n')} ${JSON.stringify(log.slice(-5))}`);
  return {
    pid,
    urls,
    log,
    stderr,
    exited,
    stop() {
      child.kill('SIGTERM');
      return exited;
    },
    async kill(signal = 'SIGKILL') {
      child.kill(signal);
      await exited;
    },
    async pause() {
      child.kill('SIGSTOP');
      await until(() => isStopped(pid), { message: `SIGSTOP to reach ${entry}` });
    },
    resume: () => void child.kill('SIGCONT'),
  };
}

function endAll(): string[] {
  const leaked = [...running.values()];
  for (const child of running.keys()) child.kill('SIGKILL');
  running.clear();
  return leaked;
}

process.once('exit', endAll);

if (process.env['VITEST'] !== undefined) {
  const { afterAll } = await import('vitest');
  afterAll(() => {
    const leaked = endAll();
    if (leaked.length > 0) throw new Error(`left running by this test file: ${leaked.join(', ')}`);
  });
}
