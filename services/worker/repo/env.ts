// What the repository workers read from the environment.
import { delimiter, isAbsolute } from 'node:path';
import type { EnvValues, EnvVar } from '#core/process/env.ts';
import { int, list, path, seconds } from '#core/process/variables.ts';
import { type RepoScheme, repoSchemes } from '#core/protocol/repo-address.ts';
import { repoHostProblem } from '#core/protocol/repo-hosts.ts';
import { err, ok } from '#core/result.ts';
import type { FetchSettings } from './fetch.ts';

const localRoots: EnvVar<readonly string[] | undefined> = {
  name: 'REPO_LOCAL_ROOTS',
  default: undefined,
  what: 'the only folders that repository jobs may read; unset: none. `npm start` names the checkout',
  type: `absolute paths separated by "${delimiter}"`,
  required: false,
  secret: false,
  parse(text) {
    const paths = text.split(delimiter).filter((one) => one !== '');
    const wrong = paths.find((one) => !isAbsolute(one) || one.includes('\0'));
    return wrong === undefined
      ? ok(Object.freeze(paths))
      : err(`holds ${JSON.stringify(wrong)}, which is no absolute path`);
  },
};

const schemes: EnvVar<readonly RepoScheme[]> = {
  ...list(
    'REPO_URL_SCHEMES',
    'https',
    'how repositories may be fetched: https, ssh (with a key and known hosts), file (below `REPO_LOCAL_ROOTS`)',
  ),
  type: `list of ${repoSchemes.join(', ')}`,
  parse(text) {
    const asked = text.split(',').map((one) => one.trim());
    const wrong = asked.find((one) => !repoSchemes.some((scheme) => scheme === one));
    if (wrong !== undefined) return err(`names ${JSON.stringify(wrong)}; there are ${repoSchemes.join(', ')}`);
    return ok(Object.freeze(repoSchemes.filter((scheme) => asked.includes(scheme))));
  },
};

const privateHosts: EnvVar<readonly string[] | undefined> = {
  ...list(
    'REPO_PRIVATE_HOSTS',
    undefined,
    'hosts whose address may be private or of this machine: `git.corp`, `git.corp:8443`, `*.corp`',
  ),
  type: 'list of hosts',
  parse(text) {
    const hosts = text.split(',').map((one) => one.trim());
    const wrong = hosts.find((host) => repoHostProblem(host) !== undefined);
    return wrong === undefined ? ok(Object.freeze(hosts)) : err(`holds ${JSON.stringify(wrong)}, which is no host`);
  },
};

export const repoEnv = {
  localRoots,
  minScanFiles: int('MIN_SCAN_FILES', '1', 'a scan that finds fewer files is a failure', { min: 0, max: 1_000_000 }),
  repoSchemes: schemes,
  repoPrivateHosts: privateHosts,
  repoCaFile: path(
    'REPO_CA_FILE',
    undefined,
    "certificates (PEM) that a host's own must lead to, in place of the system's",
  ),
  repoSshKey: path('REPO_SSH_KEY', undefined, 'private key for ssh'),
  repoSshKnownHosts: path('REPO_SSH_KNOWN_HOSTS', undefined, 'known_hosts for ssh; no other host is believed'),
  repoFetchMs: seconds('REPO_FETCH_SECONDS', '120', 'how long fetching and reading a repository may take', {
    min: 1,
    max: 3_600,
  }),
  repoFetchMb: int('REPO_FETCH_MB', '512', 'MiB on disk that a fetched repository may take', { min: 1, max: 65_536 }),
};

type RepoValues = EnvValues<typeof repoEnv>;

/** What is wrong with values that can be read each by itself. */
export function repoProblems(values: Pick<RepoValues, 'repoSchemes' | 'repoSshKey' | 'repoSshKnownHosts'>): string[] {
  const { repoSchemes: named, repoSshKey, repoSshKnownHosts } = values;
  if (!named.includes('ssh') || (repoSshKey !== undefined && repoSshKnownHosts !== undefined)) return [];
  return ['REPO_URL_SCHEMES: ssh needs REPO_SSH_KEY and REPO_SSH_KNOWN_HOSTS'];
}

export function fetchSettings(values: RepoValues): FetchSettings {
  return {
    schemes: values.repoSchemes,
    privateHosts: values.repoPrivateHosts ?? [],
    caFile: values.repoCaFile,
    sshKey: values.repoSshKey,
    sshKnownHosts: values.repoSshKnownHosts,
    maxMs: values.repoFetchMs,
    maxBytes: values.repoFetchMb * 2 ** 20,
  };
}
