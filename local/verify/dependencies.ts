// What must be true of every package we depend on, judged from four files. It asks no registry and looks at no installed file.

import { type Lockfile, lockGaps } from './lock.ts';

export interface DependencyFiles {
  /** package.json, parsed. */
  readonly manifest: unknown;
  /** package-lock.json, parsed. */
  readonly lock: Lockfile;
  readonly npmrc: string;
  readonly readme: string;
}

/**
 * Packages that bring an install script, and why that is all right. None of the scripts runs (`ignore-scripts` in .npmrc); the
 * reason says why the package works without.
 */
export const INSTALL_SCRIPTS: Readonly<Record<string, string>> = {
  '@bufbuild/buf': 'only checks that its binary, an optional dependency of its own, has arrived',
  esbuild: 'only puts its binary, an optional dependency of its own, in place of its launcher, which finds it as well',
  'msgpackr-extract': 'builds a faster decoder for bullmq, which the benchmark compares with; msgpackr does without',
  protobufjs: 'only prints a hint about its version scheme',
  workerd: 'only puts its binary, an optional dependency of its own, in place of its launcher, which finds it as well',
};

/** Settings of .npmrc that the lockfile and the installation rely on. */
const NPMRC = ['omit-lockfile-registry-resolved=true', 'ignore-scripts=true', 'save-exact=true'];

/** One line per problem; none means all is well. */
export function dependencyProblems({ manifest, lock, npmrc, readme }: DependencyFiles): string[] {
  const wanted = Object.entries(packagesOf(manifest));
  const rows = readmeRows(readme);
  const settings = npmrc.split('\n').map((line) => line.replaceAll(/\s/g, ''));
  return [
    ...wanted.flatMap(([name, version]) =>
      isExact(version) ? [] : [`package.json: ${name} is not pinned: ${version}`],
    ),
    ...wanted.flatMap(([name]) => (rows.has(name) ? [] : [`README.md: the dependency table has no row for ${name}`])),
    ...[...rows].flatMap(([name, reason]) => [
      ...(wanted.some(([one]) => one === name) ? [] : [`README.md: ${name} has a row but is not in package.json`]),
      ...(reason === '' ? [`README.md: ${name} has a row without a reason`] : []),
    ]),
    ...NPMRC.flatMap((line) => (settings.includes(line) ? [] : [`.npmrc: ${line} is missing`])),
    ...(/^engine-strict/m.test(npmrc) ? ['.npmrc: engine-strict would refuse the Node that npm itself runs on'] : []),
    ...lockProblems(lock),
  ];
}

function lockProblems(lock: Lockfile): string[] {
  const seen = new Set<string>();
  const problems: string[] = [];
  for (const [path, entry] of Object.entries(lock.packages)) {
    const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
    if (entry['hasInstallScript'] === true) {
      seen.add(name);
      if (!Object.hasOwn(INSTALL_SCRIPTS, name))
        problems.push(`package-lock.json: ${name} has an install script and is not allowed one`);
    }
    for (const [field, value] of Object.entries(entry)) {
      // Where to donate is an address too, but nobody installs from it.
      if (field === 'resolved') problems.push(`package-lock.json: ${path} says where it was resolved from`);
      else if (field !== 'funding' && JSON.stringify(value).includes('://'))
        problems.push(`package-lock.json: ${path} has an address in ${field}`);
    }
  }
  for (const { name, wantedBy } of lockGaps(lock)) {
    problems.push(
      `package-lock.json: ${name}, wanted by ${wantedBy}, has no entry, so npm ci refuses: npm run verify -- --fix`,
    );
  }
  const idle = Object.keys(INSTALL_SCRIPTS).filter((name) => !seen.has(name));
  return [...problems, ...idle.map((name) => `${name} is allowed an install script that it does not have`)];
}

/** Names and wanted versions of all four kinds. */
function packagesOf(manifest: unknown): Record<string, string> {
  const kinds = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'];
  const all = kinds.flatMap((kind) => Object.entries(record(record(manifest)[kind] ?? {})));
  return Object.fromEntries(all.map(([name, version]) => [name, String(version)]));
}

/** Rows of the table under "## Dependencies": "| `name` | reason |". */
function readmeRows(readme: string): Map<string, string> {
  const section = /^## Dependencies\n([^]*?)(?=^## |$(?![^]))/m.exec(readme)?.[1] ?? '';
  const rows = section.matchAll(/^\| `([^`]+)` \|([^|\n]*)\|/gm);
  return new Map(Array.from(rows, ([, name = '', reason = '']) => [name, reason.trim()]));
}

function isExact(version: string): boolean {
  return /^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version);
}

function record(value: unknown): Record<string, unknown> {
  if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  throw new TypeError(`an object was expected, not ${JSON.stringify(value)}`);
}
