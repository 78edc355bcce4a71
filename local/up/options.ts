// What a person asked of `npm start`: arguments and environment, parsed once into a frozen value. Every
// problem is named at once.
import type { Address } from '#core/process/address.ts';
import { type Env, type EnvSpec, readEnv } from '#core/process/env.ts';
import { address, choice, int, list, path, seconds, text, url } from '#core/process/variables.ts';
import { startArguments, usage } from '../bootstrap/start-arguments.mjs';
import { Stop } from '../bootstrap/stop.mjs';
import type { Service } from '../services.ts';

/** Where our own services and servers listen unless they are told otherwise. */
export const LOOPBACK = '127.0.0.1';

export interface UpOptions {
  readonly watch: boolean;
  /** Functions in workerd. */
  readonly edge: boolean;
  /** A server of somebody else's: none of that kind is started. */
  readonly natsUrl: string | undefined;
  readonly redisUrl: string | undefined;
  /** The WebSocket address of that NATS server. */
  readonly natsWsUrl: string | undefined;
  readonly restToken: string | undefined;
  /** Where to look first for a free port for a server of ours; 0 asks the system. */
  readonly natsPort: number;
  readonly natsWsPort: number;
  readonly redisPort: number;
  readonly appendfsync: 'always' | 'everysec';
  /** Per service and port name, as `scheduler.metrics`. */
  readonly addresses: ReadonlyMap<string, Address>;
  /** Sent with the job that proves the start; undefined when the gateway asks for none or we know none. */
  readonly apiKey: string | undefined;
  /** Keys are kept in a file as hashes: without `apiKey` we cannot submit a job ourselves. */
  readonly keysInFile: boolean;
  /** Undefined: every worker there is. */
  readonly workers: readonly string[] | undefined;
  /** How long a service may take to end by itself, in ms, before it is forced. */
  readonly drainPatience: number;
}

const fsyncs = ['everysec', 'always'] as const;
const port = { min: 0, max: 65_535 };
const firstPort = (what: string) => `first port tried for the ${what} that npm start starts; 0: any free one`;

/** The variables that `npm start` reads for itself; the services read their own, mostly from its hands. */
export const upEnv = {
  natsUrl: url('NATS_URL', undefined, 'the NATS server to use; npm start then starts none', ['nats', 'tls']),
  natsWsUrl: url('NATS_WS_URL', undefined, 'the WebSocket address of NATS_URL, for --edge', ['ws', 'wss']),
  restToken: text('REDIS_REST_TOKEN', undefined, 'the token of Redis by REST, for --edge; a new one without it', {
    secret: true,
  }),
  redisUrl: url('REDIS_URL', undefined, 'the Redis server to use; npm start then starts none', ['redis', 'rediss']),
  natsPort: int('NATS_PORT', '4222', firstPort('nats-server'), port),
  natsWsPort: int('NATS_WS_PORT', '4223', firstPort('WebSocket listener of the nats-server'), port),
  redisPort: int('REDIS_PORT', '6379', firstPort('redis-server'), port),
  appendfsync: choice('REDIS_APPENDFSYNC', 'everysec', 'when the Redis of npm start writes to disk', fsyncs),
  ownKey: text('CORTEX_API_KEY', undefined, 'the key for the job that proves a start', { secret: true }),
  apiKey: text('API_KEY', undefined, 'the one key of the gateway', { secret: true }),
  keysPath: path('API_KEYS_PATH', undefined, 'the file of hashed keys of the gateway'),
  workers: list('WORKERS', undefined, 'which workers it hosts; the first of echo and chat proves a start'),
  drainMs: seconds('DRAIN_SECONDS', '20', 'how long work under way may take to finish after SIGTERM'),
} satisfies EnvSpec;

/** The address variables of the listed services, by `<service>.<port>`. */
export function addressEnv(services: readonly Service[]) {
  const pairs = services.flatMap((service) =>
    service.ports.map((port) => {
      const variable = address(port.variable, `${LOOPBACK}:${port.default}`, port.purpose);
      return [`${service.name}.${port.name}`, variable] as const;
    }),
  );
  return Object.fromEntries(pairs);
}

/** Parses both; throws Stop with one line per problem. `--help` is a Stop with exit code 0. */
export function parseUpOptions(args: readonly string[], env: Env, services: readonly Service[]): UpOptions {
  const { watch, auto, edge, help, problems } = startArguments(args);
  if (help) throw new Stop(usage, 0);
  const own = readEnv(upEnv, env);
  const addresses = readEnv(addressEnv(services), env);
  if (!own.ok) problems.push(...own.error);
  if (!addresses.ok) problems.push(...addresses.error);
  else problems.push(...givenTwice(services, addresses.value));
  if (edge && own.ok && own.value.natsUrl !== undefined && own.value.natsWsUrl === undefined)
    problems.push('NATS_WS_URL: is needed with --edge where NATS_URL names a server of your own');
  if (problems.length > 0 || !own.ok || !addresses.ok) throw new Stop(problems.join('\ncortex: '), 2);
  const { ownKey, apiKey, keysPath, drainMs, ...rest } = own.value;
  const asked = Object.entries(addresses.value).map(
    ([key, one]) => [key, auto ? { host: one.host, port: 0 } : one] as const,
  );
  return Object.freeze({
    ...rest,
    watch,
    edge,
    addresses: new Map(asked),
    apiKey: ownKey ?? apiKey,
    keysInFile: keysPath !== undefined,
    // It ends by itself once its own time is up; only what hangs is forced, well after that.
    drainPatience: drainMs + 20_000,
  });
}

function givenTwice(services: readonly Service[], addresses: Readonly<Record<string, Address>>): string[] {
  const seen = new Map<number, string>();
  const problems: string[] = [];
  for (const service of services) {
    for (const { name, variable } of service.ports) {
      const number = addresses[`${service.name}.${name}`]?.port ?? 0;
      const other = seen.get(number);
      if (number !== 0 && other !== undefined) problems.push(`${variable}: port ${number} is already that of ${other}`);
      seen.set(number, variable);
    }
  }
  return problems;
}
