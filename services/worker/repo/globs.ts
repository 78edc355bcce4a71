// Which files a scan looks at: include and exclude patterns, matched by picomatch, paths relative to the repository with `/`.
//
//   **/*.go         at the root and at any depth; names that begin with a dot match like others
//   *.go, Makefile  a pattern without a slash matches at any depth
//   src/**          an include pattern with a slash begins at the root
//   vendor/**       an exclude pattern holds at any depth (a/vendor/x too), whole names only (`bin/**` leaves robin/ alone);
//   /vendor/**      with a leading slash it begins at the root
//   docs, docs/     a plain name stands for the file of that name and for everything below such a folder
//
// Parentheses and `|` are plain characters; there are no negations and no extended globs. Exclusion wins.
import picomatch from 'picomatch';
import { CortexError, invalid } from '#core/errors.ts';
import type { Result } from '#core/result.ts';
import { err, ok } from '#core/result.ts';

export interface Globs {
  includes(path: string): boolean;
  excludes(path: string): boolean;
  /** Whether everything below this folder is excluded, so that nobody needs to look into it. */
  excludesFolder(path: string): boolean;
}

export interface GlobLists {
  readonly include_globs: readonly string[];
  readonly exclude_globs: readonly string[];
}

/** Wildcards of one kind in one pattern. A regular expression needs seconds for one hostile name once there are more. */
const mostStars = 3;

const options: picomatch.PicomatchOptions = {
  dot: true,
  nonegate: true,
  noextglob: true,
  regex: false,
  strictBrackets: true,
};

/** Reads both lists. The error names the pattern: `exclude_globs.2`. */
export function parseGlobs(lists: GlobLists): Result<Globs, CortexError> {
  const include: string[] = [];
  const exclude: string[] = [];
  const folders: string[] = [];
  try {
    for (const [i, pattern] of lists.include_globs.entries()) {
      include.push(...expand(pattern, pattern.includes('/'), `include_globs.${i}`));
    }
    for (const [i, pattern] of lists.exclude_globs.entries()) {
      for (const one of expand(pattern, pattern.startsWith('/'), `exclude_globs.${i}`)) {
        // picomatch lets `a/**` match `a` itself, which may be a file.
        exclude.push(one.endsWith('/**') ? `${one}/*` : one);
        if (one.endsWith('/**')) folders.push(one.slice(0, -3));
      }
    }
    const included = picomatch(include, options);
    const excluded = picomatch(exclude, options);
    const excludedFolder = folders.length === 0 ? () => false : picomatch(folders, options);
    return ok({
      includes: (path) => included(path),
      excludes: (path) => exclude.length > 0 && excluded(path),
      excludesFolder: (path) => excludedFolder(path),
    });
  } catch (error) {
    if (error instanceof CortexError) return err(error);
    throw error;
  }
}

/** What a pattern stands for, as picomatch understands it. Throws invalid_argument. */
function expand(pattern: string, anchored: boolean, field: string): readonly string[] {
  let body = pattern.replace(/^(\.?\/)+/, '');
  if (body === '') throw invalid(field, 'is empty');
  if (body.split('/').some((part) => part === '..' || part === '.' || part === '') && !body.endsWith('/')) {
    throw invalid(field, 'must not hold empty parts, "." or ".."');
  }
  const isFolder = body.endsWith('/');
  if (isFolder) body = body.replace(/\/+$/, '');
  const isPlain = !/[*?[\]{}\\]/.test(body);
  body = plainCharacters(body);
  if (!anchored && !body.startsWith('**/')) body = `**/${body}`;
  check(body, field);
  if (isFolder) return [`${body}/**`];
  return isPlain ? [body, `${body}/**`] : [body];
}

/** Takes from parentheses and bars the meaning that they have for picomatch, and writes `[!a]` as it wants it. */
function plainCharacters(body: string): string {
  return body.replaceAll(/\\.|[()|]|\[!/gs, (found) => {
    if (found.startsWith('\\')) return found;
    return found === '[!' ? '[^' : `\\${found}`;
  });
}

function check(body: string, field: string): void {
  const parts = body.split('/');
  const deep = parts.filter((part) => part === '**').length;
  const widest = Math.max(...parts.map((part) => (part.match(/\*+/g) ?? []).length));
  if (deep > mostStars || widest > mostStars) {
    throw invalid(
      field,
      `holds too many wildcards: at most ${mostStars} "**", and ${mostStars} "*" between two slashes`,
    );
  }
  try {
    picomatch.makeRe(body, options);
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    throw new CortexError('invalid_argument', `${field}: ${problem}`, { field, cause: error });
  }
}
