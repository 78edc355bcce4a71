// Brings the whole system up in order, keeps it up, and takes it down in reverse order: servers first and
// last, services between them. The list of services is an argument, so that tests can bring their own.
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { addressUrl } from '#core/process/address.ts';
import { Stop } from '../bootstrap/stop.mjs';
import type { ServerName } from '../servers/find.ts';
import { ensureServers } from '../servers/install.ts';
import { thisMachine } from '../servers/machine.ts';
import { natsArgs, natsWebSocketConfig, redisArgs } from '../servers/server.ts';
import type { Service } from '../services.ts';
import { type Kept, keepAlive } from './keep.ts';
import { LOOPBACK, parseUpOptions, type UpOptions } from './options.ts';
import { createOutput } from './output.ts';
import { type Proof, proofTopic, proveWithOneJob } from './proof.ts';
import { createRunNote, type RunNoteWriter } from './run-note.ts';
import { assertReachable, type ServerPlan, serverUnit, withoutSecrets } from './server-unit.ts';
import { healthUrl, type ServiceHost, serviceUnit } from './service-unit.ts';
import { summarize } from './summary.ts';
import { takenPorts } from './taken.ts';
import { watchFiles } from './watch.ts';

export interface UpInput {
  readonly root: string;
  readonly services: readonly Service[];
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly say: (line: string) => void;
  /** Ends everything in order. */
  readonly stop: AbortSignal;
  /** Ends everything at once. */
  readonly force: AbortSignal;
}

/** Runs the system until `stop`; resolves when all of it is gone. Throws Stop when it did not come up. */
export async function up(input: UpInput): Promise<void> {
  const begin = Date.now();
  const options = parseUpOptions(input.args, input.env, input.services);
  const absent = input.services.filter((service) => !existsSync(join(input.root, service.entry)));
  if (absent.length > 0) throw new Stop(`missing: ${absent.map((s) => `${s.entry} (${s.name})`).join(', ')}`);
  await ensureServers(neededServers(options), thisMachine, input.say);
  input.stop.throwIfAborted();
  const taken = await takenPorts(input.services, options.addresses);
  if (taken.length > 0) throw new Stop(taken.join('\ncortex: '));

  const note = createRunNote(input.root, new Date(begin).toISOString());
  const kept: Kept[] = [];
  const lastResort = () => kept.toReversed().forEach((one) => one.kill());
  process.once('exit', lastResort);
  input.force.addEventListener('abort', lastResort, { once: true });
  let unwatch = (): void => undefined;
  try {
    const addresses = await startServers(input, options, note, kept);
    const host = createHost(input, options, note, addresses);
    await startServices(input, host, kept);
    const urls = publicUrls(input.services, host);
    const local_roots = (host.env['REPO_LOCAL_ROOTS'] ?? '').split(delimiter).filter((folder) => folder !== '');
    note.set({ urls, health: healthUrls(input.services, host), local_roots });
    const proof = await prove(options, urls['gateway'], input.stop);
    const died = kept.filter((one) => !one.running()).map((one) => one.name);
    if (!proof.succeeded && died.length > 0) throw new Stop(`${died.join(', ')} died. ${proof.sentence}`);
    note.set({ state: 'ready' });
    if (options.watch) unwatch = restartOnChange(input, kept);
    const seconds = (Date.now() - begin) / 1_000;
    const needsKey = options.keysInFile || options.apiKey !== undefined;
    const logFolder = join('.cortex', 'log');
    input.say(
      summarize({
        note: { urls, ...addresses },
        seconds,
        proof,
        needsKey,
        logFolder,
      }),
    );
    await aborted(input.stop);
    input.say('stopping: running jobs may finish');
  } finally {
    unwatch();
    note.set({ state: 'stopping' });
    for (const one of kept.toReversed())
      await one.stop().catch((error: unknown) => input.say(`${one.name}: ${String(error)}`));
    process.off('exit', lastResort);
    note.remove();
  }
}

function neededServers(options: UpOptions): ServerName[] {
  const needed: ServerName[] = [];
  if (options.natsUrl === undefined) needed.push('nats-server');
  if (options.redisUrl === undefined) needed.push('redis-server');
  return needed;
}

interface ServerUrls {
  readonly nats: string;
  /** The same server over WebSocket; empty when it is somebody else's. */
  readonly nats_ws: string;
  readonly redis: string;
}

