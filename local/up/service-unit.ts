// One service of the manifest as a process that can be started: its environment, its addresses, the wait
// until GET /health says that it is ready.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Address, addressUrl, formatAddress } from '#core/process/address.ts';
import { Stop } from '../bootstrap/stop.mjs';
import type { Service } from '../services.ts';
import type { Launched, Unit } from './keep.ts';

export interface ServiceHost {
  readonly root: string;
  /** Addresses of all services as `<service>.<port>`; a port that was 0 is replaced by what was bound. */
  readonly addresses: Map<string, Address>;
  /** Those of the addresses that answer with TLS. */
  readonly secure: Set<string>;
  readonly services: readonly Service[];
  /** The environment that all services share. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly spawned: (name: string, pid: number) => void;
  /** Takes the output of a child for its log. */
  readonly capture: (name: string, child: ChildProcess) => void;
  /** How long a start may take, and how long a drain, in ms. */
  readonly patience: { readonly start: number; readonly drain: number };
}

export function serviceUnit(service: Service, host: ServiceHost): Unit {
  let launchedBefore: number | undefined;
  return {
    name: service.name,
    async launch(signal) {
      const entry = join(host.root, service.entry);
      if (!existsSync(entry)) throw new Stop(`${service.name}: ${service.entry} does not exist`);
      signal.throwIfAborted();
      const child = spawn(process.execPath, [entry], {
        cwd: host.root,
        env: { ...environmentOf(service, host), CORTEX_LAUNCHED_BEFORE: launchedBefore?.toString() },
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
        // Out of reach of a terminal's Ctrl-C: services end in order, when they are told.
        detached: true,
      });
      host.capture(service.name, child);
      child.on('message', (message) => note(service, host, message));
      await once(child, 'spawn');
      const launched = asLaunched(child, host.patience.drain);
      host.spawned(service.name, launched.pid);
      const launchedAt = Date.now();
      try {
        await ready(service, host, launched, signal);
        launchedBefore = launchedAt;
        return launched;
      } catch (error) {
        await launched.end();
        throw error;
      }
    },
  };
}

function environmentOf(service: Service, host: ServiceHost): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...host.env, CORTEX_SUPERVISED: '1' };
  // METRICS_ADDR has one meaning per process; the others mean the same everywhere.
  for (const other of host.services) {
    for (const port of other.ports) {
      const address = host.addresses.get(`${other.name}.${port.name}`);
      if (address === undefined) continue;
      if (other.name === service.name) env[port.env] = formatAddress(address);
      else if (port.name !== 'metrics') env[port.env] = addressUrl(address, '').slice('://'.length);
    }
  }
  return env;
}

function note(service: Service, host: ServiceHost, message: unknown): void {
  if (typeof message !== 'object' || message === null) return;
  const { type, name, url } = message as {
    type?: unknown;
    name?: unknown;
    url?: unknown;
  };
  if (type !== 'listening' || typeof name !== 'string' || typeof url !== 'string' || !URL.canParse(url)) return;
  const key = `${service.name}.${name}`;
  const asked = host.addresses.get(key);
  const { protocol, port: written } = new URL(url);
  const port = Number(written || (protocol === 'https:' ? 443 : 80)); // a URL does not spell out the port of its scheme
  if (asked === undefined) return;
  host.addresses.set(key, { host: asked.host, port });
  if (protocol === 'https:') host.secure.add(key);
}

async function ready(service: Service, host: ServiceHost, launched: Launched, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + host.patience.start;
  let ended: string | undefined;
  void launched.exited.then((reason) => {
    ended = reason;
  });
  let last = 'it named no address';
  while (Date.now() < deadline) {
    signal.throwIfAborted();
    if (ended !== undefined) throw new Stop(`${service.name} ended before it was ready (${ended})`);
    const answer = await health(healthUrl(service, host.addresses));
    if (answer === 'ok') return;
    last = answer;
    await delay(40);
  }
  throw new Stop(`${service.name} was not ready after ${host.patience.start / 1_000} s: ${last}`);
}

/** Where a service answers GET /health; undefined while its port is still to be chosen. */
export function healthUrl(service: Service, addresses: ReadonlyMap<string, Address>): string | undefined {
  if (service.ports.some((port) => addresses.get(`${service.name}.${port.name}`)?.port === 0)) return undefined;
  const address = addresses.get(`${service.name}.${service.health}`);
  return address === undefined ? undefined : `${addressUrl(address)}/health`;
}

async function health(url: string | undefined): Promise<string> {
  if (url === undefined) return 'it named no address';
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    const text = await response.text();
    return response.ok ? 'ok' : `${url} answered ${response.status} ${text.slice(0, 200)}`;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return `${url}: ${error.cause instanceof Error ? error.cause.message : error.message}`;
  }
}

function asLaunched(child: ChildProcess, drain: number): Launched {
  const pid = child.pid;
  if (pid === undefined) throw new Error('the child has no pid');
  const exited = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => {
      const reason = signal ?? `exit code ${code}`;
      // Its last words may still be in the pipe. A grandchild may keep that open, so not for ever.
      const enough = setTimeout(() => resolve(reason), 500);
      child.once('close', () => {
        clearTimeout(enough);
        resolve(reason);
      });
    });
  });
  return {
    pid,
    exited,
    kill: () => void child.kill('SIGKILL'),
    async end() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGCONT');
      child.kill('SIGTERM');
      const force = setTimeout(() => child.kill('SIGKILL'), drain);
      await exited;
      clearTimeout(force);
    },
  };
}
