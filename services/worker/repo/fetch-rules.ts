// Whether a repository may be fetched from an address: scheme, the policy's hosts, and where the host's name leads. The addresses that were
// looked at are the ones that git connects to; a name that leads elsewhere a moment later leads nowhere.
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { CortexError } from '#core/errors.ts';
import type { RepoAddress, RepoScheme } from '#core/protocol/repo-address.ts';
import { matchesRepoHost } from '#core/protocol/repo-hosts.ts';

export interface FetchRules {
  /** By the worker's configuration. */
  readonly schemes: readonly RepoScheme[];
  /** Hosts that may have an address of this machine or a private network. */
  readonly privateHosts: readonly string[];
  /** The policy's hosts; empty: any. */
  readonly allowedHosts: readonly string[];
}

/** Throws CortexError `permission_denied` that names `repo_url`. Nothing is looked up. */
export function checkAddress({ scheme, host, port }: RepoAddress, rules: FetchRules): void {
  const { schemes, allowedHosts } = rules;
  if (!schemes.includes(scheme)) {
    const known = schemes.length === 0 ? 'nothing' : schemes.join(', ');
    throw refused(`this worker does not fetch by ${scheme}; REPO_URL_SCHEMES allows ${known}`);
  }
  if (scheme === 'file' || allowedHosts.length === 0 || matchesRepoHost(allowedHosts, { host, port })) return;
  throw refused(`${host} is none of the hosts that the policy allows (allowed_repo_hosts)`);
}

/** Azure answers its machines there, beside the link-local address that others use. */
const metadata = ['168.63.129.16'];

/** Whether an address is one that anybody on the internet may reach. */
export function isPublicAddress(address: string): boolean {
  if (isIP(address) === 0 || metadata.includes(address)) return false;
  const parsed = ipaddr.parse(address);
  if (parsed.range() !== 'unicast') return false;
  // What is not set aside for something else is not given to anybody either, but for 2000::/3.
  return parsed.kind() === 'ipv4' || parsed.match(ipaddr.parse('2000::'), 3);
}

/**
 * The addresses of the host, all of them fit to be connected to. Throws CortexError that names `repo_url`: `permission_denied` when one is
 * not, `not_found` for a name that nobody has, `unavailable`; and what the signal says.
 */
export async function resolveHost(
  { host, port }: RepoAddress,
  { privateHosts }: FetchRules,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const literal = host.replace(/^\[|\]$/g, '');
  const addresses = isIP(literal) === 0 ? await lookUp(host, signal) : [literal];
  if (!matchesRepoHost(privateHosts, { host, port }) && !addresses.every(isPublicAddress)) {
    throw refused(`${host} leads to an address that is not public; REPO_PRIVATE_HOSTS names hosts that may`);
  }
  return addresses;
}

async function lookUp(host: string, signal: AbortSignal): Promise<readonly string[]> {
  try {
    const found = await untilAborted(lookup(host, { all: true, order: 'verbatim' }), signal);
    if (found.length > 0) return found.map(({ address }) => address);
  } catch (error) {
    signal.throwIfAborted();
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EAI_AGAIN') {
      const problem = `repo_url: the name ${host} cannot be looked up now`;
      throw new CortexError('unavailable', problem, { field: 'repo_url', cause: error });
    }
    if (code !== 'ENOTFOUND' && code !== 'ENODATA') throw error;
  }
  throw new CortexError('not_found', `repo_url: there is no host ${host}`, { field: 'repo_url' });
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort);
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

function refused(problem: string): CortexError {
  return new CortexError('permission_denied', `repo_url: ${problem}`, { field: 'repo_url' });
}
