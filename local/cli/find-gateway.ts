// Where the gateway is: what was said, else what runs from a checkout of ours, else where it is by default.
import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type RunNote, readRun, runFile } from '../bootstrap/checkout.mjs';
import { isAlive } from '../bootstrap/process.mjs';
import { Stop } from '../bootstrap/stop.mjs';
import { exit } from './exit.ts';

export interface GatewayAddress {
  /** Without a slash at the end. */
  readonly url: string;
  /** Who said so, as a half sentence for errors: `from CORTEX_URL`. */
  readonly from: string;
  /** Folders that the workers behind it read, as far as that is known here. */
  readonly localRoots?: readonly string[];
}

export interface Places {
  /** `--gateway`. */
  readonly option: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Looked at first, and every folder above it. */
  readonly cwd: string;
  /** The checkout that this CLI is part of. */
  readonly checkout: string;
}

export const defaultGateway = 'http://127.0.0.1:8081';

/** Throws Stop for an address that cannot be one. */
export function findGateway({ option, env, cwd, checkout }: Places): GatewayAddress {
  if (option !== undefined) return { url: parseUrl('--gateway', option), from: 'from --gateway' };
  const said = env['CORTEX_URL'] ?? '';
  if (said !== '') return { url: parseUrl('CORTEX_URL', said), from: 'from CORTEX_URL' };
  const running = findRun({ cwd, checkout }, (run) => (run.urls['gateway'] === undefined ? undefined : run));
  if (running === undefined) return { url: defaultGateway, from: 'the default' };
  const { urls, local_roots: localRoots } = running.value;
  return {
    url: urls['gateway'] ?? defaultGateway,
    from: `from ${running.file}`,
    ...(localRoots === undefined ? {} : { localRoots }),
  };
}

/** What `pick` finds in the note of a system that is up: of the nearest folder above, else of this checkout. */
export function findRun<T>(
  { cwd, checkout }: Pick<Places, 'cwd' | 'checkout'>,
  pick: (run: RunNote) => T | undefined,
): { readonly value: T; readonly file: string } | undefined {
  for (const root of new Set([...upwards(cwd), checkout])) {
    const run = runningIn(root);
    const value = run && pick(run);
    if (value !== undefined) return { value, file: runFile(root) };
  }
  return undefined;
}

/** An http or https address. A path is kept: the gateway may stand behind a front. */
export function parseUrl(name: string, text: string): string {
  const problem = (what: string): Stop => new Stop(`${name}: ${what}`, exit.usage);
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) {
    throw problem(`${JSON.stringify(text)} is not an address such as ${defaultGateway}`);
  }
  const url = new URL(text);
  // Not repeated in the error: it may be a real password.
  if (url.username !== '' || url.password !== '') throw problem('must not hold a name or password; keys go elsewhere');
  if (url.search !== '' || url.hash !== '') throw problem(`${JSON.stringify(text)} goes on after the path`);
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '');
}

function upwards(folder: string): string[] {
  const above = dirname(folder);
  return above === folder ? [folder] : [folder, ...upwards(above)];
}

/** The note of a system that is up. What a killed one left is none. */
function runningIn(root: string): RunNote | undefined {
  if (!isOurs(join(root, '.cortex')) || !isOurs(runFile(root))) return undefined;
  const run = readRun(root);
  return run === undefined || !isAlive(run) ? undefined : run;
}

/**
 * Whether a path was made by this user or by root. Anybody may put a `.cortex` into a folder above us, such as /tmp, and a key
 * must not be sent where a stranger says.
 */
function isOurs(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return false;
  const me = process.geteuid?.();
  // What root runs is noted for root alone, so another user takes the default address.
  return me === undefined || stat.uid === me || (stat.uid === 0 && (stat.mode & 0o004) !== 0);
}