async function startServers(
  input: UpInput,
  options: UpOptions,
  note: RunNoteWriter,
  kept: Kept[],
): Promise<ServerUrls> {
  const noted: RunNoteWriter['child'] = (...child) => note.child(...child);
  const { root, say } = input;
  const start = async (plan: Pick<ServerPlan, 'name' | 'ports' | 'start'>): Promise<string[]> => {
    const unit = serverUnit({ ...plan, root, noted });
    const one = keepAlive(unit, { say, ending: input.stop });
    kept.push(one);
    await one.start();
    const found = unit.ports();
    plan.ports.forEach((wish, i) => {
      if (wish !== 0 && found[i] !== wish) say(`port ${wish} is in use: ${plan.name} listens on ${found[i]}`);
    });
    return found.map((port) => `${LOOPBACK}:${port}`);
  };
  const nats = async (): Promise<Pick<ServerUrls, 'nats' | 'nats_ws'>> => {
    if (options.natsUrl !== undefined) {
      await assertReachable('NATS_URL', options.natsUrl);
      return { nats: options.natsUrl, nats_ws: options.natsWsUrl ?? '' };
    }
    const [tcp = '', ws = ''] = await start({
      name: 'nats-server',
      ports: [options.natsPort, options.natsWsPort],
      start: ([port = 0, wsPort = 0]) => ({
        args: natsArgs(port, `cortex-${process.pid}`, ['-c', 'nats.conf']),
        files: { 'nats.conf': natsWebSocketConfig(wsPort) },
      }),
    });
    return { nats: `nats://${tcp}`, nats_ws: `ws://${ws}` };
  };
  const redis = async (): Promise<Pick<ServerUrls, 'redis'>> => {
    if (options.redisUrl !== undefined) {
      await assertReachable('REDIS_URL', options.redisUrl);
      return { redis: options.redisUrl };
    }
    const { appendfsync } = options;
    const [address = ''] = await start({
      name: 'redis-server',
      ports: [options.redisPort],
      start: ([port = 0], dir) => ({ args: redisArgs({ port, dir, appendonly: true, appendfsync }) }),
    });
    return { redis: `redis://${address}` };
  };
  // Both are waited for: nothing is still starting when the clean-up begins.
  const [bus, store] = await Promise.allSettled([nats(), redis()]);
  if (bus.status === 'rejected') throw bus.reason;
  if (store.status === 'rejected') throw store.reason;
  const urls = { ...bus.value, ...store.value };
  note.set({
    ...urls,
    nats: withoutSecrets(urls.nats),
    nats_ws: withoutSecrets(urls.nats_ws).replace(/\/$/, ''),
    redis: withoutSecrets(urls.redis),
  });
  return urls;
}

function createHost(input: UpInput, options: UpOptions, note: RunNoteWriter, urls: ServerUrls): ServiceHost {
  const output = createOutput(input.root, input.say);
  return {
    root: input.root,
    services: input.services,
    addresses: new Map(options.addresses),
    secure: new Set(),
    env: {
      REPO_LOCAL_ROOTS: input.root,
      ...input.env,
      NATS_URL: urls.nats,
      REDIS_URL: urls.redis,
      ...(options.edge && {
        NATS_WS_URL: urls.nats_ws,
        REDIS_REST_TOKEN: options.restToken ?? randomBytes(24).toString('base64url'),
      }),
    },
    spawned: (name, pid) => note.child(name, pid, true),
    capture: (name, child) => output.capture(name, child),
    patience: { start: 60_000, drain: options.drainPatience },
  };
}

// A service starts as soon as those that it dials are ready, so that their addresses are known.
async function startServices(input: UpInput, host: ServiceHost, kept: Kept[]): Promise<void> {
  const started = new Map<string, Promise<void>>();
  for (const service of input.services) {
    const one = keepAlive(serviceUnit(service, host), {
      say: input.say,
      ending: input.stop,
    });
    kept.push(one);
    const needs = service.needs.map(
      (name) =>
        started.get(name) ?? Promise.reject(new Error(`${service.name} needs ${name}, which is not listed before it`)),
    );
    const start = Promise.all(needs).then(() => one.start());
    started.set(service.name, start);
  }
  await allOrThrow([...started.values()]);
}

/** Waits for all, then throws the first failure: nothing is still starting when the clean-up begins. */
async function allOrThrow<T>(work: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(work);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}

function publicUrls(services: readonly Service[], host: ServiceHost): Record<string, string> {
  const urls: Record<string, string> = {};
  for (const service of services) {
    for (const port of service.ports) {
      const key = `${service.name}.${port.name}`;
      const address = host.addresses.get(key);
      if (address !== undefined) urls[port.url] = addressUrl(address, host.secure.has(key) ? 'https' : 'http');
    }
  }
  return urls;
}

function healthUrls(services: readonly Service[], host: ServiceHost): Record<string, string> {
  return Object.fromEntries(services.map((service) => [service.name, healthUrl(service, host.addresses) ?? '']));
}

async function prove(options: UpOptions, gateway: string | undefined, signal: AbortSignal): Promise<Proof> {
  if (gateway === undefined) throw new Stop('no service of the list is the gateway');
  const { workers, apiKey } = options;
  const skipped = (why: string): Proof => ({ succeeded: false, sentence: `No job was run to prove it: ${why}.` });
  if (options.keysInFile && apiKey === undefined) {
    return skipped('the gateway asks for a key from API_KEYS_PATH, and CORTEX_API_KEY names none');
  }
  const topic = proofTopic(workers);
  if (topic === undefined)
    return skipped(`npm start knows no input for a job of WORKERS (${workers?.join(', ') ?? ''})`);
  return proveWithOneJob({ gateway, topic, apiKey, signal, patience: 20_000 });
}

function restartOnChange(input: UpInput, kept: readonly Kept[]): () => void {
  input.say('watching core, functions, services, proto/gen and config');
  return watchFiles(input.root, input.services, (services, file) => {
    const names = new Set([...services].map((service) => service.name));
    input.say(`${file} changed: restarting ${[...names].join(', ')}`);
    for (const one of kept) if (names.has(one.name)) one.restart();
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
