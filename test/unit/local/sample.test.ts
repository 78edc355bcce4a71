// Samples from an archive on this disk: npm takes one as it takes a package's name, and asks no registry for it.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { packTar } from 'modern-tar/fs';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { makeSample, type Sample } from '../../../local/sample.ts';

let root: string;
let sample: Sample;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'cortex-sample-'));
  const archive = join(root, 'demo.tgz');
  const contents = {
    'package.json': '{"name":"demo","version":"1.0.0"}',
    'src/a.ts': 'export const a = 1;\n',
    '.gitignore': 'src\n',
  };
  const sources = Object.entries(contents).map(([target, content]) => ({
    ...({ type: 'content', target: `package/${target}`, content, mode: 0o755 } as const),
  }));
  const chunks: Buffer[] = [];
  await pipeline(packTar(sources), createGzip(), async (bytes) => {
    for await (const chunk of bytes) chunks.push(chunk as Buffer);
  });
  writeFileSync(archive, Buffer.concat(chunks));
  const digest = createHash('sha512').update(readFileSync(archive)).digest('base64');
  sample = { name: 'demo', version: '1.0.0', spec: archive, integrity: `sha512-${digest}` };
});
afterAll(() => rmSync(root, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());

const git = (path: string, ...args: string[]): string =>
  execFileSync('git', args, { cwd: path, encoding: 'utf8' }).trim();

test('holds every file of the package in one commit', async () => {
  const path = await makeSample(sample, join(root, 'one'));
  expect(git(path, 'ls-files').split('\n')).toEqual(['.gitignore', 'package.json', 'src/a.ts']);
  expect(git(path, 'status', '--short')).toBe('');
  expect(git(path, 'log', '--format=%an %s')).toBe('sample demo 1.0.0');
  expect(readdirSync(join(root, 'one'))).toEqual(['demo-1.0.0']);
});

test('is the same commit wherever it is made, and runs no hook', async () => {
  const first = await makeSample(sample, join(root, 'first'));
  const template = join(root, 'template');
  mkdirSync(join(template, 'hooks'), { recursive: true });
  writeFileSync(join(template, 'hooks', 'pre-commit'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
  writeFileSync(
    join(root, 'gitconfig'),
    `[user]\nname = Other\n[init]\ntemplateDir = ${template}\n[core]\nhooksPath = ${template}/hooks\n`,
  );
  vi.stubEnv('GIT_CONFIG_GLOBAL', join(root, 'gitconfig'));
  vi.stubEnv('GIT_AUTHOR_NAME', 'Somebody');
  vi.stubEnv('GIT_DIR', join(root, 'elsewhere'));
  const second = await makeSample(sample, join(root, 'second'));
  vi.unstubAllEnvs();
  expect(git(second, 'rev-parse', 'HEAD')).toBe(git(first, 'rev-parse', 'HEAD'));
});

test('that is there is left as it is', async () => {
  const folder = join(root, 'again');
  const path = await makeSample(sample, folder);
  writeFileSync(join(path, 'mine.txt'), 'mine');
  expect(await makeSample({ ...sample, spec: '/nowhere.tgz' }, folder)).toBe(path);
  expect(readdirSync(path)).toContain('mine.txt');
});

test.each([
  ['another archive', { integrity: 'sha512-x' }, 'is not the archive that was expected'],
  ['an archive that is not there', { spec: '/nowhere/demo.tgz' }, 'npm pack: '],
])('refuses %s and leaves nothing', async (_, over, message) => {
  const folder = join(root, 'refused');
  await expect(makeSample({ ...sample, ...over }, folder)).rejects.toThrow(message);
  expect(readdirSync(folder)).toEqual([]);
});
