// workerd with one function in it, on loopback, as tests need it.
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { Log, LogLevel, Miniflare } from 'miniflare';
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

/** Runs the worker at `entry` with this environment; `bound` are other workers by the name under which it has them, each with its own. */
export async function startWorkerd(
  entry: string,
  env: Readonly<Record<string, string>>,
  port = 0,
  bound: Readonly<Record<string, readonly [entry: string, env: Readonly<Record<string, string>>]>> = {},
): Promise<Workerd> {
  const log: string[] = [];
  const worker = async (name: string, file: string, bindings: Readonly<Record<string, string>>) => ({
    name,
    modules: [{ type: 'ESModule' as const, path: 'worker.js', contents: (await bundleOf(file)).code }],
    compatibilityDate,
    compatibilityFlags: [...compatibilityFlags],
    bindings: { ...bindings },
  });
  const others = await Promise.all(Object.entries(bound).map(([name, [file, own]]) => worker(name, file, own)));
  const serviceBindings = Object.fromEntries(Object.keys(bound).map((name) => [name, name]));
  const runtime = new Miniflare({
    workers: [{ ...(await worker('main', entry, env)), serviceBindings }, ...others],
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
