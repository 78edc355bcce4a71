// What somebody has who cloned this repository a moment ago: a copy of the files in a folder of its own, and a shell without
// anything of ours in its environment. Only the packages are not fetched again.
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, delimiter, join } from 'node:path';
import { endLeftovers, readRun, type RunNote } from '../../local/bootstrap/checkout.mjs';
import { needsInstall } from '../../local/bootstrap/install.mjs';
import { edgeServices, services } from '../../local/services.ts';
import { repository } from './checkout.ts';
import { childEnv, forgetChild, noteChild } from './children.ts';
import { until } from './until.ts';

export interface Typed {
  readonly code: number | NodeJS.Signals;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  output(): string;
  /** Ctrl-C at the terminal: every process of the command gets it. */
  interrupt(): void;
  readonly ended: Promise<Typed>;
}

export interface Newcomer {
  /** The folder of the copy, by its real path. */
  readonly root: string;
  /** Types a command and waits for its end. */
  type(command: string): Promise<Typed>;
  /** Types a command that brings the system up, on ports that are free, and waits until it is ready. */
  up(command: string): Promise<{ readonly running: Running; readonly run: RunNote }>;
  /** Ends what runs, removes the folder. */
  leave(): Promise<void>;
}

/** What a clone does not bring. */
const ours = new Set(['.git', '.cortex', '.sst', 'coverage', 'node_modules']);

export function createNewcomer(): Newcomer {
  // `npm start` would install into the folder that all share.
  if (needsInstall(repository)) throw new Error('node_modules is not what package-lock.json says: run npm ci first');
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'cortex-newcomer-')));
  const [root, home] = [join(folder, 'cortexos'), join(folder, 'home')];
  cpSync(repository, root, { recursive: true, filter: (path) => !ours.has(basename(path)) });
  mkdirSync(home);
  symlinkSync(join(repository, 'node_modules'), join(root, 'node_modules'));

  const path = (process.env['PATH'] ?? '').split(delimiter).filter((one) => !one.includes('node_modules'));
  const env = { ...childEnv(), PATH: path.join(delimiter), HOME: home, npm_config_update_notifier: 'false' };
  const anywhere = Object.fromEntries(
    [...services, ...edgeServices].flatMap(({ ports }) => ports.map((p) => [p.variable, '127.0.0.1:0'])),
  );
  const freely = { ...anywhere, NATS_PORT: '0', NATS_WS_PORT: '0', REDIS_PORT: '0' };
  const open = new Set<Running>();

  const start = (command: string, more: Readonly<Record<string, string>> = {}): Running => {
    const child = spawn('sh', ['-c', command], {
      cwd: root,
      env: { ...env, ...more },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // a process group of its own, as a terminal makes one
    });
    const pid = child.pid as number;
    noteChild(command, pid);
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => void (stdout += chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => void (stderr += chunk));
    const ended = new Promise<Typed>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        forgetChild(pid);
        open.delete(running);
        resolve({ code: signal ?? code ?? 0, stdout, stderr });
      });
    });
    const running: Running = {
      output: () => stdout + stderr,
      interrupt: () => void process.kill(-pid, 'SIGINT'),
      ended,
    };
    open.add(running);
    return running;
  };

  return {
    root,
    type: (command) => start(command).ended,
    async up(command) {
      const running = start(`exec ${command}`, freely); // the shell of a terminal outlives Ctrl-C, this one would not
      const run = await until(
        () => {
          if (!open.has(running)) throw new Error(`it ended: ${running.output()}`);
          const note = readRun(root);
          return note?.state === 'ready' && running.output().includes('Stop: Ctrl-C') ? note : undefined;
        },
        { timeout: 60_000, message: () => `the system to be ready: ${running.output()}` },
      );
      return { running, run };
    },
    async leave() {
      for (const running of open) {
        running.interrupt();
        await running.ended;
      }
      await endLeftovers(root);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
