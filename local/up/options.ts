// What a person asked of `npm start`: arguments and environment, parsed once into a frozen value. Every
// problem is named at once.
import { type Address, parseAddress } from '#core/process/address.ts';
import { Stop } from '../bootstrap/stop.mjs';
import type { Service } from '../services.ts';

/** Where our own services and servers listen unless they are told otherwise. */
export const LOOPBACK = '127.0.0.1';

export interface ServerOptions {
  /** A server of somebody else's, by URL: none of that kind is started. */
  readonly url: string | undefined;
  /** Where to look first; the next free port is taken when it is in use. 0 asks the system. */
  readonly port: number;
}

export interface UpOptions {
  readonly watch: boolean;
  readonly nats: ServerOptions;
  readonly redis: ServerOptions & {
    readonly appendfsync: 'always' | 'everysec';
  };
  /** Per service and port name, as `scheduler.metrics`. */
  readonly addresses: ReadonlyMap<string, Address>;
  /** Sent with the job that proves the start; undefined when the gateway asks for none or we know none. */
  readonly apiKey: string | undefined;
  /** Keys are kept in a file as hashes: without `apiKey` we cannot submit a job ourselves. */
  readonly keysInFile: boolean;
}

export const usage = `npm start [-- --ports auto]     starts CortexOS and stays up; Ctrl-C ends it
npm run dev                     the same, and restarts a service when its files change

  --ports auto   every port of our own is chosen by the system
  --watch        restart on change (npm run dev)
`;

/** Parses both; throws Stop with one line per problem. `--help` is a Stop with exit code 0. */
export function parseUpOptions(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  services: readonly Service[],
): UpOptions {
  const problems: string[] = [];
  let watch = false;
  let auto = false;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i];
    if (arg === '--help' || arg === '-h') throw new Stop(usage, 0);
    if (arg === '--watch') watch = true;
    else if (arg === '--ports=auto') auto = true;
    else if (arg === '--ports' && args[i + 1] === 'auto') {
      auto = true;
      i++;
    } else problems.push(`${arg}: unknown argument (known: --ports auto, --watch, --help)`);
  }

  const addresses = new Map<string, Address>();
  for (const service of services) {
    for (const port of service.ports) {
      const text = env[port.variable] ?? '';
      const fallback = { host: LOOPBACK, port: port.default };
      const address = text === '' ? fallback : parseAddress(text);
      if (address === undefined) problems.push(`${port.variable}: ${text} is not host:port`);
      else addresses.set(`${service.name}.${port.name}`, auto ? { ...address, port: 0 } : address);
    }
  }
  problems.push(...asGivenTwice(services, addresses));

  const appendfsync = env['REDIS_APPENDFSYNC'] || 'everysec';
  if (appendfsync !== 'always' && appendfsync !== 'everysec') {
    problems.push(`REDIS_APPENDFSYNC: ${appendfsync} is neither always nor everysec`);
  }
  const options: UpOptions = {
    watch,
    nats: serverOptions('NATS', ['nats:', 'tls:'], 4222, env, problems),
    redis: {
      ...serverOptions('REDIS', ['redis:', 'rediss:'], 6379, env, problems),
      appendfsync: appendfsync === 'always' ? 'always' : 'everysec',
    },
    addresses,
    apiKey: env['CORTEX_API_KEY'] || env['API_KEY'] || undefined,
    keysInFile: (env['API_KEYS_PATH'] ?? '') !== '',
  };
  if (problems.length > 0) throw new Stop(problems.join('\ncortex: '), 2);
  return Object.freeze(options);
}

function serverOptions(
  kind: 'NATS' | 'REDIS',
  schemes: readonly string[],
  defaultPort: number,
  env: Readonly<Record<string, string | undefined>>,
  problems: string[],
): ServerOptions {
  const url = env[`${kind}_URL`] || undefined;
  const scheme = url?.match(/^[a-z]+:/)?.[0];
  if (
    url !== undefined &&
    (scheme === undefined || !schemes.includes(scheme) || !URL.canParse(url.split(',')[0] ?? ''))
  ) {
    problems.push(`${kind}_URL: ${url} does not begin with ${schemes.map((s) => `${s}//`).join(' or ')} and a host`);
  }
  const text = env[`${kind}_PORT`] || String(defaultPort);
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 65_536;
  if (port > 65_535) problems.push(`${kind}_PORT: ${text} is not a port`);
  return { url, port };
}

function asGivenTwice(services: readonly Service[], addresses: ReadonlyMap<string, Address>): string[] {
  const seen = new Map<number, string>();
  const problems: string[] = [];
  for (const service of services) {
    for (const port of service.ports) {
      const number = addresses.get(`${service.name}.${port.name}`)?.port ?? 0;
      const other = seen.get(number);
      if (number !== 0 && other !== undefined)
        problems.push(`${port.variable}: port ${number} is already that of ${other}`);
      seen.set(number, port.variable);
    }
  }
  return problems;
}
