// The CLI at a terminal: a pseudo-terminal of util-linux's `script`, typed into and read.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { shellWord } from '../../local/cli/shell.ts';
import { childEnv, forgetChild, noteChild } from './children.ts';
import { cliFile } from './cli.ts';
import { until } from './until.ts';

export interface Terminal {
  /** Everything that was shown, sequences for the cursor taken out. */
  screen(): string;
  /** Waits until what was shown since the last time says that. */
  says(pattern: RegExp): Promise<void>;
  types(text: string): void;
  /** The exit code of the CLI. */
  readonly ended: Promise<number>;
  close(): Promise<void>;
}

// oxlint-disable-next-line no-control-regex -- that is what these are
const sequences = /\u001b\[[0-9;?]*[A-Za-z]/g;

export async function startTerminal(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Terminal> {
  const folder = mkdtempSync(join(tmpdir(), 'cortex-terminal-'));
  const command = [process.execPath, cliFile, ...args].map(shellWord).join(' ');
  const child = spawn('script', ['-qefc', command, join(folder, 'log')], {
    cwd: folder,
    env: { ...childEnv(), TERM: 'xterm', ...env },
  });
  await once(child, 'spawn');
  const pid = child.pid as number;
  noteChild('script', pid);
  let shown = '';
  let from = 0;
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => void (shown += chunk));
  child.stdin.on('error', () => undefined);
  const ended = once(child, 'close').then(([code]: unknown[]) => {
    forgetChild(pid);
    rmSync(folder, { recursive: true, force: true });
    return Number(code);
  });
  const screen = (): string => shown.replaceAll(sequences, '');
  return {
    screen,
    ended,
    types: (text) => void child.stdin.write(text),
    async says(pattern) {
      await until(() => pattern.test(screen().slice(from)), {
        timeout: 15_000,
        message: () => `the terminal to show ${pattern}: ${JSON.stringify(screen().slice(from))}`,
      });
      from = screen().length;
    },
    async close() {
      if (child.exitCode === null) child.kill('SIGKILL');
      await ended;
    },
  };
}
