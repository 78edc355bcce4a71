// The files of a commit, straight from git's objects: their names, kinds and sizes first, then the bytes of those that are wanted.
import { CortexError } from '#core/errors.ts';
import { createByteReader } from './byte-reader.ts';
import { GitError, type GitOptions, type GitRun, startGit } from './git-run.ts';

export interface TreeEntry {
  readonly name: Uint8Array;
  readonly kind: 'file' | 'symlink' | 'submodule' | 'not_a_file';
  readonly executable: boolean;
  /** Of the object, in hex. */
  readonly object: string;
  readonly bytes: number;
}

/** What may stand before a name: mode, type, object, size. */
const maxFacts = 200;
/** Of one name. Longer ones end the listing. */
const maxName = 64 * 1024;

/** Hands over every entry of HEAD. Throws CortexError that names `repo_url`, what `take` throws, and what the signal says. */
export async function listTree(git: GitOptions, take: (entry: TreeEntry) => void): Promise<void> {
  const run = startGit(['ls-tree', '-r', '-z', '-l', '--full-tree', 'HEAD', '--'], git);
  run.stdin.end();
  await finish(run, async () => {
    const reader = createByteReader(run.stdout);
    for (;;) {
      const facts = await reader.until(0x09, maxFacts);
      if (facts === undefined) return;
      const found = /^(\d{6}) (\w+) ([0-9a-f]{40,64}) +(\d+|-)$/.exec(Buffer.from(facts).toString('latin1'));
      const name = await reader.until(0, maxName);
      if (found === null || name === undefined) throw unreadable('its list of files cannot be read');
      const [, mode = '', , object = '', size = ''] = found;
      const kind = kinds[mode.slice(0, 3)] ?? 'not_a_file';
      take({ name: name.slice(), kind, object, executable: mode === '100755', bytes: size === '-' ? 0 : Number(size) });
    }
  });
}

const kinds: Readonly<Record<string, TreeEntry['kind']>> = { '100': 'file', '120': 'symlink', '160': 'submodule' };

/** Hands over the bytes of these objects, in order; they are valid until `take` has resolved. Throws as `listTree`. */
export async function readObjects(
  git: GitOptions,
  objects: readonly { readonly object: string; readonly bytes: number }[],
  take: (index: number, bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  if (objects.length === 0) return;
  const run = startGit(['cat-file', '--batch', '--buffer'], git);
  run.stdin.end(objects.map(({ object }) => `${object}\n`).join(''));
  await finish(run, async () => {
    const reader = createByteReader(run.stdout);
    for (const [i, { object, bytes }] of objects.entries()) {
      const head = await reader.until(0x0a, maxFacts);
      if (head === undefined || Buffer.from(head).toString('latin1') !== `${object} blob ${bytes}`) {
        throw unreadable('one of its files cannot be read');
      }
      const content = await reader.read(bytes + 1);
      if (content === undefined) throw unreadable('one of its files cannot be read');
      await take(i, content.subarray(0, bytes));
    }
  });
}

async function finish(run: GitRun, read: () => Promise<void>): Promise<void> {
  try {
    await read();
  } catch (error) {
    run.kill(error instanceof Error ? error : new Error('reading ended', { cause: error }));
  } finally {
    run.stdout.destroy(); // nobody reads the rest, if there is any
  }
  try {
    await run.ended;
  } catch (error) {
    if (!(error instanceof GitError)) throw error;
    if (/Not a valid object name HEAD|bad revision|ambiguous argument/.test(error.said))
      throw unreadable('has no commit');
    throw unreadable('its objects cannot be read', error);
  }
}

function unreadable(problem: string, cause?: unknown): CortexError {
  return new CortexError('failed_precondition', `repo_url: ${problem}`, { field: 'repo_url', cause });
}
