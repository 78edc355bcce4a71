// Addresses of repositories and names of branches as they come from outside: what git would read as something else is refused here, for
// the gateway and for the worker alike. Whether an address may be fetched from is the worker's question (its configuration, the policy).
import { invalid, type CortexError } from '#core/errors.ts';
import { err, ok, type Result } from '#core/result.ts';

export const repoSchemes = ['https', 'ssh', 'file'] as const;
export type RepoScheme = (typeof repoSchemes)[number];

export interface RepoAddress {
  readonly scheme: RepoScheme;
  /** As git gets it: the canonical form of a URL, or what git calls scp-like. */
  readonly url: string;
  /** Lower case, ASCII, IPv6 in brackets; empty for `file`. */
  readonly host: string;
  readonly port: number;
  /** Of `file` and ssh: decoded. */
  readonly path: string;
}

/** What git calls scp-like: ssh to `user@host:path`. */
const scpLike = /^(\w[\w.-]*)@(\w[\w.-]*):(?![:-])(\S+)$/;
const defaultPorts = { https: 443, ssh: 22, file: 0 } as const;

/** Reads an address. The error names `repo_url` and never repeats what may be a password. */
export function parseRepoAddress(text: string): Result<RepoAddress, CortexError> {
  const bad = (problem: string): Result<RepoAddress, CortexError> => err(invalid('repo_url', problem));
  if (text.startsWith('-')) return bad('must not begin with "-": git would read an option');
  const scp = scpLike.exec(text);
  if (scp !== null && !/\p{Cc}/u.test(text)) {
    const [, , host = '', path = ''] = scp;
    return ok({ scheme: 'ssh', url: text, host: host.toLowerCase(), port: 22, path });
  }
  // git takes more, and some of it runs programs (`ext::sh -c ...`).
  const shape = 'must be an address that begins with https://, ssh:// or file://, or user@host:path';
  if (!URL.canParse(text) || /[\s\p{Cc}\\]/u.test(text)) return bad(shape);
  const url = new URL(text);
  const scheme = repoSchemes.find((one) => `${one}:` === url.protocol);
  if (scheme === undefined || !text.toLowerCase().startsWith(`${scheme}://`)) return bad(shape);
  if (url.password !== '' || (url.username !== '' && scheme !== 'ssh')) {
    return bad('must not hold a name or password: an address is kept and shown');
  }
  if (url.search !== '' || url.hash !== '') return bad('must end with the path: no "?" and no "#"');
  // A host or a user that begins with "-" would be an option of ssh.
  if (url.hostname.startsWith('-') || url.username.startsWith('-')) return bad(shape);
  if (scheme === 'file' ? url.hostname !== '' : url.hostname === '') return bad(shape);
  const path = decoded(url.pathname);
  if (path === undefined || /\p{Cc}/u.test(path)) return bad('holds an escape that is no text');
  const port = url.port === '' ? defaultPorts[scheme] : Number(url.port);
  return ok({ scheme, url: url.href, host: url.hostname.toLowerCase(), port, path });
}

/** What is wrong with the name of a branch or tag, by git's own rules (git check-ref-format); undefined for none. Empty is for the default one. */
export function branchProblem(branch: string): string | undefined {
  if (branch === '') return undefined;
  if (branch.startsWith('-')) return 'must not begin with "-": git would read an option';
  const parts = branch.split('/');
  const wrong =
    branch.length > 255 ||
    // oxlint-disable-next-line no-control-regex -- they are what is looked for
    /[\u0000-\u0020\u007f~^:?*[\\]|\.\.|@\{/.test(branch) ||
    /\p{Cc}|\p{Cs}/u.test(branch) ||
    branch === '@' ||
    branch.endsWith('.') ||
    parts.some((part) => part === '' || part.startsWith('.') || part.endsWith('.lock'));
  return wrong ? 'is not a name that a branch can have' : undefined;
}

function decoded(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}
