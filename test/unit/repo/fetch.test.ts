// Repositories fetched by the real git from a loopback TLS server: what is allowed, what is refused before anything is asked, what a
// repository may hold, and that nothing of it stays, whatever happens.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { CortexError } from '#core/errors.ts';
import type { FetchSettings } from '../../../services/worker/repo/fetch.ts';
import { type GitServer, startGitServer } from '../../helpers/git-server.ts';
import { addFiles, git, makeTree, type ScanOptions, scanFrom, unpack } from './tree.ts';

let server: GitServer;
const servers: GitServer[] = [];

beforeAll(async () => {
  server = await startGitServer();
  servers.push(server);
});
afterAll(async () => {
  for (const one of servers) await one.close();
});
const ours = (): string[] =>
  readdirSync(tmpdir()).filter((name) => new RegExp(`^cortex-repo-.*-${process.pid}-`).test(name));
afterEach(() => expect(ours()).toEqual([]));

/** A committed tree, published under its name; its folder. */
function publish(
  name: string,
  files: Readonly<Record<string, string | Uint8Array>>,
  more?: (tree: string) => void,
): string {
  const tree = makeTree(files);
  git(tree, 'init', '-q', '-b', 'main');
  more?.(tree);
  git(tree, 'add', '-A', '-f');
  git(tree, 'commit', '-q', '-m', 'one');
  git(tree, 'clone', '-q', '--bare', tree, join(server.folder, name));
  return tree;
}

const settings = (more: Partial<FetchSettings> = {}): FetchSettings => ({
  ...{
    schemes: ['https'],
    privateHosts: ['localhost'],
    caFile: server.caFile,
    sshKey: undefined,
    sshKnownHosts: undefined,
  },
  ...{ maxMs: 20_000, maxBytes: 64 * 2 ** 20 },
  ...more,
});

const fetchOf = (path: string, more: Partial<FetchSettings> = {}, options: ScanOptions & { branch?: string } = {}) => {
  const { branch = '', ...rest } = options;
  const repo_url = path.includes(':') ? path : `${server.url}/${path}`;
  return scanFrom({ repo_url, branch }, { fetch: settings(more), ...rest });
};

const refused = (code: string, message: RegExp, field = 'repo_url') =>
  expect.toSatisfy((error: unknown) => {
    expect(error).toBeInstanceOf(CortexError);
    expect(error).toMatchObject({ code, field });
    expect(String((error as Error).message)).toMatch(message);
    return true;
  });

describe('an honest repository', () => {
  beforeAll(() => {
    const tree = publish('honest', {
      'a.ts': 'one\n',
      'src/b.go': 'two\n',
      'node_modules/x.js': '',
      'bin.ts': new Uint8Array([1, 0]),
    });
    git(tree, 'remote', 'add', 'there', join(server.folder, 'honest'));
    git(tree, 'checkout', '-q', '-b', 'feature/x');
    addFiles(tree, { 'c.ts': 'three\n', 'run.sh': '#!/bin/sh\n' });
    chmodSync(join(tree, 'run.sh'), 0o755);
    git(tree, 'add', '-A');
    git(tree, 'commit', '-q', '-m', 'two');
    git(tree, 'push', '-q', 'there', 'feature/x');
  });

  test('is read by the branch that is its own', async () => {
    const scan = await fetchOf('honest');
    expect(scan).toMatchObject({ repo_root: `${server.url}/honest`, paths: ['a.ts', 'src/b.go'] });
    expect(scan.skipped_counts).toEqual({ excluded: 1, binary: 1 });
    expect(Object.fromEntries(await unpack(scan.archive))).toEqual({ 'a.ts': 'one\n', 'src/b.go': 'two\n' });
  });

  test('is read by another branch, at its newest commit alone', async () => {
    const scan = await fetchOf('honest', {}, { branch: 'feature/x' });
    expect(scan.paths).toEqual(['a.ts', 'c.ts', 'run.sh', 'src/b.go']);
  });

  test('a folder of the same content makes the same archive', async () => {
    const tree = makeTree({ 'a.ts': 'one\n', 'src/b.go': 'two\n' });
    const local = await scanFrom({ local_path: tree }, { roots: [tree] });
    expect(Buffer.from((await fetchOf('honest')).archive).equals(local.archive)).toBe(true);
  });

  test.each(['nothing-there', 'feature', 'refs/heads/main'])('has no branch %s', async (branch) => {
    await expect(fetchOf('honest', {}, { branch })).rejects.toEqual(refused('not_found', /no such branch/, 'branch'));
  });

  test('is not there under another name', async () => {
    await expect(fetchOf('nobody')).rejects.toEqual(refused('not_found', /no repository/));
  });

  test('an empty one has no commit', async () => {
    git(server.folder, 'init', '-q', '--bare', 'empty');
    await expect(fetchOf('empty')).rejects.toEqual(refused('failed_precondition', /has no commit/));
  });

  test('takes away what a worker left that was killed', async () => {
    const machine = hostname().replaceAll(/[^A-Za-z0-9]/g, '_');
    const folderOf = (pid: number | undefined, host = machine) => join(tmpdir(), `cortex-repo-${host}-${pid}-abcdef`);
    const dead = folderOf(spawnSync('true').pid);
    const others = [folderOf(process.ppid), folderOf(spawnSync('true').pid, 'elsewhere')];
    for (const folder of [dead, ...others]) mkdirSync(join(folder, 'repository'), { recursive: true });
    try {
      await fetchOf('honest');
      expect(existsSync(dead)).toBe(false);
      expect(others.filter((folder) => existsSync(folder))).toEqual(others);
    } finally {
      for (const folder of others) rmSync(folder, { recursive: true });
    }
  });
});

