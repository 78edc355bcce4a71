// Which file of the repository an import means. No language's resolver: a name is taken as a path, from the file's folder if it says
// so, else as the longest end of a path that fits, which is right for packages, modules and headers alike, and costs one look each.

/** Finds the number of the file that `specifier`, written in `path`, means; -1 when none does or several would. */
export type Resolver = (path: string, specifier: string) => number;

/** A resolver among `paths`; a file's number is its place among them. */
export function createResolver(paths: readonly string[]): Resolver {
  const exact = new Map<string, number>();
  const ends = new Map<string, number>();
  for (const [file, path] of paths.entries()) {
    for (const name of namesOf(path)) {
      if (!exact.has(name)) exact.set(name, file);
      // Up to three folders: longer names are cut to them before they are looked up.
      const parts = name.split('/');
      for (let n = 1; n <= Math.min(4, parts.length); n++) {
        const end = parts.slice(-n).join('/');
        const before = ends.get(end);
        ends.set(end, before === undefined || before === file ? file : -1);
      }
    }
  }
  return (path, specifier) => {
    if (/^\.\.?(\/|$)/.test(specifier)) {
      const target = join(path.slice(0, Math.max(0, path.lastIndexOf('/'))), specifier);
      return target === undefined ? -1 : (exact.get(target) ?? exact.get(bare(target)) ?? -1);
    }
    const name = specifier.replace(/^[#@~]\/?/, '');
    // `pkg.mod` is a module and `list.h` a file: the whole name first, then without what may be an extension.
    const found = longestEnd(ends, name);
    return found >= 0 ? found : longestEnd(ends, bare(name));
  };
}

function longestEnd(ends: ReadonlyMap<string, number>, name: string): number {
  const parts = name.split(/[/\\.]|::/).filter((part) => part !== '' && part !== 'crate' && part !== 'super');
  // A single name means a file only if the whole import is one: `promises` of `node:fs/promises` is not ours.
  const least = parts.length === 1 ? 1 : 2;
  for (let n = Math.min(4, parts.length); n >= least; n--) {
    const found = ends.get(parts.slice(-n).join('/'));
    if (found !== undefined && found >= 0) return found;
  }
  return -1;
}

/** What an import may call a file: its path, the path without its extension, and the folder that it is the index of. */
function namesOf(path: string): string[] {
  const stem = bare(path);
  const folder = /^(.+)\/(index|mod|__init__|main|lib)$/.exec(stem)?.[1];
  return folder === undefined ? [path, stem] : [path, stem, folder];
}

function bare(path: string): string {
  return path.replace(/(\.d)?\.[A-Za-z]{1,4}$/, '');
}

function join(folder: string, specifier: string): string | undefined {
  const parts = folder === '' ? [] : folder.split('/');
  for (const part of specifier.split('/')) {
    if (part === '..') {
      if (parts.pop() === undefined) return undefined;
    } else if (part !== '.' && part !== '') parts.push(part);
  }
  return parts.join('/');
}
