// The processes of the system as anybody may start them: commands, addresses and order, from the one list in services.ts. `sst dev` and
// docker compose are made from it.
import { edgeServices, type Service, services } from './services.ts';
import { natsArgs, redisArgs } from './servers/server.ts';

export interface Part {
  readonly name: string;
  readonly command: readonly string[];
  /** What it listens on, and whom it dials. */
  readonly env: Readonly<Record<string, string>>;
  /** Where it listens, by the name of the port. */
  readonly ports: Readonly<Record<string, number>>;
  readonly needs: readonly string[];
  /** The port of GET /health; undefined for a server. */
  readonly health: number | undefined;
}

export interface Places {
  /** How a process finds another. */
  readonly hostOf: (name: string) => string;
  /** Where each listens. */
  readonly bind: string;
  /** The beginning of a command that runs a file of ours. */
  readonly run: readonly string[];
}

export const natsPort = 4222;
export const redisPort = 6379;

/** Our own processes, in the order in which they start. */
export function parts({ hostOf, bind, run }: Places, list: readonly Service[] = services): Part[] {
  const servers = {
    NATS_URL: `nats://${hostOf('nats')}:${natsPort}`,
    REDIS_URL: `redis://${hostOf('redis')}:${redisPort}`,
  };
  return list.map((service) => {
    const env: Record<string, string> = { ...servers };
    for (const other of list) {
      for (const port of other.ports) {
        if (other.name === service.name) env[port.env] = `${bind}:${port.default}`;
        else if (port.name !== 'metrics') env[port.env] = `${hostOf(other.name)}:${port.default}`;
      }
    }
    return {
      name: service.name,
      command: [...run, service.entry],
      env,
      ports: Object.fromEntries(service.ports.map((port) => [port.name, port.default])),
      needs: [...new Set(['nats', 'redis', ...service.needs])],
      health: service.ports.find(({ name }) => name === service.health)?.default,
    };
  });
}

/** The front of Redis, which functions in workerd reach. */
export function restPart(places: Places): Part {
  const [front] = parts(places, edgeServices);
  if (front?.name !== 'redis-rest') throw new Error('the list does not begin with the front of Redis');
  return { ...front, needs: ['redis'] };
}

/** The two servers on this machine, with data under `dir`. */
export function localServers(dir: string): Part[] {
  const server = (name: string, command: readonly string[], port: number): Part => ({
    ...{ name, command, env: {}, ports: { [name]: port }, needs: [], health: undefined },
  });
  return [
    server('nats', ['nats-server', ...natsArgs(natsPort, 'cortex')], natsPort),
    server(
      'redis',
      ['redis-server', ...redisArgs({ port: redisPort, dir, appendonly: true, appendfsync: 'everysec' })],
      redisPort,
    ),
  ];
}
