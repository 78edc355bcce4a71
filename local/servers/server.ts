// One nats-server or redis-server process of ours: started on loopback, known to be ready because it
// answered with its own identity, ended by pid. Used by `npm start` and by the tests alike.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findServer, type ServerName } from './find.ts';
import { probeNats, probeRedis } from './probe.ts';

export interface ServerSpec {
  readonly name: ServerName;
  readonly port: number;
  /** The folder of its data and of its log file `<name>.log`; made when missing. */
  readonly dir: string;
  readonly args: readonly string[];
  /** Written into the folder before the start, by name: what the server reads from files. */
  readonly files?: Readonly<Record<string, string>>;
  /** A process group of its own, so that Ctrl-C at the terminal does not reach it before its users. */
  readonly detached?: boolean;
  /** Told the pid at once, so that it can be noted before the server is ready. */
  readonly spawned?: (pid: number) => void;
}

export interface RunningServer {
  readonly pid: number;
  readonly child: ChildProcess;
  readonly exited: Promise<void>;
  readonly logFile: string;
}

/** Flags that nats-server 2.9.10 accepts; `identity` is the name it will answer with. */
export function natsArgs(port: number, identity: string, more: readonly string[] = []): string[] {
  return ['--addr', '127.0.0.1', '--port', String(port), '--name', identity, ...more];
}

/** What nats-server has no flag for, as a configuration file for `-c`: a WebSocket listener on loopback. */
export function natsWebSocketConfig(port: number): string {
  // A page in a browser may open a WebSocket to this machine, wherever the page comes from. A browser says where; other clients
  // say nothing and are let in.
  const origins = ['127.0.0.1', 'localhost'].map((host) => `"http://${host}:${port}"`);
  return [
    'websocket {',
    '  host: "127.0.0.1"',
    `  port: ${port}`,
    '  no_tls: true',
    `  allowed_origins: [${origins.join(', ')}]`,
    '}',
    '',
  ].join('\n');
}

export interface RedisSettings {
  readonly port: number;
  readonly dir: string;
  readonly appendonly: boolean;
  readonly appendfsync: 'always' | 'everysec';
}

export function redisArgs(settings: RedisSettings, more: readonly string[] = []): string[] {
  return [
    ...['--port', String(settings.port), '--bind', '127.0.0.1', '--dir', settings.dir, '--daemonize', 'no'],
    ...['--save', '', '--maxmemory-policy', 'noeviction'],
    ...['--appendonly', settings.appendonly ? 'yes' : 'no', '--appendfsync', settings.appendfsync],
    ...more,
  ];
}

export class ServerDidNotStart extends Error {
  readonly portTaken: boolean;
  constructor(message: string, portTaken: boolean) {
    super(message);
    this.portTaken = portTaken;
  }
}

/**
 * Starts a server and resolves once it answers as itself. Throws ServerDidNotStart with the end of its
 * log when it exits first or stays silent for `patience` ms; no process is left behind then.
 */
export async function launchServer(spec: ServerSpec, patience = 15_000): Promise<RunningServer> {
  const command = findServer(spec.name);
  if (command === undefined) throw new ServerDidNotStart(`${spec.name} is not installed`, false);
  mkdirSync(spec.dir, { recursive: true });
  for (const [name, text] of Object.entries(spec.files ?? {})) writeFileSync(join(spec.dir, name), text);
  const logFile = join(spec.dir, `${spec.name}.log`);
  const log = openSync(logFile, 'a');
  const child = spawn(command, spec.args, {
    cwd: spec.dir,
    stdio: ['ignore', log, log],
    detached: spec.detached ?? false,
  });
  closeSync(log);
  await once(child, 'spawn');
  const pid = child.pid;
  if (pid === undefined) throw new ServerDidNotStart(`${command} has no pid`, false);
  spec.spawned?.(pid);
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));

  const deadline = Date.now() + patience;
  while (Date.now() < deadline && child.exitCode === null && child.signalCode === null) {
    if (await answersAs(spec, pid)) return { pid, child, exited, logFile };
    await delay(15);
  }
  child.kill('SIGKILL');
  await exited;
  const end = readFileSync(logFile, 'utf8').trim().split('\n').slice(-5).join('\n');
  throw new ServerDidNotStart(
    `${spec.name} did not start on port ${spec.port}:\n${end}`,
    /address already in use|Address in use/i.test(end),
  );
}

async function answersAs(spec: ServerSpec, pid: number): Promise<boolean> {
  if (spec.name === 'redis-server') return (await probeRedis(spec.port))?.pid === pid;
  const name = spec.args[spec.args.indexOf('--name') + 1];
  return (await probeNats(spec.port))?.name === name;
}

/** Ends a server: SIGTERM, and SIGKILL when it is still there after `patience` ms. Returns when it is gone. */
export async function endServer(server: RunningServer, patience = 5_000): Promise<void> {
  if (server.child.exitCode !== null || server.child.signalCode !== null) return;
  server.child.kill('SIGCONT'); // a paused one would never see the SIGTERM
  server.child.kill('SIGTERM');
  const force = setTimeout(() => server.child.kill('SIGKILL'), patience);
  await server.exited;
  clearTimeout(force);
}
