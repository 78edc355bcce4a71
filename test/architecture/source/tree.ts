// The project's source as the rules see it: every file with its tokens and resolved imports, plus files planted by a test to
// show that a rule can fail. It reads the work tree, nothing else.

import { globSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join } from 'node:path/posix';
import { fileURLToPath } from 'node:url';
import { type Import, importsOf } from './imports.ts';
import { type Token, tokenize } from './tokens.ts';

export interface ResolvedImport extends Import {
  /** A path from the repository root, `node:NAME`, or a package with its subpath. */
  readonly target: string;
  readonly to: 'file' | 'node' | 'package';
}

export interface SourceFile {
  /** From the repository root, with slashes. */
  readonly path: string;
  readonly lines: number;
  readonly tokens: readonly Token[];
  readonly imports: readonly ResolvedImport[];
}

export type Tree = ReadonlyMap<string, SourceFile>;

/** What a rule says: one line per offence, `path:line: what`. */
export type Rule = (tree: Tree) => string[];

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const FOLDERS = ['core', 'functions', 'services', 'local', 'test', 'proto/gen'];

export function projectTree(): Tree {
  const paths = globSync(`{${FOLDERS.join(',')}}/**/*.{ts,mts,mjs,js}`, { cwd: ROOT }).toSorted();
  return new Map(paths.map((path) => [path, sourceFile(path, readFileSync(join(ROOT, path), 'utf8'))]));
}

/** The tree with files added or replaced; keys are paths, values are their text. */
export function planted(tree: Tree, files: Record<string, string>): Tree {
  return new Map([...tree, ...Object.entries(files).map(([path, text]) => [path, sourceFile(path, text)] as const)]);
}

/** Everything reached from `entry` by imports that survive to run time, the entry included, each with the way to it. */
export function reachable(tree: Tree, entry: string): Map<string, readonly string[]> {
  const ways = new Map<string, readonly string[]>([[entry, [entry]]]);
  for (const [at, way] of ways) {
    for (const { target, typeOnly } of tree.get(at)?.imports ?? []) {
      if (!typeOnly && !ways.has(target)) ways.set(target, [...way, target]);
    }
  }
  return ways;
}

/** The name of the package: `zod` of `zod/v4`, `@a/b` of `@a/b/c`. */
export function packageName(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

function sourceFile(path: string, text: string): SourceFile {
  let tokens: Token[];
  try {
    tokens = tokenize(text);
  } catch (error) {
    throw new Error(`${path}: ${String(error)}`, { cause: error });
  }
  const imports = importsOf(tokens).map((found) => ({ ...found, ...resolve(path, found.specifier) }));
  return { path, lines: text.split('\n').length - (text.endsWith('\n') ? 1 : 0), tokens, imports };
}

function resolve(from: string, specifier: string): Pick<ResolvedImport, 'target' | 'to'> {
  if (specifier.startsWith('#core/')) return { target: join(specifier.slice(1)), to: 'file' };
  if (specifier.startsWith('#proto/')) return { target: join(specifier.replace('#proto/', 'proto/gen/')), to: 'file' };
  if (specifier.startsWith('.')) return { target: join(dirname(from), specifier), to: 'file' };
  if (specifier.startsWith('node:')) return { target: specifier, to: 'node' };
  if (builtinModules.includes(specifier)) return { target: `node:${specifier}`, to: 'node' };
  return { target: specifier, to: 'package' };
}
