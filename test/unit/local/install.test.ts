// When dependencies are installed, how, and when they must not be. npm is a script on a fake PATH.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { claimRun, claimTests } from '../../../local/bootstrap/checkout.mjs';
import { install, needsInstall } from '../../../local/bootstrap/install.mjs';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'cortex-install-'));
  mkdirSync(join(root, 'bin'));
  lockfile('1.0.0');
  vi.stubEnv('PATH', `${join(root, 'node_modules', '.bin')}:${join(root, 'bin')}:/usr/bin:/bin`);
  vi.stubEnv('NODE_ENV', 'production');
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true, force: true });
});

const hold = { share: () => undefined };
const noteFile = () => join(root, 'node_modules', '.cortex-lock-hash');

function lockfile(version: string, more: object = {}): void {
  const packages = {
    '': { name: 'x' },
    'node_modules/a': { version, integrity: `sha512-${version}` },
    'node_modules/other-platform': { version: '2.0.0', optional: true, os: ['plan9'], cpu: [process.arch] },
    'node_modules/of-other-platform': { version: '2.0.0', optional: true },
    'node_modules/for-musl': {
      version: '2.0.0',
      optional: true,
      os: [process.platform],
      cpu: [process.arch],
      libc: ['musl'],
    },
    ...more,
  };
  writeFileSync(join(root, 'package-lock.json'), JSON.stringify({ packages }));
}

function installedByHand(packages: object): void {
  mkdirSync(join(root, 'node_modules'), { recursive: true });
  writeFileSync(join(root, 'node_modules', '.package-lock.json'), JSON.stringify({ packages }));
}