describe('what is refused before anything is asked', () => {
  const branches = [
    '--upload-pack=touch /tmp/x',
    '-b',
    'a b',
    'a..b',
    'a\nb',
    'a~1',
    'a:b',
    '.a',
    'a/',
    'a.lock',
    '@',
    '@{1}',
    'x'.repeat(256),
  ];
  test.each(branches)('the branch %j', async (branch) => {
    const before = server.requests.length;
    await expect(fetchOf('honest', {}, { branch })).rejects.toMatchObject({
      code: 'invalid_argument',
      field: 'branch',
    });
    expect(server.requests.length).toBe(before);
  });

  test.each([
    '--upload-pack=touch /tmp/x',
    'ext::sh -c "touch /tmp/x"',
    'https://localhost/a\nb',
    'https://localhost/%0aHost:x',
    'http://localhost/a',
    'git://localhost/a',
    'https://me@localhost/a',
    'https://me:secret@localhost/a',
    'https://localhost/a?x=1',
    'https://localhost/a#b',
    'https:localhost/a',
    'https://',
    'ssh://-oProxyCommand=id/x',
    'ssh://-oProxyCommand=id@localhost/x',
    'a@-b:x',
    '/etc',
    'fd::3',
    'file://host/etc',
  ])('the address %j', async (address) => {
    const error: unknown = await scanFrom(
      { repo_url: address },
      { fetch: settings({ schemes: ['https', 'ssh', 'file'] }) },
    ).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'invalid_argument', field: 'repo_url' });
    expect(String(error)).not.toContain('secret');
  });

  test.each([
    ['file:///etc', /does not fetch by file; REPO_URL_SCHEMES allows https/],
    ['ssh://git@localhost/x', /does not fetch by ssh/],
    ['git@localhost:x', /does not fetch by ssh/],
  ])('%s, where only https is configured', async (address, message) => {
    await expect(fetchOf(address)).rejects.toEqual(refused('permission_denied', message));
  });

  test('a host of this machine that no configuration names, by whatever name', async () => {
    const before = server.requests.length;
    for (const host of [
      'localhost',
      '127.0.0.1',
      '0x7f000001',
      '2130706433',
      '127.1',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '0.0.0.0',
    ]) {
      const asked = fetchOf(`https://${host}:${server.port}/honest`, { privateHosts: ['elsewhere.example'] });
      await expect(asked).rejects.toEqual(
        refused('permission_denied', /address that is not public; REPO_PRIVATE_HOSTS/),
      );
    }
    for (const host of [
      '10.1.2.3',
      '192.168.0.1',
      '169.254.169.254',
      '100.64.0.1',
      '[fd00::1]',
      '[64:ff9b::a00:1]',
      '168.63.129.16',
    ]) {
      await expect(fetchOf(`https://${host}/x`)).rejects.toEqual(refused('permission_denied', /not public/));
    }
    expect(server.requests.length).toBe(before);
  });

  test('a port that the configuration does not name', async () => {
    const privateHosts = [`localhost:${server.port + 1}`];
    await expect(fetchOf('honest', { privateHosts })).rejects.toEqual(refused('permission_denied', /not public/));
    expect((await fetchOf('honest', { privateHosts: [`localhost:${server.port}`] })).paths).toHaveLength(2);
  });

  test("a host that is none of the policy's", async () => {
    for (const allowedHosts of [['git.example.org'], ['*.localhost'], ['localhost:1']]) {
      const asked = fetchOf('honest', {}, { allowedHosts });
      await expect(asked).rejects.toEqual(
        refused('permission_denied', /localhost is none of the hosts that the policy allows/),
      );
    }
    for (const allowedHosts of [['localhost'], ['a.example', `LOCALHOST:${server.port}`]]) {
      expect((await fetchOf('honest', {}, { allowedHosts })).paths).toHaveLength(2);
    }
  });

  test('a policy that lets nothing be written to where temporary files go', async () => {
    const asked = fetchOf('honest', {}, { writable: ['/nowhere'] });
    await expect(asked).rejects.toMatchObject({
      code: 'failed_precondition',
      field: 'constraints.sandbox.fs_read_write',
    });
    expect((await fetchOf('honest', {}, { writable: [tmpdir()] })).paths).toHaveLength(2);
  });

  test('a name that nobody has', async () => {
    await expect(fetchOf('https://nobody.invalid/x')).rejects.toEqual(refused('not_found', /no host nobody.invalid/));
  });
});

