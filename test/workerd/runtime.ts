// workerd with one function in it, on loopback, as tests need it.
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import {
  fetch as outside,
  Log,
  LogLevel,
  Miniflare,
  type Request as MiniflareRequest,
  type Response as MiniflareResponse,
} from 'miniflare';
import {
  type Bundle,
  bundleWorker,
  compatibilityDate,
  compatibilityFlags,
  workerEntry,
} from '../../local/edge/bundle.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const bundles = new Map<string, Promise<Bundle>>();

/** The bundle of a worker, made once for a test file. */
export function bundleOf(entry: string): Promise<Bundle> {
  const known = bundles.get(entry) ?? bundleWorker(root, entry);
  bundles.set(entry, known);
  return known;
}

export interface Workerd {
  /** Without a slash at the end. */
  readonly url: string;
  /** What the function wrote so far. */
  readonly log: readonly string[];
  stop(): Promise<void>;
}

/** Runs a function with this environment. */
export const startFunction = (name: string, env: Readonly<Record<string, string>>, port = 0): Promise<Workerd> =>
  startWorkerd(workerEntry(name), env, port);

/** What answers for a service that is bound: the function at `url`. */
export const boundTo =
  (url: string) =>
  (request: MiniflareRequest): Promise<MiniflareResponse> =>
    outside(new URL(new URL(request.url).pathname, url), request);

/** Runs the worker at `entry` with this environment, and with services bound to it. */
export async function startWorkerd(
  entry: string,
  env: Readonly<Record<string, string>>,
  port = 0,
  services: Readonly<Record<string, (request: MiniflareRequest) => Promise<MiniflareResponse>>> = {},
): Promise<Workerd> {
  const log: string[] = [];
  const runtime = new Miniflare({
    modules: [{ type: 'ESModule', path: 'worker.js', contents: (await bundleOf(entry)).code }],
    compatibilityDate,
    compatibilityFlags: [...compatibilityFlags],
    bindings: { ...env },
    serviceBindings: services,
    host: '127.0.0.1',
    port,
    log: new Log(LogLevel.NONE),
    handleRuntimeStdio(stdout: Readable, stderr: Readable) {
      for (const stream of [stdout, stderr])
        stream.on('data', (data: Buffer) => log.push(...data.toString().split('\n').filter(Boolean)));
    },
  });
  try {
    const url = await runtime.ready;
    let stopping: Promise<void> | undefined;
    return { url: url.origin, log, stop: () => (stopping ??= runtime.dispose()) };
  } catch (error) {
    await runtime.dispose();
    throw error;
  }
}
