// The paths that a scan will read, chosen from the names that a walk or git gives. Counts what is left out on the way.
import { CortexError } from '#core/errors.ts';
import type { Globs } from './globs.ts';
import { isPlainPath, maxPath, showName, textOfName } from './names.ts';
import { byText, type Skipped } from './skipped.ts';

export interface Limits {
  /** Names looked at; what is below a folder that is not entered does not count. */
  readonly entries: number;
  /** Files chosen. */
  readonly files: number;
}

/** What stands under a name. */
export type Kind = 'file' | 'folder' | 'symlink' | 'submodule' | 'not_a_file' | 'missing';

export interface Candidates {
  /**
   * One name: the bytes of a path, or of a name in a folder that was entered. Answers the path of a folder to be entered. `kindOf` is
   * asked only about names that matter.
   */
  take(name: Uint8Array, folder: string, kindOf: (path: string) => Kind): string | undefined;
  /** Something that git ignores; folders end in a slash. */
  ignored(name: Uint8Array): void;
  /** Whether that file was chosen. */
  has(path: string): boolean;
  /** The files, sorted. */
  paths(): readonly string[];
}

/** Throws CortexError `out_of_range`, naming `field`, when a limit is passed. */
export function createCandidates(globs: Globs, skipped: Skipped, limits: Limits, field = 'local_path'): Candidates {
  const chosen = new Set<string>();
  const closed = new Map<string, string>();
  let looked = 0;

  const tooMany = (problem: string): CortexError => new CortexError('out_of_range', `${field}: ${problem}`, { field });

  const read = (name: Uint8Array, folder: string): string | undefined => {
    if (++looked > limits.entries) {
      throw tooMany(`holds more than ${limits.entries} names; leave folders out with exclude_globs`);
    }
    const above = folder === '' ? '' : `${folder}/`;
    const text = textOfName(name);
    // A tree that somebody made by hand may hold `..`.
    const isPath = text !== undefined && isPlainPath(text.replace(/\/$/, ''));
    if (isPath && above.length + text.length <= maxPath) return above + text;
    skipped.add(above.slice(0, 1000) + showName(name), 'invalid_name');
    return undefined;
  };

  /** The folder that is left out: this one or one above it; empty for none. git's own folder always is. */
  const closedBy = (folder: string): string => {
    if (folder === '') return '';
    const known = closed.get(folder);
    if (known !== undefined) return known;
    const above = closedBy(parent(folder));
    const isLeftOut = above === '' && (baseName(folder) === '.git' || globs.excludesFolder(folder));
    const by = isLeftOut ? folder : above;
    closed.set(folder, by);
    // One name may have thousands of folders above it, each of which is held and compared with every pattern.
    if (closed.size > limits.entries) throw tooMany(`holds more than ${limits.entries} folders`);
    return by;
  };

  return {
    take(name, folder, kindOf) {
      const path = read(name, folder);
      if (path === undefined || chosen.has(path)) return undefined;
      const outside = closedBy(parent(path));
      if (outside !== '') {
        // Only git names what is in there; a walk does not go in.
        skipped.add(`${outside}/`, 'excluded');
        return undefined;
      }
      const kind = kindOf(path);
      if (kind === 'folder') {
        if (closedBy(path) === '') return path;
        skipped.add(`${path}/`, 'excluded_folder');
      } else if (kind !== 'file') skipped.add(path, kind);
      // A file named .git says where the repository of a work tree or submodule is.
      else if (globs.excludes(path) || baseName(path) === '.git') skipped.add(path, 'excluded');
      else if (!globs.includes(path)) skipped.add(path, 'not_included');
      else {
        chosen.add(path);
        if (chosen.size > limits.files) {
          throw tooMany(`more than ${limits.files} files match; narrow include_globs or add to exclude_globs`);
        }
      }
      return undefined;
    },
    ignored(name) {
      const path = read(name, '');
      if (path !== undefined && closedBy(parent(path.replace(/\/$/, ''))) === '') skipped.add(path, 'ignored');
    },
    has: (path) => chosen.has(path),
    paths: () => [...chosen].sort(byText),
  };
}

function parent(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
