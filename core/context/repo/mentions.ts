// Files that a question names: paths, lines of a stack trace, `chunk.ts:12`.

export interface Mention {
  readonly file: number;
  /** From 1; 0 when only the file is named. */
  readonly line: number;
  /** As the question writes it. */
  readonly as: string;
}

const MAX_MENTIONS = 200;

/** How files are found by the ends of their paths. */
export type PathEnds = ReadonlyMap<string, readonly number[]>;

/** Files by their last component. */
export function pathEnds(paths: readonly string[]): PathEnds {
  const ends = new Map<string, number[]>();
  for (const [file, path] of paths.entries()) {
    const name = path.slice(path.lastIndexOf('/') + 1).toLowerCase();
    const list = ends.get(name);
    if (list === undefined) ends.set(name, [file]);
    else list.push(file);
  }
  return ends;
}

/** `a/b.ts`, `a/b.ts:3`, `a/b.ts:3:7`, `a/b.ts(3,7)`, `File "a/b.py", line 3`, and names like `Makefile` behind a slash. */
const NAMED = /(?<![\w@.+-])((?:[\w@.+-]+[\\/])*[\w@+-][\w@.+-]*)(?:["']?, line (\d{1,7})|[:(](\d{1,7}))?/g;

/** In the order in which the text names them, each (file, line) once. A name that fits many files names none. */
export function mentionsIn(text: string, paths: readonly string[], ends: PathEnds): Mention[] {
  const found = new Map<string, Mention>();
  for (const [, name = '', line, otherLine] of text.matchAll(NAMED)) {
    if (!/[./\\]/.test(name)) continue;
    const path = name.replaceAll('\\', '/').replace(/\.+$/, '').toLowerCase();
    const at = Number(line ?? otherLine ?? 0);
    for (const file of filesOf(path, paths, ends)) {
      const key = `${file}:${at}`;
      if (!found.has(key)) found.set(key, { file, line: at, as: name });
      if (found.size >= MAX_MENTIONS) return [...found.values()];
    }
  }
  return [...found.values()];
}

/** Those whose path shares the longest end with the name: a trace has folders of another machine in front. */
function filesOf(path: string, paths: readonly string[], ends: PathEnds): number[] {
  const parts = path.split('/');
  let best = 0;
  let files: number[] = [];
  for (const file of ends.get(parts.at(-1) ?? '') ?? []) {
    const own = (paths[file] as string).toLowerCase().split('/');
    let shared = 0;
    while (shared < Math.min(own.length, parts.length) && own.at(-1 - shared) === parts.at(-1 - shared)) shared++;
    if (shared > best) [best, files] = [shared, []];
    if (shared === best) files.push(file);
  }
  return files.length > 3 ? [] : files;
}
