// A small checkout of its own in a temporary folder: the real start.mjs, test.mjs and bootstrap, the real
// supervisor, and two fake services, so that the two commands are tested whole and beside a running system.
import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { endLeftovers, readRun, type RunNote } from '../../local/bootstrap/checkout.mjs';
import type { Service } from '../../local/services.ts';
import { childEnv, forgetChild, noteChild } from './children.ts';
import { until } from './until.ts';

export const repository = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export const fakeServices: readonly Service[] = [
  {
    name: 'safety',
    entry: 'functions/safety/node.ts',
    ports: [
      {
        name: 'rpc',
        env: 'SAFETY_KERNEL_ADDR',
        variable: 'SAFETY_KERNEL_ADDR',
        default: 0,
        purpose: 'safety kernel',
        url: 'safety',
      },
      {
        name: 'metrics',
        env: 'METRICS_ADDR',
        variable: 'SAFETY_METRICS_ADDR',
        default: 0,
        purpose: 'safety health and metrics',
        url: 'safety_metrics',
      },
    ],
    needs: [],
    health: 'metrics',
  },
  {
    name: 'gateway',
    entry: 'functions/gateway/node.ts',
    ports: [
      {
        name: 'http',
        env: 'GATEWAY_HTTP_ADDR',
        variable: 'GATEWAY_HTTP_ADDR',
        default: 0,
        purpose: 'gateway HTTP',
        url: 'gateway',
      },
      {
        name: 'metrics',
        env: 'METRICS_ADDR',
        variable: 'GATEWAY_METRICS_ADDR',
        default: 0,
        purpose: 'gateway health and metrics',
        url: 'gateway_metrics',
      },
    ],
    needs: ['safety'],
    health: 'metrics',
  },
];

export interface Command {
  readonly child: ChildProcess;
  readonly pid: number;
  /** What it has printed so far, both streams. */
  output(): string;
  /** Resolves with the exit code (or the signal) once it has ended and said everything. */
  readonly ended: Promise<number | NodeJS.Signals>;
}

export interface Checkout {
  readonly root: string;
  /** Runs `node local/<script>` of it; `env` is added to a clean environment with free ports. */
  run(script: 'start.mjs' | 'test.mjs', args?: readonly string[], env?: Readonly<Record<string, string>>): Command;
  /** .cortex/run.json once the system is ready. */
  ready(command: Command): Promise<RunNote>;
  /** Tells the fake services what to do wrong from their next start on. */
  misbehave(what: string): void;
  /** Ends every command that still runs, removes the folder. */
  remove(): Promise<void>;
}

export function createCheckout(): Checkout {
  const root = mkdtempSync(join(tmpdir(), 'cortex-checkout-'));
  const put = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  for (const path of ['start.mjs', 'test.mjs', 'bootstrap']) {
    cpSync(join(repository, 'local', path), join(root, 'local', path), { recursive: true });
  }
  const helper = JSON.stringify(join(repository, 'test', 'helpers', 'fake-service.ts'));
  for (const service of fakeServices) put(service.entry, `import ${helper};\n`);
  const signals = JSON.stringify(join(repository, 'local', 'up', 'signals.ts'));
  put(
    'local/up/main.ts',
    `import { runUp } from ${signals};\n` +
      `const services = ${JSON.stringify(fakeServices)};\n` +
      `await runUp({ root: ${JSON.stringify(root)}, services, args: process.argv.slice(2) });\n`,
  );
  put('package.json', '{"type":"module"}\n');
  put('package-lock.json', '{"packages":{"":{}}}\n');
  put('node_modules/.package-lock.json', '{"packages":{}}\n');
  const bundled = `node-${process.platform}-${process.arch}`;
  symlinkSync(join(repository, 'node_modules', bundled), join(root, 'node_modules', bundled));

  const commands: Command[] = [];
  const misbehaviour = join(root, 'misbehaviour');
  return {
    root,
    run(script, args = [], env = {}) {
      const command = runCommand(join(root, 'local', script), args, {
        ...childEnv(),
        NATS_PORT: '0',
        NATS_WS_PORT: '0',
        REDIS_PORT: '0',
        FAKE_FILE: misbehaviour,
        ...env,
      });
      commands.push(command);
      return command;
    },
    ready: (command) =>
      until(
        () => {
          if (command.child.exitCode !== null) throw new Error(`it ended: ${command.output()}`);
          const run = readRun(root);
          return run?.state === 'ready' && command.output().includes('Stop: Ctrl-C') ? run : undefined;
        },
        { timeout: 15_000, message: () => `ready: ${command.output()}` },
      ),
    misbehave: (what) => writeFileSync(misbehaviour, what),
    async remove() {
      for (const command of commands) {
        if (command.child.exitCode === null && command.child.signalCode === null) {
          command.child.kill('SIGTERM');
          await command.ended;
        }
      }
      await endLeftovers(root);
      rmSync(root, { recursive: true, force: true });
    },
  };
}

function runCommand(script: string, args: readonly string[], env: Readonly<Record<string, string>>): Command {
  const child = spawn(process.execPath, [script, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  }
  const pid = child.pid;
  if (pid === undefined) throw new Error(`${script} was not started`);
  noteChild(script, pid);
  const ended = new Promise<number | NodeJS.Signals>((resolve, reject) => {
    child.once('exit', () => forgetChild(pid));
    child.once('close', (code, signal) => (signal === null ? resolve(code ?? 0) : resolve(signal)));
    child.once('error', reject);
  });
  return { child, pid, ended, output: () => text };
}
