// Runs git on what strangers wrote: with no settings but ours, nothing to ask anybody, bounded in time, memory and disk, in a process
// group of its own that ends with the signal.
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { CortexError } from '#core/errors.ts';

/** Where git and ssh are looked for. */
export const toolPath = '/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin';

export interface GitLimits {
  /** Bytes of any one file that it writes. */
  readonly fileBytes: number;
  /** Bytes of memory that one process may ask for. */
  readonly memoryBytes: number;
  /** For a git whose worker was killed: nobody else ends it. */
  readonly orphanSeconds: number;
}

export interface GitOptions extends GitLimits {
  readonly cwd: string;
  /** An empty folder. */
  readonly home: string;
  /** Settings beside ours: `http.proxy=`. */
  readonly settings?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

export interface GitRun {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Resolves when git has ended. Rejects with the signal's reason, else GitError. Never unhandled. */
  readonly ended: Promise<void>;
  /** Ends git and all that it started; `reason` is what `ended` rejects with. */
  kill(reason: Error): void;
}

/** git ended with something other than 0. What it said is not for clients as it is: strangers may have written it. */
export class GitError extends Error {
  readonly said: string;
  /** The exit code; null when a signal ended it. */
  readonly code: number | null;

  constructor(how: string, said: string, code: number | null = null) {
    super(`git ended with ${how}: ${said}`);
    this.name = 'GitError';
    this.said = said;
    this.code = code;
  }
}

const settings = [
  ...[
    'core.hooksPath=/dev/null',
    'core.fsmonitor=false',
    'core.attributesFile=/dev/null',
    'core.excludesFile=/dev/null',
  ],
  ...['core.askPass=/bin/false', 'credential.helper=', 'gc.auto=0', 'maintenance.auto=false'],
  ...['submodule.recurse=false', 'fetch.recurseSubmodules=false', 'transfer.bundleURI=false'],
  ...['filter.lfs.smudge=', 'filter.lfs.process=', 'filter.lfs.clean=', 'filter.lfs.required=false'],
  // Memory: a large object is streamed, and what is held is held in small pieces. One pack, so that one number bounds its size.
  ...['core.bigFileThreshold=16m', 'core.packedGitWindowSize=16m', 'core.packedGitLimit=256m'],
  ...['core.deltaBaseCacheLimit=64m', 'pack.threads=1', 'fetch.unpackLimit=1', 'transfer.unpackLimit=1'],
];

const environment = {
  PATH: toolPath,
  LC_ALL: 'C',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_ATTR_NOSYSTEM: '1',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_TERMINAL_PROMPT: '0',
  GIT_ASKPASS: '/bin/false',
  SSH_ASKPASS: '/bin/false',
  GIT_LFS_SKIP_SMUDGE: '1',
  GIT_NO_LAZY_FETCH: '1',
  GIT_NO_REPLACE_OBJECTS: '1',
  // A name that no transport has; a fetch names its own.
  GIT_ALLOW_PROTOCOL: 'none',
};

/**
 * The kernel keeps these limits, for git and what it starts; a system that lacks one goes without it. With the signal ignored, whoever
 * writes too much hears of it and says so; a part of git that just died would leave the others to guess.
 */
const limiter = [
  ...["trap '' XFSZ", 'ulimit -f "$1" 2>/dev/null', 'ulimit -v "$2" 2>/dev/null', 'ulimit -c 0 2>/dev/null'],
  ...['n=$3', 'shift 3'],
  ...['command -v timeout >/dev/null && exec timeout -s KILL "$n" git "$@"', 'exec git "$@"'],
].join('; ');

export function startGit(args: readonly string[], options: GitOptions): GitRun {
  const { cwd, home, signal, fileBytes, memoryBytes, orphanSeconds } = options;
  const config = [...settings, ...(options.settings ?? [])].flatMap((setting) => ['-c', setting]);
  const limits = [Math.ceil(fileBytes / 512), Math.ceil(memoryBytes / 1024), Math.ceil(orphanSeconds)].map(String);
  signal.throwIfAborted();
  const child: ChildProcessByStdio<Writable, Readable, Readable> = spawn(
    '/bin/sh',
    ['-c', limiter, 'sh', ...limits, '--no-pager', ...config, ...args],
    {
      cwd,
      env: { ...environment, HOME: home, TMPDIR: home, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true, // a group of its own
    },
  );
  let reason: Error | undefined;
  const kill = (why: Error): void => {
    reason ??= why;
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
    }
  };
  const onAbort = (): void => kill(signal.reason as Error);
  signal.addEventListener('abort', onAbort);

  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    if (said.length < 4000) said += chunk.toString('latin1');
  });
  child.stdin.on('error', () => undefined); // it need not read all
  const ended = new Promise<void>((resolve, reject) => {
    child.on('error', (cause) => {
      reason ??= new CortexError('unavailable', 'git could not be run', { cause });
      if (child.pid === undefined) reject(reason);
    });
    child.on('close', (code, killedBy) => {
      signal.removeEventListener('abort', onAbort);
      if (reason !== undefined) reject(reason);
      else if (code === 0) resolve();
      else reject(new GitError(killedBy === null ? `code ${code}` : `signal ${killedBy}`, said, code));
    });
  });
  ended.catch(() => undefined); // whoever asks hears of it
  return { stdin: child.stdin, stdout: child.stdout, ended, kill };
}
