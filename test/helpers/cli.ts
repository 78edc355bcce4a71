// The CLI as a person runs it: a process of its own, with nothing of this process's environment but what it needs.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { childEnv, forgetChild, noteChild } from './children.ts';
import { until } from './until.ts';

export const cliFile = fileURLToPath(new URL('../../local/cli/main.ts', import.meta.url));

export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Default: a folder with no system running from it. */
  readonly cwd?: string;
  readonly stdin?: string;
  /** Another Node than the one of the tests. */
  readonly node?: string;
}

export interface CliRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningCli {
  /** Waits until stderr or stdout says that. */
  says(pattern: RegExp): Promise<void>;
  signal(name: NodeJS.Signals): void;
  /** Stops reading its stdout, as `head` does. */
  closeStdout(): void;
  readonly ended: Promise<CliRun>;
}

export function startCli(args: readonly string[], options: CliOptions = {}): RunningCli {
  const { env = {}, cwd = tmpdir(), stdin = '', node = process.execPath } = options;
  const child = spawn(node, [cliFile, ...args], { cwd, env: { ...childEnv(), ...env } });
  const pid = child.pid as number;
  noteChild('cortex', pid);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => void (stdout += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => void (stderr += chunk));
  child.stdin.on('error', () => undefined); // it need not read all, or any
  child.stdin.end(stdin);
  const ended = once(child, 'close').then(([code, signal]: unknown[]) => {
    forgetChild(pid);
    if (typeof code !== 'number') throw new Error(`cortex ${args.join(' ')} ended by ${String(signal)}: ${stderr}`);
    return { code, stdout, stderr };
  });
  return {
    ended,
    signal: (name) => void child.kill(name),
    closeStdout: () => child.stdout.destroy(),
    async says(pattern) {
      await until(() => pattern.test(stderr) || pattern.test(stdout) || child.exitCode !== null, {
        timeout: 15_000,
        message: () => `cortex ${args.join(' ')} to say ${pattern}: ${stdout}${stderr}`,
      });
      if (!pattern.test(stderr) && !pattern.test(stdout))
        throw new Error(`it ended without ${pattern}: ${stdout}${stderr}`);
    },
  };
}

export function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliRun> {
  return startCli(args, options).ended;
}
