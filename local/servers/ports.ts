// Ports of this machine: is one free, which is free, who holds one. Loopback only.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { randomInt } from 'node:crypto';
import { identify } from '../bootstrap/process.mjs';

const LOOPBACK = '127.0.0.1';

/** True when nothing listens on the port on loopback (or, for `host`, on that address) and this user may. */
export async function isFree(port: number, host: string = LOOPBACK): Promise<boolean> {
  const fault = await bindFault(port, host);
  if (fault === undefined) return true;
  if (fault.code === 'EADDRINUSE' || fault.code === 'EACCES') return false;
  throw fault;
}

/** What keeps this process from listening on an address; undefined when nothing does. */
export function bindFault(port: number, host: string): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', resolve);
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

/**
 * A free port below the range that the kernel hands out for outgoing connections. Inside that range
 * a client that keeps reconnecting to a stopped server can be given the server's own port, connect
 * to itself, and keep the server from ever coming back.
 */
export async function freePort(): Promise<number> {
  const below = ephemeralStart();
  if (below > 12_000) {
    for (let tries = 0; tries < 50; tries++) {
      // 10080 is a port that fetch refuses to call (WHATWG fetch, bad ports); the others lie below.
      const port = randomInt(10_081, below);
      if (await isFree(port)) return port;
    }
  }
  return portFromSystem();
}

/** The first free port at or after `from`; `taken` are ports already promised to somebody. */
export async function nextFreePort(from: number, taken: ReadonlySet<number> = new Set()): Promise<number> {
  for (let port = from; port < Math.min(from + 1_000, 65_536); port++) {
    if (!taken.has(port) && (await isFree(port))) return port;
  }
  throw new Error(`no free port in the thousand after ${from}`);
}

/** Any free port, chosen by the operating system. */
export function portFromSystem(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ port: 0, host: LOOPBACK, exclusive: true }, () => {
      const address = server.address();
      server.close(() =>
        address !== null && typeof address === 'object'
          ? resolve(address.port)
          : reject(new Error('the system named no port')),
      );
    });
  });
}

function ephemeralStart(): number {
  if (process.platform !== 'linux') return 49_152;
  const range = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8');
  return Number.parseInt(range, 10);
}

/** Who listens on a port: `pid 123 (redis-server ...)`, or a sentence that it cannot be read. */
export function portHolder(port: number): string {
  if (process.platform !== 'linux') return 'another process';
  const inodes = listeningInodes(port);
  for (const pid of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    if (holdsSocket(pid, inodes)) return `pid ${pid} (${shortCommand(Number(pid))})`;
  }
  return 'a process of another user';
}

function listeningInodes(port: number): ReadonlySet<string> {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const inodes = new Set<string>();
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of readLines(table)) {
      const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
      if (state === '0A' && local?.endsWith(`:${hex}`) && inode !== undefined) inodes.add(inode);
    }
  }
  return inodes;
}

function readLines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch (error) {
    if (isUnreadable(error)) return []; // no IPv6 on this machine
    throw error;
  }
}

function holdsSocket(pid: string, inodes: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      const target = readLink(`/proc/${pid}/fd/${fd}`);
      return target.startsWith('socket:[') && inodes.has(target.slice(8, -1));
    });
  } catch (error) {
    if (isUnreadable(error)) return false; // ended meanwhile, or somebody else's
    throw error;
  }
}

function readLink(file: string): string {
  try {
    return readlinkSync(file);
  } catch (error) {
    if (isUnreadable(error)) return '';
    throw error;
  }
}

function isUnreadable(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOENT' || code === 'EACCES' || code === 'EPERM' || code === 'ESRCH';
}

function shortCommand(pid: number): string {
  const command = identify(pid)?.cmd ?? 'ended meanwhile';
  return command.length > 80 ? `${command.slice(0, 77)}...` : command;
}
