// A scan of a working tree of git: what git ignores is left out, and nothing of the repository's own is run.
import { mkdirSync, rmSync, symlinkSync, writeFileSync, existsSync, chmodSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { addFiles, git, makeTree, scanOf, unpack } from './tree.ts';

/** A repository with these files committed. */
function makeRepo(files: Readonly<Record<string, string>>): string {
  const root = makeTree(files);
  git(root, 'init', '-q', '-b', 'main');
  git(root, 'add', '-f', '.');
  git(root, 'commit', '-q', '-m', 'first');
  return root;
}

test('sees tracked and new files, and tells what git ignores', async () => {
  const root = makeRepo({
    '.gitignore': 'ignored.ts\nout/\n',
    'tracked.ts': '1',
    'sub/.gitignore': '*.tmp.ts\n',
    'kept/ignored.ts': 'tracked although a rule ignores it',
    'node_modules/p/a.ts': '',
    'node_modules/q/b.md': '',
  });
  addFiles(root, { 'new.ts': '2', 'ignored.ts': '', 'out/deep/x.ts': '', 'sub/a.tmp.ts': '', 'sub/b.ts': '3' });
  const found = await scanOf(root, { include: ['*.ts'] });
  expect(found.paths).toEqual(['kept/ignored.ts', 'new.ts', 'sub/b.ts', 'tracked.ts']);
  expect(found.left).toEqual({
    ignored: ['ignored.ts', 'out/', 'sub/a.tmp.ts'],
    not_included: ['.gitignore', 'sub/.gitignore'],
    excluded: ['node_modules/'],
  });
  expect(found.skipped_counts).toEqual({ excluded: 2, ignored: 3, not_included: 2 });
  expect([...(await unpack(found.archive)).keys()]).toEqual(found.paths);
  expect(found.warnings).toEqual([]);
});

test('a folder inside a working tree is scanned alone, by the same rules', async () => {
  const root = makeRepo({ '.gitignore': '*.log.ts\n', 'a/x.ts': '', 'b/y.ts': '' });
  addFiles(root, { 'a/z.log.ts': '' });
  const found = await scanOf(join(root, 'a'), { roots: [root] });
  expect(found.paths).toEqual(['x.ts']);
  expect(found.left).toEqual({ ignored: ['z.log.ts'] });
  // With the folder itself as the root nobody looks above it.
  expect((await scanOf(join(root, 'a'))).paths).toEqual(['x.ts', 'z.log.ts']);
});

test('tells deleted files, links, repositories inside, and files in conflict once', async () => {
  const inner = makeRepo({ 'inner.ts': '' });
  const root = makeRepo({ 'gone.ts': '', 'clash.ts': 'base\n', 'dir/x.ts': '' });
  git(root, 'submodule', '--quiet', 'add', inner, 'module');
  git(root, 'commit', '-q', '-m', 'module');
  git(root, 'checkout', '-q', '-b', 'other');
  writeFileSync(join(root, 'clash.ts'), 'theirs\n');
  git(root, 'commit', '-q', '-am', 'theirs');
  git(root, 'checkout', '-q', 'main');
  writeFileSync(join(root, 'clash.ts'), 'ours\n');
  git(root, 'commit', '-q', '-am', 'ours');
  expect(() => git(root, 'merge', '-q', 'other')).toThrow(/merge -q other/);
  mkdirSync(join(root, 'nested'));
  addFiles(root, { 'nested/n.ts': '' });
  git(join(root, 'nested'), 'init', '-q');
  rmSync(join(root, 'gone.ts'));
  symlinkSync('clash.ts', join(root, 'link.ts'));
  const found = await scanOf(root, { include: ['*.ts'] });
  expect(found.paths).toEqual(['clash.ts', 'dir/x.ts']);
  expect(found.left).toEqual({
    missing: ['gone.ts'],
    submodule: ['module', 'nested'],
    symlink: ['link.ts'],
    not_included: ['.gitmodules'],
  });
});

test('a tracked folder that became a link is not followed', async () => {
  const outside = makeTree({ 'x.ts': 'the secret of the host' });
  const root = makeRepo({ 'a.ts': 'mine', 'dir/x.ts': 'mine' });
  rmSync(join(root, 'dir'), { recursive: true });
  symlinkSync(outside, join(root, 'dir'));
  const found = await scanOf(root);
  expect(found.paths).toEqual(['a.ts']);
  expect([...(await unpack(found.archive)).values()]).toEqual(['mine']);
});

test("nothing runs that the repository's settings name, and no index is written", async () => {
  const root = makeRepo({ 'a.ts': '' });
  const trace = join(makeTree(), 'ran');
  const script = join(makeTree({ 'run.sh': `#!/bin/sh\ntouch '${trace}'\n` }), 'run.sh');
  chmodSync(script, 0o755);
  for (const name of [
    'core.fsmonitor',
    'core.sshCommand',
    'core.pager',
    'core.editor',
    'diff.external',
    'core.gitProxy',
  ]) {
    git(root, 'config', name, script);
  }
  git(root, 'config', 'filter.evil.clean', script);
  git(root, 'config', 'filter.evil.smudge', script);
  git(root, 'config', 'filter.evil.required', 'true');
  git(root, 'config', 'alias.ls-files', `!${script}`);
  addFiles(root, { '.gitattributes': '* filter=evil\n', 'b.ts': '' });
  for (const hook of ['post-index-change', 'fsmonitor-watchman', 'post-checkout']) {
    symlinkSync(script, join(root, '.git/hooks', hook));
  }
  const found = await scanOf(root, { include: ['*.ts'] });
  expect(found.paths).toEqual(['a.ts', 'b.ts']);
  expect(found.warnings).toEqual([]);
  expect(existsSync(trace)).toBe(false);
});

test('a hostile working tree or list of excluded names leads nowhere', async () => {
  const root = makeRepo({ 'a.ts': '' });
  addFiles(root, { 'new.ts': '' });
  git(root, 'config', 'core.worktree', '/etc');
  git(root, 'config', 'core.excludesFile', join(makeTree({ all: '*.ts\n' }), 'all'));
  const found = await scanOf(root, { include: ['*.ts', 'passwd'] });
  expect(found.paths).toEqual(['a.ts', 'new.ts']);
  expect(found.warnings).toEqual([]);
});

test('where git cannot read the repository, the folders are walked and the log says so', async () => {
  const root = makeRepo({ '.gitignore': 'x.ts\n', 'a.ts': '' });
  addFiles(root, { 'x.ts': '' });
  writeFileSync(join(root, '.git/index'), 'garbage');
  const found = await scanOf(root, { include: ['*.ts'] });
  expect(found.paths).toEqual(['a.ts', 'x.ts']);
  expect(found.left['excluded_folder']).toEqual(['.git/']);
  expect(found.warnings).toEqual([expect.stringContaining('walking the folders instead')]);
  rmSync(join(root, '.git'), { recursive: true });
  writeFileSync(join(root, '.git'), 'gitdir: /nowhere\n');
  expect((await scanOf(root, { include: ['*.ts'] })).paths).toEqual(['a.ts', 'x.ts']);
});

test('bounds hold for the names that git gives', async () => {
  const root = makeRepo(Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`f${i}.ts`, ''])));
  await expect(scanOf(root, { maxEntries: 59 })).rejects.toMatchObject({ code: 'out_of_range' });
  await expect(scanOf(root, { maxFiles: 59 })).rejects.toMatchObject({ code: 'out_of_range' });
  expect((await scanOf(root, { maxEntries: 60, maxFiles: 60 })).files).toHaveLength(60);
});

test('names that are not text are told as git gives them', async () => {
  const root = makeRepo({ 'a.ts': '' });
  writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from('new\nl\xe9.ts', 'latin1')]), '');
  const found = await scanOf(root);
  expect(found.paths).toEqual(['a.ts']);
  expect(found.left).toEqual({ invalid_name: ['new\\x0al\\xe9.ts'] });
});