describe('file', () => {
  const withFile = { schemes: ['file'] } as const;

  test('is read below the local roots, and nowhere else', async () => {
    const tree = publish('for-file', { 'a.ts': 'x\n' });
    const url = `file://${tree}`;
    expect((await fetchOf(url, withFile, { roots: [tree] })).paths).toEqual(['a.ts']);
    await expect(fetchOf(url, withFile)).rejects.toEqual(refused('permission_denied', /may read no local folder/));
    await expect(fetchOf('file:///etc', withFile, { roots: [tree] })).rejects.toEqual(
      refused('permission_denied', /is not below/),
    );
    await expect(fetchOf(`${url}/../..`, withFile, { roots: [tree] })).rejects.toEqual(
      refused('permission_denied', /is not below/),
    );
    await expect(fetchOf(`${url}/nothing`, withFile, { roots: [tree] })).rejects.toEqual(
      refused('not_found', /no such folder/),
    );
  });

  test('a link out of the roots is followed nowhere', async () => {
    const outside = publish('outside', { 'secret.ts': 'x\n' });
    const root = makeTree();
    symlinkSync(outside, join(root, 'in'));
    const asked = fetchOf(`file://${root}/in`, withFile, { roots: [root] });
    await expect(asked).rejects.toEqual(refused('permission_denied', /is not below/));
  });
});

test('ssh goes to the address that was looked at, and believes known hosts alone', async () => {
  const heard: string[] = [];
  const listener = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      heard.push(data.toString('latin1'));
      socket.end('SSH-2.0-none\r\n');
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as AddressInfo;
  try {
    const ssh = { schemes: ['ssh'], sshKey: '/dev/null', sshKnownHosts: '/dev/null' } as const;
    const asked = fetchOf(`ssh://git@localhost:${port}/x`, ssh);
    await expect(asked).rejects.toEqual(refused('unavailable', /does not answer, or broke off/));
    expect(heard.join()).toContain('SSH-2.0-OpenSSH');
  } finally {
    await new Promise((resolve) => listener.close(resolve));
  }
});

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

