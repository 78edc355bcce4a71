// Real nats-server and redis-server processes for tests: free ports on loopback, data in a temporary
// folder, ready when they answer as themselves. A test file that leaves one running fails.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServerName } from '../../local/servers/find.ts';
import { freePort } from '../../local/servers/ports.ts';
import {
  endServer,
  launchServer,
  natsArgs,
  natsWebSocketConfig,
  redisArgs,
  type RunningServer,
  ServerDidNotStart,
} from '../../local/servers/server.ts';
import { forgetChild, noteChild } from './children.ts';
import { isStopped } from './stopped.ts';
import { until } from './until.ts';

export interface TestServer {
  readonly url: string;
  readonly port: number;
  /** Its data and log folder; kept by kill(), removed by stop(). */
  readonly dir: string;
  /** Changes with every restart. */
  readonly pid: number;
  /** SIGTERM, waits until it is gone, removes its folder. */
  stop(): Promise<void>;
  /** SIGKILL, waits until it is gone. restart() brings it back on the same port and folder. */
  kill(): Promise<void>;
  /** SIGSTOP, and waits until every thread has stopped: the sockets stay open and nobody answers. */
  pause(): Promise<void>;
  resume(): void;
  /** Starts it again where it was, after kill(), or after SIGTERM when it still runs. */
  restart(): Promise<void>;
}

export interface NatsOptions {
  readonly port?: number;
  /** More flags; `{dir}` inside one is replaced by the temporary folder. */
  readonly args?: readonly string[];
  /** Where it listens for WebSockets as well. */
  readonly webSocketPort?: number;
}

export interface RedisOptions {
  readonly port?: number;
  readonly dir?: string;
  readonly appendonly?: boolean;
  readonly appendfsync?: 'always' | 'everysec';
  readonly args?: readonly string[];
}

export function startNats(options: NatsOptions = {}): Promise<TestServer> {
  const identity = `test-${randomUUID()}`;
  return start({
    name: 'nats-server',
    scheme: 'nats',
    port: options.port,
    dir: undefined,
    args: (port, dir) =>
      natsArgs(port, identity, [
        ...(options.webSocketPort === undefined ? [] : ['-c', 'nats.conf']),
        ...(options.args ?? []).map((arg) => arg.replaceAll('{dir}', dir)),
      ]),
    files: options.webSocketPort === undefined ? {} : { 'nats.conf': natsWebSocketConfig(options.webSocketPort) },
  });
}

export function startRedis(options: RedisOptions = {}): Promise<TestServer> {
  return start({
    name: 'redis-server',
    scheme: 'redis',
    port: options.port,
    dir: options.dir,
    args: (port, dir) => {
      const { appendonly = false, appendfsync = 'everysec' } = options;
      return redisArgs({ port, dir, appendonly, appendfsync }, options.args);
    },
  });
}

/**
 * Throws unless a server that this file started listens at the URL: tests kill, flush and fill servers, and somebody may have work of
 * their own on those of this machine.
 */
export function assertOurs(url: string): void {
  const { host } = new URL(url);
  if (Array.from(started, ({ host: its }) => its).includes(host)) return;
  throw new Error(`${host}: no server there was started by this test, so it is not touched`);
}

interface Wanted {
  readonly name: ServerName;
  readonly scheme: 'nats' | 'redis';
  readonly port: number | undefined;
  readonly dir: string | undefined;
  readonly args: (port: number, dir: string) => string[];
  readonly files?: Readonly<Record<string, string>>;
}

interface Entry {
  readonly name: ServerName;
  /** Where it listens, with its port. */
  host: string;
  running: RunningServer | undefined;
  readonly removeDir: () => void;
}

const started = new Set<Entry>();

async function start(wanted: Wanted): Promise<TestServer> {
  const dir = wanted.dir ?? mkdtempSync(join(tmpdir(), `cortex-${wanted.scheme}-`));
  const entry: Entry = {
    name: wanted.name,
    host: '',
    running: undefined,
    removeDir: () => {
      if (wanted.dir === undefined) rmSync(dir, { recursive: true, force: true });
    },
  };
  started.add(entry);
  const launch = (port: number) =>
    launchServer({
      name: wanted.name,
      port,
      dir,
      args: wanted.args(port, dir),
      files: wanted.files ?? {},
      spawned: (pid) => noteChild(wanted.name, pid),
    });

  let port = wanted.port ?? (await freePort());
  for (let tries = 1; entry.running === undefined; tries++) {
    try {
      entry.running = await launch(port);
    } catch (error) {
      const again = error instanceof ServerDidNotStart && error.portTaken && wanted.port === undefined;
      if (!again || tries === 5) {
        started.delete(entry);
        entry.removeDir();
        throw error;
      }
      port = await freePort(); // somebody else took it between the look and the start
    }
  }

  entry.host = `127.0.0.1:${port}`;
  const current = (): RunningServer => {
    if (entry.running === undefined) throw new Error(`this ${wanted.name} does not run`);
    return entry.running;
  };
  const end = async (how: 'kill' | 'term'): Promise<void> => {
    const server = entry.running;
    if (server === undefined) return;
    if (how === 'kill') {
      server.child.kill('SIGKILL');
      await server.exited;
    } else await endServer(server);
    forgetChild(server.pid);
    entry.running = undefined;
  };

  return {
    url: `${wanted.scheme}://127.0.0.1:${port}`,
    port,
    dir,
    get pid() {
      return current().pid;
    },
    async stop() {
      await end('term');
      entry.removeDir();
      started.delete(entry);
    },
    kill: () => end('kill'),
    async pause() {
      const { child, pid } = current();
      child.kill('SIGSTOP');
      await until(() => isStopped(pid), { message: `SIGSTOP to reach ${wanted.name}` });
    },
    resume: () => void current().child.kill('SIGCONT'),
    async restart() {
      await end('term');
      entry.running = await launch(port);
    },
  };
}

function endAll(): string[] {
  const leaked: string[] = [];
  for (const entry of started) {
    const server = entry.running;
    if (server !== undefined && server.child.exitCode === null && server.child.signalCode === null) {
      leaked.push(`${entry.name} (pid ${server.pid})`);
      server.child.kill('SIGKILL');
    }
    entry.removeDir();
  }
  started.clear();
  return leaked;
}

process.once('exit', endAll);

// Hooks run in reverse order of registration and this file is imported before any test registers its
// own, so this one comes last: what still runs by then was forgotten.
if (process.env['VITEST'] !== undefined) {
  const { afterAll } = await import('vitest');
  afterAll(() => {
    const leaked = endAll();
    if (leaked.length > 0) throw new Error(`left running by this test file: ${leaked.join(', ')}`);
  });
}
