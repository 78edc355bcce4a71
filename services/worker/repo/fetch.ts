// Fetches a repository from an address: the newest commit of one branch, bare, into a folder of its own that goes away in any case. No
// file of it is ever checked out, so no filter, link, submodule or attribute of it has a say.
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CortexError, invalid } from '#core/errors.ts';
import type { Log } from '#core/log.ts';
import { branchProblem, parseRepoAddress, type RepoAddress, type RepoScheme } from '#core/protocol/repo-address.ts';
import { unwrap } from '#core/result.ts';
import { makeFolder } from '../temporary.ts';
import { fetchError } from './fetch-errors.ts';
import { checkAddress, type FetchRules, resolveHost } from './fetch-rules.ts';
import { GitError, type GitOptions, startGit } from './git-run.ts';
import { isInside, openRoot } from './root.ts';

/** What the worker's configuration allows. Plain data. */
export interface FetchSettings {
  readonly schemes: readonly RepoScheme[];
  readonly privateHosts: readonly string[];
  /** PEM; in place of the certificates that the system trusts. */
  readonly caFile: string | undefined;
  readonly sshKey: string | undefined;
  readonly sshKnownHosts: string | undefined;
  readonly maxMs: number;
  /** On disk. */
  readonly maxBytes: number;
}

export interface FetchRequest {
  readonly repo_url: string;
  readonly branch: string;
}

export interface FetchOptions {
  readonly settings: FetchSettings;
  /** For `file`. */
  readonly roots: readonly string[];
  /** The policy's hosts; empty: any. */
  readonly allowedHosts: readonly string[];
  /** The policy's folders that may be written to; empty: any. */
  readonly writable: readonly string[];
  readonly signal: AbortSignal;
  readonly log: Log;
}

export interface Fetched {
  /** Canonical, for people. */
  readonly url: string;
  /** For further calls of git on it. */
  readonly git: GitOptions;
}

/** Of memory for one git process. A pack of a few megabytes may ask for any. */
const memoryBytes = 2 * 2 ** 30;
/** How often the disk is looked at, ms. */
const watchMs = 100;

/**
 * Fetches, and calls `use` while the repository is there. Throws CortexError that names `repo_url` or `branch`, and what `use` and the
 * signal say.
 */