describe('a hostile server', () => {
  test('one that sends elsewhere is not followed', async () => {
    publish('target', { 'a.ts': 'x\n' });
    for (const status of [301, 302, 307, 308]) {
      const elsewhere = await startGitServer((request, response) => {
        response.writeHead(status, { location: `${server.url}/target${(request.url ?? '').replace(/^\/[^/]*/, '')}` });
        response.end();
        return true;
      });
      servers.push(elsewhere);
      const before = server.requests.length;
      const asked = fetchOf(`${elsewhere.url}/x`, { caFile: elsewhere.caFile });
      await expect(asked).rejects.toEqual(refused('failed_precondition', /not followed/));
      expect(server.requests.length).toBe(before);
    }
  });

  test('one whose certificate leads nowhere is not believed', async () => {
    await expect(fetchOf('honest', { caFile: undefined })).rejects.toEqual(
      refused('failed_precondition', /certificate/),
    );
  });

  test.each([
    [401, 'permission_denied', /credentials/],
    [403, 'permission_denied', /credentials/],
    [404, 'not_found', /no repository/],
    [500, 'unavailable', /does not answer/],
    [503, 'unavailable', /does not answer/],
  ])('one that answers %i', async (status, code, message) => {
    const odd = await startGitServer((_, response) => {
      response.writeHead(status, status === 401 ? { 'www-authenticate': 'Basic realm="x"' } : {});
      response.end();
      return true;
    });
    servers.push(odd);
    await expect(fetchOf(`${odd.url}/x`, { caFile: odd.caFile })).rejects.toEqual(refused(code, message));
  });

  test('one that is not there, and one that speaks no git', async () => {
    const closed = await startGitServer();
    await closed.close();
    await expect(fetchOf(`https://localhost:${closed.port}/x`)).rejects.toEqual(
      refused('unavailable', /does not answer/),
    );
    const page = await startGitServer((_, response) => {
      response.end('<html>');
      return true;
    });
    servers.push(page);
    await expect(fetchOf(`${page.url}/x`, { caFile: page.caFile })).rejects.toMatchObject({ field: 'repo_url' });
  });

  /** Answers as a repository does, and its pack never ends. */
  const endless = async (onPack: (write: (bytes: Buffer) => boolean) => void): Promise<GitServer> => {
    const one = await startGitServer((request, response) => {
      const line = (text: string): string => (text.length + 4).toString(16).padStart(4, '0') + text;
      if (request.method === 'GET') {
        const head = `${'1'.repeat(40)} HEAD\0multi_ack_detailed side-band-64k shallow symref=HEAD:refs/heads/main\n`;
        response.setHeader('content-type', 'application/x-git-upload-pack-advertisement');
        response.end(
          `${line('# service=git-upload-pack\n')}0000${line(head)}${line(`${'1'.repeat(40)} refs/heads/main\n`)}0000`,
        );
        return true;
      }
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString('latin1')));
      request.on('end', () => {
        response.setHeader('content-type', 'application/x-git-upload-pack-result');
        response.write(`${line(`shallow ${'1'.repeat(40)}\n`)}0000`);
        if (body.includes('done')) {
          response.write(line('NAK\n'));
          onPack((bytes) =>
            response.write(
              Buffer.concat([Buffer.from((bytes.length + 5).toString(16).padStart(4, '0')), Buffer.from([1]), bytes]),
            ),
          );
        } else response.end();
      });
      return true;
    });
    servers.push(one);
    return one;
  };
  /** A pack with one object of a gigabyte that does not shrink: its beginning, and then whatever comes. */
  const packHead = Buffer.concat([
    Buffer.from('PACK\0\0\0\x02\0\0\0\x01', 'latin1'),
    Buffer.from([0xb0, 0x80, 0x80, 0x80, 0x04]),
    Buffer.from([0x78, 0x01]),
  ]);
  const stored = (bytes: number): Buffer => {
    const head = Buffer.from([0, bytes & 255, bytes >> 8, ~bytes & 255, (~bytes >> 8) & 255]);
    return Buffer.concat([head, randomBytes(bytes)]);
  };

  test('one that sends without end is cut off by size', async () => {
    let sent = 0;
    const flood = await endless((write) => {
      write(packHead);
      const more = (): void => {
        // As fast as it is taken, and never more than a gigabyte: a test that fails must end, too.
        const block = stored(60_000);
        sent += block.length;
        const went = write(block);
        if (sent < 2 ** 30) setTimeout(more, went ? 0 : 5);
      };
      more();
    });
    const started = Date.now();
    const asked = fetchOf(`${flood.url}/x`, { caFile: flood.caFile, maxBytes: 2 ** 20 });
    await expect(asked).rejects.toEqual(refused('out_of_range', /more than 1048576 bytes/));
    expect(Date.now() - started).toBeLessThan(10_000);
  });

  test('one that goes silent is cut off by time', async () => {
    const silent = await endless((write) => void write(packHead));
    const asked = fetchOf(`${silent.url}/x`, { caFile: silent.caFile, maxMs: 1500 });
    await expect(asked).rejects.toEqual(refused('deadline_exceeded', /within 1.5 s/));
  });

  test('an abort ends git at once', async () => {
    const controller = new AbortController();
    const reason = new CortexError('canceled', 'enough');
    let begun: () => void = () => undefined;
    const asking = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const silent = await endless((write) => {
      write(packHead);
      begun();
    });
    const asked = fetchOf(`${silent.url}/x`, { caFile: silent.caFile }, { signal: controller.signal });
    const ended = expect(asked).rejects.toBe(reason);
    await asking;
    const aborted = Date.now();
    controller.abort(reason);
    await ended;
    expect(Date.now() - aborted).toBeLessThan(1000);
  });
});
