// What a fetched repository may hold: nothing of it runs, leads out, or unfolds beyond the limits.
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fetchOf, publish, refused, server } from './fetch-rig.ts';
import { git, makeTree, unpack } from './tree.ts';

describe('a hostile repository', () => {
  test('links, submodules, filters and attributes have no say', async () => {
    const witness = join(makeTree(), 'witness');
    publish(
      'tricks',
      {
        'plain.ts': 'plain $Id$\n',
        'crlf.ts': 'a\r\nb\r\n',
        'left-out.ts': 'export-ignore\n',
        'lfs.ts': 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n',
        '.gitattributes': [
          ...['* filter=evil text=auto', '*.ts ident', 'left-out.ts export-ignore', 'plain.ts export-subst'],
          ...[
            'crlf.ts eol=lf',
            'lfs.ts filter=lfs diff=lfs merge=lfs -text',
            '*.ts working-tree-encoding=UTF-16',
          ].slice(0, 2),
        ].join('\n'),
        '.gitmodules': `[submodule "s"]\n\tpath = s\n\turl = ext::sh -c "touch ${witness}"\n`,
        '.gitconfig': `[core]\n\tfsmonitor = touch ${witness}\n`,
      },
      (tree) => {
        symlinkSync('/etc/passwd', join(tree, 'passwd.ts'));
        symlinkSync('..', join(tree, 'up'));
        git(tree, 'update-index', '--add', '--cacheinfo', `160000,${'1'.repeat(40)},s`);
      },
    );
    const hooks = join(server.folder, 'tricks', 'hooks');
    mkdirSync(hooks, { recursive: true });
    for (const name of ['post-checkout', 'post-merge', 'reference-transaction']) {
      writeFileSync(join(hooks, name), `#!/bin/sh\ntouch ${witness}\n`, { mode: 0o755 });
    }
    const scan = await fetchOf('tricks');
    expect(scan.left).toMatchObject({ symlink: ['passwd.ts', 'up'] });
    expect(scan.paths).toContain('left-out.ts');
    expect(scan.paths).not.toContain('s');
    const files = await unpack(scan.archive);
    expect(files.get('plain.ts')).toBe('plain $Id$\n');
    expect(files.get('lfs.ts')).toContain('git-lfs.github.com');
    expect(existsSync(witness)).toBe(false);
  });

  test('a submodule is told and not entered', async () => {
    const tree = makeTree({ 'a.ts': 'x\n' });
    git(tree, 'init', '-q', '-b', 'main');
    git(tree, 'add', '-A');
    git(tree, 'update-index', '--add', '--cacheinfo', `160000,${'1'.repeat(40)},sub`);
    git(tree, 'commit', '-q', '-m', 'one');
    git(tree, 'clone', '-q', '--bare', tree, join(server.folder, 'with-submodule'));
    expect(await fetchOf('with-submodule')).toMatchObject({ paths: ['a.ts'], left: { submodule: ['sub'] } });
  });

  test('names that lead out are no names', async () => {
    const tree = makeTree();
    git(tree, 'init', '-q', '-b', 'main');
    writeFileSync(join(tree, 'f'), 'x\n');
    const blob = git(tree, 'hash-object', '-w', 'f').trim();
    const object = (type: string, content: string | Uint8Array): string => {
      writeFileSync(join(tree, 'o'), content);
      return git(tree, 'hash-object', '-w', '-t', type, '--literally', 'o').trim();
    };
    const entry = (mode: string, name: string, id: string): Buffer =>
      Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(id, 'hex')]);
    const inner = object('tree', entry('100644', 'x.ts', blob));
    const root = object(
      'tree',
      Buffer.concat([
        ...[entry('40000', '..', inner), entry('40000', '.', inner), entry('40000', '.git', inner)],
        ...[entry('100644', '/etc/x.ts', blob), entry('100644', 'a\nb.ts', blob), entry('100644', 'fine.ts', blob)],
      ]),
    );
    const commit = object('commit', `tree ${root}\nauthor a <a> 0 +0000\ncommitter a <a> 0 +0000\n\nm\n`);
    git(tree, 'update-ref', 'refs/heads/main', commit);
    git(tree, 'clone', '-q', '--bare', tree, join(server.folder, 'names'));
    const scan = await fetchOf('names', {}, { exclude: ['none/**'] });
    expect(scan.paths).toEqual(['fine.ts']);
    expect(scan.skipped_counts).toEqual({ invalid_name: 4, excluded: 1 });
  });

  test('a tree that unfolds to millions of names ends at the limit', async () => {
    const tree = makeTree();
    git(tree, 'init', '-q', '-b', 'main');
    writeFileSync(join(tree, 'f'), 'x\n');
    let id = git(tree, 'hash-object', '-w', 'f').trim();
    for (let level = 0; level < 8; level++) {
      const [mode, type] = level === 0 ? ['100644', 'blob'] : ['040000', 'tree'];
      writeFileSync(
        join(tree, 'list'),
        Array.from({ length: 10 }, (_, i) => `${mode} ${type} ${id}\tn${i}\n`).join(''),
      );
      id = git(tree, '-c', 'core.x=y', 'hash-object', 'f') && mktree(tree, 'list');
    }
    const commit = git(tree, 'commit-tree', '-m', 'bomb', id).trim();
    git(tree, 'update-ref', 'refs/heads/main', commit);
    git(tree, 'clone', '-q', '--bare', tree, join(server.folder, 'bomb'));
    const started = Date.now();
    await expect(fetchOf('bomb', {}, { maxEntries: 20_000 })).rejects.toEqual(
      refused('out_of_range', /more than 20000 names/),
    );
    expect(Date.now() - started).toBeLessThan(10_000);
  });

  test('files above the limit are left out without being read', async () => {
    publish('large-file', { 'large.ts': 'x'.repeat(5000), 'small.ts': 'y' });
    expect(await fetchOf('large-file', {}, { maxFileBytes: 4999 })).toMatchObject({
      paths: ['small.ts'],
      left: { too_large: ['large.ts'] },
    });
    await expect(fetchOf('large-file', {}, { maxTotalBytes: 5000 })).rejects.toEqual(
      refused('out_of_range', /more than 5000 bytes together/),
    );
  });
});

function mktree(tree: string, file: string): string {
  return git(tree, '-c', `alias.mk=!git mktree --missing < ${file}`, 'mk').trim();
}
