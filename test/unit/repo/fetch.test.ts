// Repositories fetched by the real git from a loopback TLS server: what is allowed, and what is refused before anything is asked.
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { beforeAll, describe, expect, test } from 'vitest';
import { parseRepoAddress } from '#core/protocol/repo-address.ts';
import { unwrap } from '#core/result.ts';
import { httpsSettings } from '../../../services/worker/repo/fetch.ts';
import { startGit } from '../../../services/worker/repo/git-run.ts';
import { fetchOf, publish, refused, server, settings } from './fetch-rig.ts';
import { addFiles, git, makeTree, scanFrom, unpack } from './tree.ts';

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

  test('without its history, however large that is', async () => {
    publish('history.git', { 'a.ts': 'a' }, (tree) => {
      writeFileSync(join(tree, 'old.bin'), randomBytes(4 * 2 ** 20));
      git(tree, 'add', '-A', '-f');
      git(tree, 'commit', '-q', '-m', 'old');
      rmSync(join(tree, 'old.bin'));
    });
    expect((await fetchOf('history.git', { maxBytes: 2 ** 20 })).paths).toEqual(['a.ts']);
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

  test('takes away what a thread of this process left that was ended, once no fetch can be that old', async () => {
    const name = `cortex-repo-${hostname().replaceAll(/[^A-Za-z0-9]/g, '_')}-${process.pid}-`;
    const [old, young] = [join(tmpdir(), `${name}abcdef`), join(tmpdir(), `${name}ghijkl`)];
    for (const folder of [old, young]) mkdirSync(join(folder, 'repository'), { recursive: true });
    const longAgo = new Date(Date.now() - 20_000 - 61_000);
    utimesSync(old, longAgo, longAgo);
    try {
      await fetchOf('honest');
      expect([existsSync(old), existsSync(young)]).toEqual([false, true]);
    } finally {
      for (const folder of [old, young]) rmSync(folder, { recursive: true, force: true });
    }
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

test('git connects to the addresses that were looked at, and asks no server of names', async () => {
  const home = makeTree();
  const address = unwrap(parseRepoAddress(`https://pinned.invalid:${server.port}/honest`));
  const lsRemote = async (pinned: readonly string[]): Promise<string> => {
    const run = startGit(['ls-remote', '--', address.url], {
      ...{ cwd: home, home, fileBytes: 2 ** 20, memoryBytes: 2 ** 31, orphanSeconds: 10 },
      settings: httpsSettings(address, pinned, server),
      env: { GIT_ALLOW_PROTOCOL: 'https' },
      signal: AbortSignal.timeout(10_000),
    });
    const [said] = await Promise.all([text(run.stdout), run.ended]);
    return said;
  };
  expect(await lsRemote(['127.0.0.1'])).toContain('refs/heads/main');
  await expect(lsRemote(['127.0.0.2'])).rejects.toThrow(/Failed to connect to pinned.invalid|Couldn't connect/);
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

const hasSsh = spawnSync('ssh', ['-V']).error === undefined;

test.runIf(!hasSsh)('without an ssh on this machine an address of that scheme is refused', async () => {
  const ssh = { schemes: ['ssh'], sshKey: '/dev/null', sshKnownHosts: '/dev/null' } as const;
  const asked = fetchOf('ssh://git@localhost:22/x', ssh);
  await expect(asked).rejects.toEqual(refused('failed_precondition', /has no ssh/));
});

test.runIf(hasSsh)('ssh goes to the address that was looked at, and believes known hosts alone', async () => {
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
