// What a scan must not do: read outside its roots, follow links, grow without end, run on after an abort.
import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CortexError } from '#core/errors.ts';
import { silentLog } from '#core/log.ts';
import { repoScanContext } from '#core/protocol/repo-payloads.ts';
import { unwrap } from '#core/result.ts';
import { createCandidates } from '../../../services/worker/repo/candidates.ts';
import { parseGlobs } from '../../../services/worker/repo/globs.ts';
import { readInside } from '../../../services/worker/repo/read-file.ts';
import { noFetch, scan, scanLimits } from '../../../services/worker/repo/scanner.ts';
import { createSkipped } from '../../../services/worker/repo/skipped.ts';
import { makeTree, scanOf, unpack } from './tree.ts';

const secret = 'the secret of the host';

test('links are told and never followed, wherever they lead', async () => {
  const outside = makeTree({ 'secret.ts': secret, 'folder/inner.ts': secret });
  const root = makeTree({ 'a.ts': 'mine', 'sub/b.ts': 'mine' });
  symlinkSync(join(outside, 'secret.ts'), join(root, 'file.ts'));
  symlinkSync(outside, join(root, 'folder'));
  symlinkSync('../../../../../../etc/passwd', join(root, 'sub/passwd.ts'));
  symlinkSync('a.ts', join(root, 'inside.ts'));
  symlinkSync('..', join(root, 'sub/loop'));
  symlinkSync('nowhere', join(root, 'dangling.ts'));
  const found = await scanOf(root);
  expect(found.paths).toEqual(['a.ts', 'sub/b.ts']);
  expect(found.left).toEqual({
    symlink: ['dangling.ts', 'file.ts', 'folder', 'inside.ts', 'sub/loop', 'sub/passwd.ts'],
  });
  expect([...(await unpack(found.archive)).values()].join()).toBe('mine,mine');
});

test('a file that is reached through a link is not read, whatever was known of it before', () => {
  const outside = makeTree({ 'x.ts': secret });
  const root = makeTree({ 'dir/x.ts': 'mine' });
  const options = { root, maxBytes: 1000 };
  expect(readInside('dir/x.ts', options)).toMatchObject({ executable: false });
  renameSync(join(root, 'dir'), join(root, 'was'));
  symlinkSync(outside, join(root, 'dir'));
  expect(readInside('dir/x.ts', options)).toEqual({ skip: 'symlink' });
  rmSync(join(root, 'dir'));
  symlinkSync('was', join(root, 'dir'));
  expect(readInside('dir/x.ts', options)).toEqual({ skip: 'symlink' });
  expect(readInside('gone/x.ts', options)).toEqual({ skip: 'missing' });
  expect(readInside('was', options)).toEqual({ skip: 'submodule' });
});

