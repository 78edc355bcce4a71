// Which hosts a repository may come from: the names in a policy's `allowed_repo_hosts` and in the worker's REPO_PRIVATE_HOSTS.
//
//   git.example.org        that host, on any port
//   git.example.org:8443   that host on that port alone
//   *.example.org          every host below, not example.org itself
//   [2001:db8::1], 10.1.2.3   an address, as URLs write it

export interface RepoHost {
  /** As a URL has it: lower case, in ASCII, IPv6 in brackets. */
  readonly host: string;
  readonly port: number;
}

const name = /^(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.?$/;
const address = /^\[[0-9a-f:.]+\]$/;

/** What is wrong with a pattern; undefined when it can be matched. */
export function repoHostProblem(pattern: string): string | undefined {
  const { host, port } = split(pattern.toLowerCase());
  if (port !== undefined && (port < 1 || port > 65_535)) return 'has a port that is none';
  if (name.test(host) || address.test(host)) return undefined;
  return 'is not a host such as git.example.org, git.example.org:8443 or *.example.org';
}

/** Whether one of the patterns is for that host. */
export function matchesRepoHost(patterns: readonly string[], { host, port }: RepoHost): boolean {
  const asked = bare(host.toLowerCase());
  return patterns.some((pattern) => {
    const wanted = split(pattern.toLowerCase());
    if (wanted.port !== undefined && wanted.port !== port) return false;
    const known = bare(wanted.host);
    return known.startsWith('*.') ? asked.endsWith(known.slice(1)) && asked.length >= known.length : asked === known;
  });
}

function split(pattern: string): { host: string; port: number | undefined } {
  const found = /^(.*[^:]):(\d{1,5})$/.exec(pattern);
  if (found === null) return { host: pattern, port: undefined };
  return { host: found[1] ?? '', port: Number(found[2]) };
}

/** The dot that makes a name absolute says nothing here. */
function bare(host: string): string {
  return host.endsWith('.') ? host.slice(0, -1) : host;
}
