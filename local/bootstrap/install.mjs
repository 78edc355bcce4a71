// Installs the locked dependencies when the lockfile has changed since the last time. It never does so
// under the feet of a running system or test run. Plain JavaScript for Node 18 to 24.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inUse } from './checkout.mjs';
import { assertNewEnough } from './runtime.mjs';
import { Stop } from './stop.mjs';

const noteFile = (root) => join(root, 'node_modules', '.cortex-lock-hash');

/** The version of Node that the lockfile brings for this machine; undefined when it brings none. */
function bundledVersion(root) {
  return lockedPackages(root)[`node_modules/node-${process.platform}-${process.arch}`]?.version;
}

/** True when node_modules is not what the lockfile asks for. */
export function needsInstall(root) {
  const hash = lockHash(root);
  if (readText(noteFile(root))?.trim() === hash) return false;
  if (!matchesLockfile(root)) return true;
  finish(root, hash); // somebody ran `npm ci` by hand: as good
  return false;
}

function lockHash(root) {
  const lock = readText(join(root, 'package-lock.json'));
  if (lock === undefined) throw new Stop('package-lock.json is missing: this is not a whole checkout');
  return createHash('sha256').update(lock).digest('hex');
}

// npm leaves a lockfile of what it installed in node_modules. It is equal to ours but for the root and
// optional packages, of which only those for this machine must be there (see as-node-24.cjs).
function matchesLockfile(root) {
  const wanted = lockedPackages(root);
  const found = packagesIn(readText(join(root, 'node_modules', '.package-lock.json')));
  if (found === undefined) return false;
  const same = Object.entries(wanted).every(([path, entry]) => {
    if (path === '') return true;
    const there = found[path];
    if (there === undefined) return entry.optional === true && !isForThisMachine(entry);
    return there.version === entry.version && there.integrity === entry.integrity;
  });
  return same && Object.keys(found).every((path) => path in wanted);
}

function lockedPackages(root) {
  const packages = packagesIn(readText(join(root, 'package-lock.json')));
  if (packages === undefined)
    throw new Stop('package-lock.json cannot be read as a lockfile: restore it and try again');
  return packages;
}

/** The packages of a lockfile; undefined when there is none, or a torn one. */
function packagesIn(text) {
  try {
    return text === undefined ? undefined : (JSON.parse(text)?.packages ?? undefined);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isForThisMachine({ os, cpu, libc }) {
  if (os === undefined || cpu === undefined) return false; // needed by one of those for other machines
  const names = (field, one) => [].concat(field).includes(one);
  return names(os, process.platform) && names(cpu, process.arch) && (libc === undefined || names(libc, 'glibc'));
}

/**
 * `npm ci` without install scripts, then the note. Call it under the lock; `hold.share` makes npm keep
 * the lock should this process be killed. Throws Stop with one line when it cannot or must not.
 */
export async function install(root, hold, say) {
  const user = inUse(root);
  if (user !== undefined) throw new Stop(`the dependencies have changed, but ${user}: stop it first, then try again`);
  if (bundledVersion(root) === undefined) assertNewEnough(process.execPath);
  say('installing the locked dependencies with npm ci (once; again when the lockfile changes)');
  const hash = lockHash(root);
  await npmCi(root, hold);
  finish(root, hash);
}

function finish(root, hash) {
  linkNode(root);
  writeFileSync(noteFile(root), `${hash}\n`);
}

// `npm run` and `npx` find Node 24 as node_modules/.bin/node. Two packages of the lockfile bring a command
// of that name, and npm 9 (Debian 12) links none when the one it looks at first is for another machine.
function linkNode(root) {
  const name = `node-${process.platform}-${process.arch}`;
  const link = join(root, 'node_modules', '.bin', 'node');
  if (!existsSync(join(root, 'node_modules', name, 'bin', 'node')) || existsSync(link)) return;
  mkdirSync(dirname(link), { recursive: true });
  symlinkSync(join('..', name, 'bin', 'node'), link);
}

// Development and optional packages are asked for by name: NODE_ENV=production or a setting of the
// user's would leave out vitest or Node 24 itself.
const flags = [
  '--ignore-scripts',
  '--include=dev',
  '--include=optional',
  '--no-audit',
  '--no-fund',
  '--loglevel=error',
];

const asNode24 = fileURLToPath(new URL('as-node-24.cjs', import.meta.url));

function npmCi(root, hold) {
  return new Promise((resolve, reject) => {
    const npm = spawn('npm', ['ci', ...flags], {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: {
        ...process.env,
        PATH: pathWithout(join(root, 'node_modules')),
        NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --require ${JSON.stringify(asNode24)}`.trim(),
        CORTEX_RUNTIME_VERSION: bundledVersion(root) ?? process.versions.node,
      },
    });
    const passOn = (signal) => npm.kill(signal);
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    for (const signal of signals) process.on(signal, passOn);
    const settle = (finish) => {
      for (const signal of signals) process.off(signal, passOn);
      finish();
    };
    npm.once('spawn', () => hold.share(npm.pid));
    npm.once('error', (error) => {
      const problem =
        error.code === 'ENOENT' ? 'npm is not installed: install it and try again' : `npm: ${error.message}`;
      settle(() => reject(new Stop(problem)));
    });
    npm.once('exit', (code, signal) => {
      if (code === 0) return settle(resolve);
      settle(() => reject(new Stop(`npm ci failed (${signal ?? `exit code ${code}`}): nothing was started`)));
    });
  });
}

// npm must not run on the Node that it is about to remove.
function pathWithout(folder) {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .filter((entry) => !entry.startsWith(folder))
    .join(delimiter);
}

function readText(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}
