// nats-server and redis-server as units: ours, on the first free port from the usual one, with their data
// under .cortex; or somebody else's, by URL, which is only looked at.
import { connect } from 'node:net';
import { join } from 'node:path';
import { Stop } from '../bootstrap/stop.mjs';
import type { ServerName } from '../servers/find.ts';
import { freePort, nextFreePort } from '../servers/ports.ts';
import { endServer, launchServer, ServerDidNotStart, type ServerSpec } from '../servers/server.ts';
import type { Unit } from './keep.ts';

export interface ServerPlan {
  readonly name: ServerName;
  readonly root: string;
  /** Looked at first, its main port before any other; 0 asks the system. */
  readonly ports: readonly number[];
  /** How it is started on the ports that were found. */
  readonly start: (ports: readonly number[], dir: string) => Pick<ServerSpec, 'args' | 'files'>;
  /** Called when it has been spawned, and once more when it is ready: it may have renamed itself. */
  readonly noted: (name: string, pid: number, ready: boolean) => void;
}

export interface ServerUnit extends Unit {
  /** The ports that the first launch found; none before. Later launches use them again. */
  ports(): readonly number[];
}

export function serverUnit(plan: ServerPlan): ServerUnit {
  const short = plan.name === 'nats-server' ? 'nats' : 'redis';
  const dir = join(plan.root, '.cortex', short);
  let settled: readonly number[] = [];

  const launchOn = (ports: readonly number[]) =>
    launchServer({
      name: plan.name,
      port: ports[0] ?? 0,
      dir,
      ...plan.start(ports, dir),
      detached: true,
      spawned: (pid) => plan.noted(plan.name, pid, false),
    });

  const launchAnywhere = async () => {
    for (let ports = await choose(plan.ports); ; ports = await choose(ports)) {
      try {
        const server = await launchOn(ports);
        settled = ports;
        return server;
      } catch (error) {
        // Two checkouts that start in the same second may have found the same port free.
        if (!(error instanceof ServerDidNotStart) || !error.portTaken) throw error;
      }
    }
  };

  return {
    name: plan.name,
    ports: () => settled,
    async launch(signal) {
      signal.throwIfAborted();
      const server = await (settled.length === 0 ? launchAnywhere() : launchOn(settled)).catch(forAPerson);
      plan.noted(plan.name, server.pid, true);
      return {
        pid: server.pid,
        exited: server.exited.then(() => server.child.signalCode ?? `exit code ${server.child.exitCode}`),
        end: () => endServer(server, 10_000),
        kill: () => void server.child.kill('SIGTERM'), // Redis writes its log out before it goes; that takes no time
      };
    },
  };
}

/** Its data may be broken, its folder another user's: what the server said of it is all there is to say. */
function forAPerson(error: unknown): never {
  throw error instanceof ServerDidNotStart ? new Stop(error.message) : error;
}

/** A free port for each wish, itself or one above it; what another one wishes for is left to that one. */
async function choose(wishes: readonly number[]): Promise<number[]> {
  const chosen: number[] = [];
  for (const wish of wishes) {
    const others = new Set([...chosen, ...wishes.filter((other) => other !== wish)]);
    chosen.push(wish === 0 ? await freePort() : await nextFreePort(wish, others));
  }
  return chosen;
}

/** Throws Stop when nothing accepts connections at a given URL: a typing error shows at once. */
export async function assertReachable(variable: 'NATS_URL' | 'REDIS_URL', url: string): Promise<void> {
  const { hostname, port } = new URL(url);
  const defaultPort = variable === 'NATS_URL' ? 4222 : 6379;
  if (await accepts(hostname.replace(/^\[(.*)\]$/, '$1'), Number(port) || defaultPort)) return;
  throw new Stop(`${variable}: nothing answers at ${withoutSecrets(url)}`);
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const finish = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(2_000, () => finish(false));
    socket.once('error', () => finish(false)); // refused: the answer to the question
    socket.once('connect', () => finish(true));
  });
}

/** A URL as it may be shown and noted: without name, password and query. A password may hold an @, and even a slash. */
export function withoutSecrets(url: string): string {
  if (!URL.canParse(url)) return url.replace(/\/\/.*@/, '//').replace(/[?#].*/, '');
  const shown = new URL(url);
  shown.username = shown.password = shown.search = shown.hash = '';
  return shown.href;
}
