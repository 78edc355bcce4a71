// nats-server and redis-server as units: ours, on the first free port from the usual one, with their data
// under .cortex; or somebody else's, by URL, which is only looked at.
import { connect } from 'node:net';
import { join } from 'node:path';
import { Stop } from '../bootstrap/stop.mjs';
import type { ServerName } from '../servers/find.ts';
import { freePort, nextFreePort } from '../servers/ports.ts';
import { endServer, launchServer, ServerDidNotStart } from '../servers/server.ts';
import type { Unit } from './keep.ts';

export interface ServerPlan {
  readonly name: ServerName;
  readonly root: string;
  /** Looked at first; 0 asks the system. */
  readonly port: number;
  readonly args: (port: number, dir: string) => string[];
  /** Called when it has been spawned, and once more when it is ready: it may have renamed itself. */
  readonly noted: (name: string, pid: number, ready: boolean) => void;
}

export interface ServerUnit extends Unit {
  /** The port that the first launch found; 0 before. Later launches use it again. */
  port(): number;
}

export function serverUnit(plan: ServerPlan): ServerUnit {
  const short = plan.name === 'nats-server' ? 'nats' : 'redis';
  const dir = join(plan.root, '.cortex', short);
  let settled = 0;

  const launchOn = (port: number) =>
    launchServer({
      name: plan.name,
      port,
      dir,
      args: plan.args(port, dir),
      detached: true,
      spawned: (pid) => plan.noted(plan.name, pid, false),
    });

  const launchAnywhere = async () => {
    for (let port = await choose(plan.port); ; port = await choose(port)) {
      try {
        const server = await launchOn(port);
        settled = port;
        return server;
      } catch (error) {
        // Two checkouts that start in the same second may have found the same port free.
        if (!(error instanceof ServerDidNotStart) || !error.portTaken) throw error;
      }
    }
  };

  return {
    name: plan.name,
    port: () => settled,
    async launch(signal) {
      signal.throwIfAborted();
      const server = settled === 0 ? await launchAnywhere() : await launchOn(settled);
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

const choose = (from: number): Promise<number> => (from === 0 ? freePort() : nextFreePort(from));

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
