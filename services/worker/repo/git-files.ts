// The files of a git working tree as git sees it: tracked ones and new ones that it does not ignore. Only names are asked for, and the
// repository's own settings may be anybody's: no hook, no monitor, no transport runs, and no settings of this machine are read.
import { spawn } from 'node:child_process';
import { lstatSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CortexError, toCortexError } from '#core/errors.ts';
import { toolPath } from './git-run.ts';
import { isInside, type ScanRoot } from './root.ts';

/** The folder with `.git` that holds the scan's root, within the allowed root; undefined when there is none. */
export function workTreeOf({ root, allowed }: ScanRoot): string | undefined {
  for (let folder = root; isInside(folder, allowed); folder = dirname(folder)) {
    if (lstatSync(join(folder, '.git'), { throwIfNoEntry: false }) !== undefined) return folder;
    if (folder === dirname(folder)) return undefined;
  }
  return undefined;
}

export interface ListOptions {
  readonly root: string;
  readonly workTree: string;
  readonly signal: AbortSignal;
  /** Takes one path, relative to the root, without the NUL at its end. What it throws ends the listing. */
  readonly onPath: (path: Uint8Array) => void;
  /** Default: 60,000. */
  readonly timeoutMs?: number;
}

/** Tracked and new files. Throws CortexError: `unavailable` when git cannot say, what the signal and onPath say. */
export function listFiles(options: ListOptions): Promise<void> {
  return list(['--cached', '--others', '--exclude-standard'], options);
}

/** Ignored files and folders; a folder that is ignored as a whole comes as one path that ends in a slash. */
export function listIgnored(options: ListOptions): Promise<void> {
  return list(['--others', '--ignored', '--exclude-standard', '--directory'], options);
}

function settings(workTree: string): readonly string[] {
  const config = [
    ...[`safe.directory=${workTree}`, 'core.fsmonitor=false', 'core.hooksPath=/dev/null', 'core.untrackedCache=false'],
    ...['core.excludesFile=/dev/null', 'core.attributesFile=/dev/null', 'protocol.allow=never', 'gc.auto=0'],
  ];
  return config.flatMap((setting) => ['-c', setting]);
}

const environment = {
  PATH: toolPath,
  LC_ALL: 'C',
  HOME: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_ATTR_NOSYSTEM: '1',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_TERMINAL_PROMPT: '0',
  GIT_NO_LAZY_FETCH: '1',
  // A name that no transport has: it wins over what the repository's own settings allow.
  GIT_ALLOW_PROTOCOL: 'none',
};

function list(
  what: readonly string[],
  { root, workTree, signal, onPath, timeoutMs = 60_000 }: ListOptions,
): Promise<void> {
  const places = [`--git-dir=${join(workTree, '.git')}`, `--work-tree=${workTree}`];
  const args = ['--no-pager', ...settings(workTree), ...places, 'ls-files', '-z', ...what, '--'];
  return new Promise((resolve, reject) => {
    const child = spawn('git', args, {
      cwd: root,
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
      signal,
      killSignal: 'SIGKILL',
      timeout: timeoutMs,
    });
    const take = splitter(onPath);
    let complaint = '';
    let failure: Error | undefined;
    child.stderr.on('data', (chunk: Buffer) => {
      if (complaint.length < 500) complaint += chunk.toString('utf8');
    });
    child.stdout.on('data', (chunk: Buffer) => {
      if (failure !== undefined) return;
      try {
        take(chunk);
      } catch (error) {
        failure = toCortexError(error);
        child.kill('SIGKILL');
      }
    });
    child.on('error', (error) => {
      failure ??= new CortexError('unavailable', 'git could not be run', { cause: error });
      if (child.pid === undefined) reject(signal.aborted ? signal.reason : failure);
    });
    child.on('close', (code, killed) => {
      if (signal.aborted) reject(signal.reason as Error);
      else if (failure !== undefined) reject(failure);
      else if (code === 0) resolve();
      else {
        const how = killed === null ? `code ${code}` : `signal ${killed}`;
        reject(new CortexError('unavailable', `git ended with ${how}: ${complaint.trim().slice(0, 300)}`));
      }
    });
  });
}

/** Cuts chunks at each NUL. */
function splitter(onPath: (path: Uint8Array) => void): (chunk: Uint8Array) => void {
  let rest = new Uint8Array(0);
  return (chunk) => {
    let bytes = chunk;
    if (rest.length > 0) {
      bytes = new Uint8Array(rest.length + chunk.length);
      bytes.set(rest);
      bytes.set(chunk, rest.length);
    }
    let from = 0;
    for (let to = bytes.indexOf(0); to >= 0; to = bytes.indexOf(0, from)) {
      onPath(bytes.subarray(from, to));
      from = to + 1;
    }
    rest = bytes.slice(from);
  };
}
