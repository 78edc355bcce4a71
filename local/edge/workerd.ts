// workerd with one function in it, as in production: a configuration of its own, its environment from ours, loopback unless told otherwise.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import workerd from 'workerd';
import { type Address, formatAddress } from '#core/process/address.ts';
import { Stop } from '../bootstrap/stop.mjs';
import { bundleWorker, compatibilityDate, compatibilityFlags } from './bundle.ts';

export interface WorkerdOptions {
  /** The root of the checkout. */
  readonly root: string;
  /** The worker's file, from the root. */
  readonly entry: string;
  readonly addr: Address;
  /** The function's environment; in no file and on no command line. */
  readonly env: Readonly<Record<string, string>>;
  /** A line that the function or the runtime wrote. */
  readonly line: (text: string) => void;
  /** Told the pid at once. */
  readonly spawned?: (pid: number) => void;
}

export interface RunningWorkerd {
  readonly child: ChildProcess;
  /** Where it listens. */
  readonly port: number;
  /** How it ended, when it has. */
  readonly exited: Promise<string>;
  /** SIGTERM: requests under way may finish, for `patience` ms at most (default 2,000). Resolves when it is gone. */
  stop(patience?: number): Promise<void>;
}

/** Resolves when it listens. Throws Stop when it ends before, with what it said. */
export async function runWorkerd({ root, entry, addr, env, line, spawned }: WorkerdOptions): Promise<RunningWorkerd> {
  const { code } = await bundleWorker(root, entry);
  return startWorkerd({ code, addr, env, line, ...(spawned && { spawned }) });
}

/** The same with a bundle that is there already. */
export async function startWorkerd({
  code,
  addr,
  env,
  line,
  spawned,
}: Omit<WorkerdOptions, 'root' | 'entry'> & { readonly code: string }): Promise<RunningWorkerd> {
  const folder = mkdtempSync(join(tmpdir(), 'cortex-workerd-'));
  writeFileSync(join(folder, 'worker.js'), code, { mode: 0o600 });
  writeFileSync(join(folder, 'config.capnp'), configText(addr, Object.keys(env)), { mode: 0o600 });
  const said: string[] = [];
  const child = spawn(workerd.default, ['serve', 'config.capnp', '--control-fd=3'], {
    cwd: folder,
    env: { ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit').then(([status, signal]) => {
    guard.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
    return signal === null ? `exit code ${String(status)}` : String(signal);
  });
  await once(child, 'spawn');
  spawned?.(child.pid ?? 0);
  const guard = startGuard(child.pid ?? 0, folder);
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream as Readable }).on('line', (text) => {
      if (said.length < 20) said.push(text);
      line(text);
    });
  }
  const listening = new Promise<number>((resolve) => {
    createInterface({ input: child.stdio[3] as Readable }).on('line', (text) => {
      const { event, port } = JSON.parse(text) as { readonly event?: string; readonly port?: number };
      if (event === 'listen' && port !== undefined) resolve(port);
    });
  });
  const port = await Promise.race([listening, exited]);
  if (typeof port === 'string') throw new Stop(`workerd ended (${port}): ${said.join(' ')}`);
  return {
    child,
    port,
    exited,
    async stop(patience = 2_000) {
      child.kill('SIGTERM');
      const force = setTimeout(() => child.kill('SIGKILL'), patience);
      await exited;
      clearTimeout(force);
    },
  };
}

/**
 * Ends workerd when this process is killed: workerd would go on, with the port that the next one needs. The guard reads from a pipe
 * that nobody writes to, and that closes with this process.
 */
function startGuard(pid: number, folder: string): ChildProcess {
  const guard = spawn('sh', ['-c', 'read -r _; kill -9 "$1"; rm -rf "$2"', 'workerd-guard', String(pid), folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  guard.unref();
  return guard;
}

/** Its outbound network reaches this machine and private addresses as well: Redis and NATS are there. */
function configText(addr: Address, names: readonly string[]): string {
  const bindings = names.map((name) => `    (name = ${quoted(name)}, fromEnvironment = ${quoted(name)}),`);
  return [
    'using Workerd = import "/workerd/workerd.capnp";',
    'const config :Workerd.Config = (',
    '  services = [',
    '    (name = "function", worker = .function),',
    '    (name = "internet", network = (allow = ["public", "private"], tlsOptions = (trustBrowserCas = true))),',
    '  ],',
    `  sockets = [(name = "http", address = ${quoted(formatAddress(addr))}, http = (), service = "function")],`,
    ');',
    'const function :Workerd.Worker = (',
    '  modules = [(name = "worker.js", esModule = embed "worker.js")],',
    `  compatibilityDate = ${quoted(compatibilityDate)},`,
    `  compatibilityFlags = [${compatibilityFlags.map(quoted).join(', ')}],`,
    '  bindings = [',
    ...bindings,
    '  ],',
    ');',
    '',
  ].join('\n');
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
