// The diff between two versions of one file, made and tried by git: in a folder of its own that holds nothing else, with no settings but
// ours. git is given no text but files and its own diff, so what a model writes cannot ask anything of it.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { CortexError, invalid } from '#core/errors.ts';
import type { Log } from '#core/log.ts';
import { GitError, type GitOptions, startGit, toolPath } from '../repo/git-run.ts';
import { makeFolder } from '../temporary.ts';

export interface Versions {
  /** As filePathProblem has nothing against it. */
  readonly path: string;
  readonly original: string;
  readonly result: string;
}

export interface DiffTools {
  readonly signal: AbortSignal;
  readonly log: Log;
  /** Where git is looked for. Default: toolPath. */
  readonly git?: string;
  /** Default: 30,000. */
  readonly maxMs?: number;
}

/** Of one file that git writes, and of memory that it may ask for, bytes. */
const fileBytes = 64 * 2 ** 20;
const memoryBytes = 2 * 2 ** 30;

/**
 * The unified diff with `a/` and `b/` before the path, after `git apply --check` and `git apply` made the result of the original with it.
 * Throws CortexError: `unavailable` without git, `deadline_exceeded`, `invalid_argument` for a path that git takes for none, and what the
 * signal says.
 */
export async function gitDiff({ path, original, result }: Versions, tools: DiffTools): Promise<string> {
  const { maxMs = 30_000 } = tools;
  const time = new AbortController();
  const late = new CortexError('deadline_exceeded', `git needed more than ${maxMs / 1000} s for the patch`);
  const folder = makeFolder('patch', maxMs); // before the timer, which would keep the process alive if there is no room for one
  const timer = setTimeout(() => time.abort(late), maxMs);
  try {
    const home = join(folder, 'home');
    mkdirSync(home);
    write(join(folder, 'a', path), original);
    write(join(folder, 'b', path), result);
    const base: GitOptions = {
      ...{ cwd: folder, home, fileBytes, memoryBytes, orphanSeconds: maxMs / 1000 + 30 },
      signal: AbortSignal.any([tools.signal, time.signal]),
      // Nobody's repository is around the folder, whatever lies above it.
      env: { GIT_CEILING_DIRECTORIES: tmpdir(), GIT_DIR: join(home, 'none'), PATH: tools.git ?? toolPath },
      settings: ['core.quotePath=false', 'core.autocrlf=false', 'core.safecrlf=false'],
    };
    const diff = await run(['diff', '--no-index', '--no-prefix', '--text', ...plain, '--', `a/${path}`, `b/${path}`], {
      ...base,
      isDiff: true,
    });
    const apply = { ...base, cwd: join(folder, 'a'), input: diff };
    await run(['apply', '--check', '--whitespace=nowarn', '-'], apply);
    await run(['apply', '--whitespace=nowarn', '-'], apply);
    if (readFileSync(join(folder, 'a', path), 'utf8') !== result)
      throw new CortexError('internal', 'the patch that git made does not make the file that is meant');
    return diff;
  } catch (error) {
    if (!(error instanceof GitError)) throw error;
    tools.log.info('git could not make a patch', { git: error.said });
    throw gitProblem(error);
  } finally {
    clearTimeout(timer);
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

const plain = ['--no-color', '--no-ext-diff', '--no-textconv', '--no-renames', '--unified=3'];

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text, { mode: 0o644, flag: 'wx' });
}

function gitProblem(error: GitError): CortexError {
  // The shell, or `timeout`, found none.
  if (error.code === 127 || error.code === 126) {
    return new CortexError('unavailable', 'the worker has no git to make the patch with; install git where it runs', {
      cause: error,
    });
  }
  if (/invalid path/.test(error.said)) return invalid('file_path', 'git takes it for no path of a file');
  return new CortexError('internal', 'git could not make the patch; the log of the worker has what it says', {
    cause: error,
  });
}

interface RunOptions extends GitOptions {
  readonly input?: string;
  /** Then 1 means that there is a difference. */
  readonly isDiff?: boolean;
}

/** What git wrote. */
async function run(args: readonly string[], { input = '', isDiff = false, ...options }: RunOptions): Promise<string> {
  const git = startGit(args, options);
  git.stdin.end(input);
  const chunks: Buffer[] = [];
  for await (const chunk of git.stdout) chunks.push(chunk as Buffer);
  try {
    await git.ended;
  } catch (error) {
    if (!(isDiff && error instanceof GitError && error.code === 1 && error.said === '')) throw error;
  }
  return Buffer.concat(chunks).toString('utf8');
}