test('a file that may not be read is told', () => {
  const root = makeTree({ 'x.ts': 'x' });
  chmodSync(join(root, 'x.ts'), 0);
  const isRoot = process.geteuid?.() === 0; // who may read everything
  if (isRoot) process.seteuid?.(65_534);
  try {
    expect(readInside('x.ts', { root, maxBytes: 10 })).toEqual({ skip: 'unreadable' });
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
});

const code = (path: string, roots: readonly string[]) =>
  scanOf(path, { roots }).then(
    (found) => found.repo_root,
    (error: unknown) => (error instanceof CortexError ? `${error.code} ${error.field}` : String(error)),
  );

test('only what is really below an allowed root is scanned', async () => {
  const root = makeTree({ 'in/a.ts': '', 'file.ts': '' });
  const other = makeTree({ 'b.ts': secret });
  symlinkSync(other, join(root, 'out'));
  symlinkSync('in', join(root, 'alias'));
  const linkedRoot = join(makeTree(), 'link');
  symlinkSync(root, linkedRoot);

  expect(await code(root, [root])).toBe(root);
  expect(await code(`${root}/in/`, [other, root])).toBe(join(root, 'in'));
  expect(await code(join(root, 'alias'), [root])).toBe(join(root, 'in'));
  expect(await code(join(linkedRoot, 'in'), [linkedRoot])).toBe(join(root, 'in'));
  expect(await code(join(root, 'in'), [linkedRoot])).toBe(join(root, 'in'));

  const denied = 'permission_denied local_path';
  expect(await code(root, [])).toBe(denied);
  expect(await code(other, [root])).toBe(denied);
  expect(await code(`${root}x`, [root])).toBe(denied);
  expect(await code(join(root, '..'), [root])).toBe(denied);
  expect(await code(`${root}/in/../..`, [root])).toBe(denied);
  expect(await code(`${root}/../${other.split('/').at(-1)}`, [root])).toBe(denied);
  expect(await code(join(root, 'out'), [root])).toBe(denied);
  expect(await code('/', [root])).toBe(denied);
  expect(await code('/does/not/exist', [root])).toBe(denied);
  expect(await code(join(root, 'absent'), [root])).toBe('not_found local_path');
  expect(await code(join(root, 'file.ts'), [root])).toBe('failed_precondition local_path');
  expect(await code('in', [root])).toBe('invalid_argument local_path');
  expect(await code(`${root}\0`, [root])).toBe('invalid_argument local_path');
});

test('an address where nothing may be fetched fails and names the field', async () => {
  const request = repoScanContext.parse({ repo_url: 'https://example.org/r.git' });
  const tools = {
    signal: new AbortController().signal,
    log: silentLog,
    progress: () => undefined,
    store: async () => '',
  };
  await expect(scan(request, { ...scanLimits, ...noFetch, roots: ['/'], minFiles: 1 }, tools)).rejects.toMatchObject({
    code: 'permission_denied',
    field: 'repo_url',
  });
});

test('bounds each name the number that was passed', async () => {
  const files: Record<string, string> = {};
  for (let i = 0; i < 150; i++) files[`f${i}.ts`] = 'x'.repeat(10);
  for (let i = 0; i < 200; i++) files[`node_modules/p${i}.ts`] = '';
  const root = makeTree(files);
  const refused = { code: 'out_of_range' };
  expect((await scanOf(root, { maxEntries: 151, maxFiles: 150, maxTotalBytes: 1500 })).files).toHaveLength(150);
  await expect(scanOf(root, { maxEntries: 150 })).rejects.toMatchObject({ ...refused, message: /150 names/ });
  await expect(scanOf(root, { maxFiles: 149 })).rejects.toMatchObject({ ...refused, message: /149 files/ });
  await expect(scanOf(root, { maxTotalBytes: 1499 })).rejects.toMatchObject({ ...refused, message: /1499 bytes/ });
});

test('an archive that grows too large ends the scan', async () => {
  const noise = (): string => randomBytes(300_000).toString('base64');
  const root = makeTree({ 'a.ts': noise(), 'b.ts': noise(), 'c.ts': noise() });
  const stored = await scanOf(root);
  expect(stored.archive.length).toBeGreaterThan(900_000);
  await expect(scanOf(root, { maxArchiveBytes: 500_000 })).rejects.toMatchObject({
    code: 'out_of_range',
    message: 'archive: has more than 500000 bytes; include fewer files',
  });
  await expect(scanOf(root, { maxArchiveBytes: stored.archive.length - 1 })).rejects.toMatchObject({
    code: 'out_of_range',
  });
  expect((await scanOf(root, { maxArchiveBytes: stored.archive.length })).files).toHaveLength(3);
});

test('too few files are a failure that says what was left out', async () => {
  const root = makeTree({ 'a.ts': '', 'bin.ts': '\0', 'b.txt': '' });
  await expect(scanOf(root, { minFiles: 2, include: ['*.ts'] })).rejects.toMatchObject({
    code: 'failed_precondition',
    message:
      'local_path: 1 files to look at, at least 2 are wanted (MIN_SCAN_FILES); left out: 1 binary, 1 not_included',
  });
  expect((await scanOf(root, { minFiles: 1, include: ['*.ts'] })).paths).toEqual(['a.ts']);
  await expect(scanOf(makeTree(), { minFiles: 1 })).rejects.toMatchObject({ message: /there is nothing else$/ });
});

test('an abort ends a scan in the middle, and before it begins', async () => {
  const files: Record<string, string> = {};
  for (let i = 0; i < 3000; i++) files[`d${i % 50}/f${i}.ts`] = 'x'.repeat(2000);
  const root = makeTree(files);
  const controller = new AbortController();
  const reason = new Error('enough');
  let stored = 0;
  const onProgress = (_: number, message: string): void => {
    if (message.includes(' of ')) controller.abort(reason);
    if (message.includes('storing')) stored++;
  };
  await expect(scanOf(root, { signal: controller.signal, onProgress })).rejects.toBe(reason);
  expect(stored).toBe(0);
  await expect(scanOf(root, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});

test('a file that grows while it is read is too large, not cut', () => {
  const root = makeTree({ 'x.ts': 'x'.repeat(100) });
  mkdirSync(join(root, 'd'));
  writeFileSync(join(root, 'd/y.ts'), 'y'.repeat(101));
  expect(readInside('x.ts', { root, maxBytes: 100 })).toMatchObject({ bytes: { length: 100 } });
  expect(readInside('d/y.ts', { root, maxBytes: 100 })).toEqual({ skip: 'too_large' });
});

test('the folders above names are bounded like the names: one name may have thousands', () => {
  const globs = unwrap(parseGlobs({ include_globs: ['**'], exclude_globs: [] }));
  const candidates = createCandidates(globs, createSkipped(), { entries: 5_000, files: 10 }, 'repo_url');
  const take = (i: number) => candidates.take(Buffer.from(`${i}/${'d/'.repeat(2_000)}a.ts`), '', () => 'file');
  expect(() => [0, 1, 2].map(take)).toThrow('repo_url: holds more than 5000 folders');
});