export async function withRepository<T>(
  request: FetchRequest,
  options: FetchOptions,
  use: (fetched: Fetched) => Promise<T>,
): Promise<T> {
  const { settings, signal, log } = options;
  const address = unwrap(parseRepoAddress(request.repo_url));
  const problem = branchProblem(request.branch);
  if (problem !== undefined) throw invalid('branch', problem);
  const rules: FetchRules = { ...settings, allowedHosts: options.allowedHosts };
  checkAddress(address, rules);
  const url = address.scheme === 'file' ? fileUrl(address, options.roots) : address.url;
  if (options.writable.length > 0 && !options.writable.some((folder) => isInside(tmpdir(), folder))) {
    const field = 'constraints.sandbox.fs_read_write';
    throw new CortexError('failed_precondition', `${field}: a fetch needs ${tmpdir()}, which is not in there`, {
      field,
    });
  }

  const late = new CortexError(
    'deadline_exceeded',
    `repo_url: could not be fetched and read within ${settings.maxMs / 1000} s`,
    {
      field: 'repo_url',
    },
  );
  const time = new AbortController();
  const timer = setTimeout(() => time.abort(late), settings.maxMs);
  const within = AbortSignal.any([signal, time.signal]);
  const folder = makeFolder('repo', settings.maxMs);
  try {
    const home = join(folder, 'home');
    mkdirSync(home);
    const base = {
      home,
      cwd: folder,
      fileBytes: settings.maxBytes,
      memoryBytes,
      orphanSeconds: settings.maxMs / 1000 + 30,
    };
    const addresses = address.scheme === 'file' ? [] : await resolveHost(address, rules, within);
    await clone(
      { url, address, addresses, branch: request.branch, folder, settings, log },
      { ...base, signal: within },
    );
    return await use({ url: address.url, git: { ...base, cwd: join(folder, 'repository'), signal: within } });
  } finally {
    clearTimeout(timer);
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

interface Clone {
  readonly url: string;
  readonly address: RepoAddress;
  readonly addresses: readonly string[];
  readonly branch: string;
  readonly folder: string;
  readonly settings: FetchSettings;
  readonly log: Log;
}

async function clone(
  { url, address, addresses, branch, folder, settings, log }: Clone,
  git: GitOptions,
): Promise<void> {
  const shallow = ['--bare', '--depth=1', '--single-branch', '--no-tags', '--no-hardlinks', '--template=', '--quiet'];
  const args = ['clone', ...shallow, ...(branch === '' ? [] : [`--branch=${branch}`]), '--', url, 'repository'];
  const { maxBytes } = settings;
  const tooLarge = new CortexError('out_of_range', `repo_url: the repository has more than ${maxBytes} bytes`, {
    field: 'repo_url',
  });
  const run = startGit(args, {
    ...git,
    settings: address.scheme === 'https' ? httpsSettings(address, addresses, settings) : [],
    env: {
      GIT_ALLOW_PROTOCOL: address.scheme,
      ...(address.scheme === 'ssh' ? sshEnvironment(address, addresses, settings) : {}),
    },
  });
  run.stdout.resume();
  run.stdin.end();
  const watch = setInterval(() => {
    if (bytesBelow(folder) > maxBytes) run.kill(tooLarge);
  }, watchMs);
  try {
    await run.ended;
    if (bytesBelow(folder) > maxBytes) throw tooLarge;
  } catch (error) {
    // What git and the server say is for whoever runs the worker; whoever asked hears what it means.
    if (error instanceof GitError) log.info('git could not fetch a repository', { url: address.url, git: error.said });
    throw fetchError(error, { branch, tooLarge });
  } finally {
    clearInterval(watch);
  }
}

/** Connects where the name was seen to lead, follows nothing, believes no proxy. */
export function httpsSettings(
  { host, port }: RepoAddress,
  addresses: readonly string[],
  { caFile }: Pick<FetchSettings, 'caFile'>,
): readonly string[] {
  const pinned = addresses.map((address) => (address.includes(':') ? `[${address}]` : address)).join(',');
  return [
    // For an address in the URL there is nothing to look up.
    ...(host.startsWith('[') || addresses[0] === host ? [] : [`http.curloptResolve=${host}:${port}:${pinned}`]),
    ...[
      'http.followRedirects=false',
      'http.proxy=',
      'http.sslVerify=true',
      'http.cookieFile=',
      'http.saveCookies=false',
    ],
    ...['http.lowSpeedLimit=1000', 'http.lowSpeedTime=30'],
    ...(caFile === undefined ? [] : [`http.sslCAInfo=${caFile}`]),
  ];
}

/** ssh without anybody's settings: one key, known hosts alone, the address that was seen. */
export function sshEnvironment(
  { host, port }: RepoAddress,
  addresses: readonly string[],
  { sshKey = '/dev/null', sshKnownHosts = '/dev/null' }: Pick<FetchSettings, 'sshKey' | 'sshKnownHosts'>,
): Readonly<Record<string, string>> {
  const alias = port === 22 ? host : `[${host.replace(/^\[|\]$/g, '')}]:${port}`;
  const options = [
    ...['BatchMode=yes', 'StrictHostKeyChecking=yes', 'GlobalKnownHostsFile=/dev/null', 'IdentitiesOnly=yes'],
    ...['ForwardAgent=no', 'ControlMaster=no', 'ControlPath=none', 'ProxyCommand=none', 'PermitLocalCommand=no'],
    ...[`UserKnownHostsFile=${sshKnownHosts}`, `IdentityFile=${sshKey}`, 'ConnectTimeout=20'],
    ...[`HostName=${addresses[0] ?? ''}`, `HostKeyAlias=${alias}`],
  ];
  const words = ['ssh', '-F', '/dev/null', ...options.flatMap((option) => ['-o', option])];
  const quoted = words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`);
  return { GIT_SSH_COMMAND: quoted.join(' '), GIT_SSH_VARIANT: 'ssh' };
}

/** By its real path, below a folder that local paths may name too. */
function fileUrl({ path }: RepoAddress, roots: readonly string[]): string {
  return pathToFileURL(unwrap(openRoot(path, roots, 'repo_url')).root).href;
}

function bytesBelow(folder: string): number {
  let bytes = 0;
  try {
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) bytes += statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0;
    }
  } catch (error) {
    // git took a folder away in the meantime; there is a next look.
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
  return bytes;
}