function fakeNpm(script: string): void {
  writeFileSync(join(root, 'bin', 'npm'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

describe('needsInstall', () => {
  it('says yes without node_modules, no after an install, yes after the lockfile changed', async () => {
    expect(needsInstall(root)).toBe(true);
    fakeNpm('mkdir -p node_modules');
    await install(root, hold, () => undefined);
    expect(needsInstall(root)).toBe(false);
    lockfile('1.0.1');
    expect(needsInstall(root)).toBe(true);
  });

  it('accepts what npm ci by hand has installed, and notes it', () => {
    installedByHand({ 'node_modules/a': { version: '1.0.0', integrity: 'sha512-1.0.0' } });
    expect(needsInstall(root)).toBe(false);
    expect(existsSync(noteFile())).toBe(true);
  });

  it('wants an install when npm left out an optional package for this very machine', () => {
    const native = { version: '1.0.0', integrity: 'sha512-n', optional: true, os: process.platform, cpu: process.arch };
    lockfile('1.0.0', { 'node_modules/native': native });
    const installed = { 'node_modules/a': { version: '1.0.0', integrity: 'sha512-1.0.0' } };
    installedByHand(installed);
    expect(needsInstall(root)).toBe(true);
    installedByHand({ ...installed, 'node_modules/native': native });
    expect(needsInstall(root)).toBe(false);
  });

  it.each([
    ['another version', { 'node_modules/a': { version: '1.0.1', integrity: 'sha512-1.0.0' } }],
    ['another content', { 'node_modules/a': { version: '1.0.0', integrity: 'sha512-2' } }],
    ['a missing package', {}],
    [
      'a package too many',
      { 'node_modules/a': { version: '1.0.0', integrity: 'sha512-1.0.0' }, 'node_modules/b': { version: '1.0.0' } },
    ],
  ])('wants an install for %s', (_what, packages) => {
    installedByHand(packages);
    expect(needsInstall(root)).toBe(true);
  });
});

describe('a lockfile that cannot be read', () => {
  it.each(['{"packages":{"node_modules/a":', '', '{}', 'null'])('in node_modules wants an install: %j', (text) => {
    installedByHand({});
    writeFileSync(join(root, 'node_modules', '.package-lock.json'), text);
    expect(needsInstall(root)).toBe(true);
  });

  it('of the checkout is told in one line', async () => {
    installedByHand({});
    writeFileSync(join(root, 'package-lock.json'), '<<<<<<< HEAD\n{}');
    const told = /^package-lock\.json cannot be read as a lockfile/;
    expect(() => needsInstall(root)).toThrow(
      expect.objectContaining({ name: 'Stop', message: expect.stringMatching(told) }),
    );
    await expect(install(root, hold, () => undefined)).rejects.toThrow(told);
  });
});

describe('install', () => {
  it('runs npm ci without scripts, with everything, and not on a Node inside node_modules', async () => {
    fakeNpm('echo "$@" > args; echo "$PATH" > path; mkdir -p node_modules');
    const said: string[] = [];
    await install(root, hold, (line) => said.push(line));
    const args = readFileSync(join(root, 'args'), 'utf8').trim().split(' ');
    expect(args[0]).toBe('ci');
    expect(args).toEqual(expect.arrayContaining(['--ignore-scripts', '--include=dev', '--include=optional']));
    expect(readFileSync(join(root, 'path'), 'utf8')).not.toContain('node_modules');
    expect(said).toHaveLength(1);
  });

  it('tells npm the version of the Node that will run what it installs', async () => {
    const old = join(root, 'bin', 'old.cjs'); // plays an older Node
    writeFileSync(old, "Object.defineProperty(process.versions, 'node', { value: '18.19.0' });");
    lockfile('1.0.0', { [`node_modules/node-${process.platform}-${process.arch}`]: { version: '24.99.0' } });
    vi.stubEnv('NODE_OPTIONS', `--require ${JSON.stringify(old)}`);
    fakeNpm(`mkdir -p node_modules; '${process.execPath}' -p process.version > version`);
    await install(root, hold, () => undefined);
    expect(readFileSync(join(root, 'version'), 'utf8')).toBe('v24.99.0\n');
  });

  it('links the Node of the lockfile where npm did not', async () => {
    const name = `node-${process.platform}-${process.arch}`;
    fakeNpm(`mkdir -p node_modules/${name}/bin && echo new > node_modules/${name}/bin/node`);
    await install(root, hold, () => undefined);
    const link = join(root, 'node_modules', '.bin', 'node');
    expect(readFileSync(link, 'utf8')).toBe('new\n');
    rmSync(link);
    installedByHand({ 'node_modules/a': { version: '1.0.0', integrity: 'sha512-1.0.0' } });
    rmSync(noteFile());
    expect(needsInstall(root)).toBe(false);
    expect(readFileSync(link, 'utf8')).toBe('new\n');
  });

  it('leaves no note and says so in one line when npm fails', async () => {
    fakeNpm('mkdir -p node_modules; exit 3');
    await expect(install(root, hold, () => undefined)).rejects.toThrow('npm ci failed (exit code 3)');
    expect(needsInstall(root)).toBe(true);
  });

  it('says what is missing when there is no npm', async () => {
    vi.stubEnv('PATH', join(root, 'bin'));
    await expect(install(root, hold, () => undefined)).rejects.toThrow('npm is not installed');
  });

  it('does not run while a system or tests of this checkout run', async () => {
    fakeNpm('mkdir -p node_modules; touch ran');
    claimRun(root);
    await expect(install(root, hold, () => undefined)).rejects.toThrow(
      new RegExp(`CortexOS runs from this checkout \\(pid ${process.pid}\\): stop it first`),
    );
    rmSync(join(root, '.cortex', 'run.json'));
    const folder = claimTests(root);
    await expect(install(root, hold, () => undefined)).rejects.toThrow(/tests run from this checkout/);
    rmSync(folder, { recursive: true });
    expect(existsSync(join(root, 'ran'))).toBe(false);
    await install(root, hold, () => undefined);
    expect(existsSync(join(root, 'ran'))).toBe(true);
  });
});
