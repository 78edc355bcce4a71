// Finding and installing nats-server and redis-server, on machines that are made up.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findServer, type ServerName } from '../../../local/servers/find.ts';
import { ensureServers, type Machine } from '../../../local/servers/install.ts';
import { withPolicy } from '../../../local/servers/machine.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cortex-machine-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function place(path: string, mode = 0o755): string {
  const file = join(dir, path);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, '#!/bin/sh\n', { mode });
  return file;
}

describe('findServer', () => {
  it('looks on PATH first, then in the usual folders, in order', () => {
    const usual = [join(dir, 'sbin'), join(dir, 'local-bin')];
    const path = `${join(dir, 'empty')}::${join(dir, 'bin')}`;
    expect(findServer('nats-server', path, usual)).toBeUndefined();
    const last = place('local-bin/nats-server');
    expect(findServer('nats-server', path, usual)).toBe(last);
    const sbin = place('sbin/nats-server');
    expect(findServer('nats-server', path, usual)).toBe(sbin);
    const onPath = place('bin/nats-server');
    expect(findServer('nats-server', path, usual)).toBe(onPath);
  });

  it('takes neither a folder nor a file that cannot be run', () => {
    mkdirSync(join(dir, 'bin', 'redis-server'), { recursive: true });
    place('sbin/redis-server', 0o644);
    const good = place('last/redis-server');
    expect(findServer('redis-server', join(dir, 'bin'), [join(dir, 'sbin'), join(dir, 'last')])).toBe(good);
  });
});

const debian = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n';
const ubuntu = 'ID=ubuntu\nID_LIKE=debian\n';
const mint = 'ID=linuxmint\nID_LIKE="ubuntu debian"\n';
const fedora = 'ID=fedora\n';

interface Fake extends Machine {
  readonly ran: { command: string; args: readonly string[]; env: Readonly<Record<string, string>>; quiet: boolean }[];
}

function machine(settings: Partial<Machine>, has: ServerName[] = [], codes: number[] = []): Fake {
  const found = new Set<ServerName>(has);
  const ran: Fake['ran'] = [];
  let quiet = false;
  return {
    platform: 'linux',
    isRoot: true,
    osRelease: debian,
    find: (name) => (found.has(name) ? `/usr/bin/${name}` : undefined),
    run: async (command, args, env) => {
      ran.push({ command, args, env, quiet });
      const code = codes.shift() ?? 0;
      if (code === 0 && args[0] === 'install') {
        for (const name of ['nats-server', 'redis-server'] as const) if (args.includes(name)) found.add(name);
      }
      return code;
    },
    withoutServiceStarts: async (work) => {
      quiet = true;
      const result = await work();
      quiet = false;
      return result;
    },
    ...settings,
    ran,
  };
}

const both: ServerName[] = ['nats-server', 'redis-server'];
const mute = () => undefined;

describe('ensureServers', () => {
  it('does nothing when all are there', async () => {
    const here = machine({}, both);
    await ensureServers(both, here, mute);
    expect(here.ran).toEqual([]);
  });

  it.each([debian, ubuntu, mint])('lets apt install what is missing, as root, on %j', async (osRelease) => {
    const here = machine({ osRelease }, ['redis-server']);
    const said: string[] = [];
    await ensureServers(both, here, (line) => said.push(line));
    expect(said).toEqual([expect.stringContaining('installing nats-server with apt-get')]);
    expect(here.ran).toHaveLength(1);
    const { command, args, env, quiet } = here.ran[0] ?? {};
    expect(command).toBe('apt-get');
    expect(args).toEqual(expect.arrayContaining(['install', '-y', 'nats-server']));
    expect(args).not.toContain('redis-server');
    expect(env?.['DEBIAN_FRONTEND']).toBe('noninteractive');
    expect(quiet).toBe(true);
  });

  it('reads the package lists anew when apt does not know the packages', async () => {
    const here = machine({}, [], [100]);
    await ensureServers(both, here, mute);
    expect(here.ran.map(({ args }) => args[0])).toEqual(['install', 'update', 'install']);
  });

  it('stops with one line when apt fails', async () => {
    await expect(ensureServers(both, machine({}, [], [100, 0, 100]), mute)).rejects.toThrow(
      'apt-get failed (exit code 100): install nats-server and redis-server and try again',
    );
  });

  it.each([
    ['an ordinary user of Debian', { isRoot: false }, 'sudo apt-get install nats-server redis-server'],
    ['macOS', { platform: 'darwin', isRoot: false, osRelease: '' }, 'brew install nats-server redis '],
    ['macOS as root', { platform: 'darwin', osRelease: '' }, 'brew install nats-server redis '],
    ['another Linux', { osRelease: fedora }, 'install with your package manager, or point NATS_URL and REDIS_URL'],
  ])('tells %s what to type and runs nothing', async (_who, settings, instruction) => {
    const here = machine(settings);
    await expect(ensureServers(both, here, mute)).rejects.toThrow(instruction);
    expect(here.ran).toEqual([]);
  });

  it('advises no servers of others where they are of no use', async () => {
    await expect(ensureServers(both, machine({ osRelease: fedora }), mute, false)).rejects.toThrow(
      /install with your package manager and try again$/,
    );
  });
});

describe('withPolicy', () => {
  it('forbids service starts while it works, and only then', async () => {
    const file = join(dir, 'policy-rc.d');
    await withPolicy(file, async () => {
      expect(readFileSync(file, 'utf8')).toMatch(/exit 101/);
      expect(statSync(file).mode & 0o111).toBe(0o111);
    });
    expect(existsSync(file)).toBe(false);
    await expect(withPolicy(file, () => Promise.reject(new Error('apt failed')))).rejects.toThrow('apt failed');
    expect(existsSync(file)).toBe(false);
  });

  it('leaves an administrator’s own file alone, and takes away one that it left itself', async () => {
    const file = join(dir, 'policy-rc.d');
    writeFileSync(file, '#!/bin/sh\nexit 0\n');
    await withPolicy(file, async () => expect(readFileSync(file, 'utf8')).toBe('#!/bin/sh\nexit 0\n'));
    expect(readFileSync(file, 'utf8')).toBe('#!/bin/sh\nexit 0\n');
    rmSync(file);
    await withPolicy(file, async () => {
      const ours = readFileSync(file, 'utf8');
      await withPolicy(file, () => Promise.resolve());
      expect(existsSync(file)).toBe(false);
      writeFileSync(file, ours);
    });
    expect(existsSync(file)).toBe(false);
  });
});
