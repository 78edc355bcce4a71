// Why a fetch failed, in our words: git's own are for its user, and part of them is the server's.
import { CortexError, type ErrorCode } from '#core/errors.ts';
import { GitError } from './git-run.ts';

type Cause = readonly [pattern: RegExp, code: ErrorCode, problem: string];

/** The first that fits counts. Only what another attempt may mend has a code that allows one. */
const causes: readonly Cause[] = [
  [
    /cannot run ssh|ssh: not found|ssh: command not found/,
    'failed_precondition',
    'the worker has no ssh to fetch it with',
  ],
  [
    /out of memory|Cannot allocate memory|mmap failed/i,
    'out_of_range',
    'the repository takes more memory than git is given here',
  ],
  [
    /returned error: 30\d|unable to update url base from redirection/,
    'failed_precondition',
    'the server sends elsewhere, and that is not followed; give the address it leads to',
  ],
  [
    /could not read (Username|Password)|returned error: 40[13]|Authentication failed|Permission denied \(/,
    'permission_denied',
    'the server wants credentials, or does not let these in',
  ],
  [
    /Host key verification failed|No \S+ host key is known/,
    'permission_denied',
    'the server is none of REPO_SSH_KNOWN_HOSTS',
  ],
  [
    /returned error: 404|repository '.*' not found|does not appear to be a git repository|not a git repository/,
    'not_found',
    'there is no repository at this address',
  ],
  [
    /certificate|SSL|TLS|gnutls_handshake|CAfile/i,
    'failed_precondition',
    'the certificate or TLS of the server cannot be trusted',
  ],
  [/transport '.*' not allowed/, 'permission_denied', 'the server asks for a transport that is not allowed'],
  [
    /Couldn't connect|Connection refused|Connection timed out|Operation timed out|timed out|Connection reset|Could not resolve host|Operation too slow|early EOF|unexpected disconnect|Empty reply|returned error: (429|5\d\d)|hung up|Connection closed|kex_exchange/i,
    'unavailable',
    'the server does not answer, or broke off',
  ],
];

/** What is to be thrown for it. */
export function fetchError(error: unknown, { branch, tooLarge }: { branch: string; tooLarge: CortexError }): unknown {
  if (!(error instanceof GitError)) return error;
  const { said } = error;
  if (/Remote branch .* not found/.test(said)) {
    const problem =
      branch === '' ? 'repo_url: has no branch to begin with' : 'branch: the repository has no such branch or tag';
    const field = branch === '' ? 'repo_url' : 'branch';
    return new CortexError('not_found', problem, { field, cause: error });
  }
  if (/died of signal 25|File too large|signal SIGXFSZ/.test(`${said}${error.message}`)) return tooLarge;
  for (const [pattern, code, problem] of causes) {
    if (pattern.test(said)) return new CortexError(code, `repo_url: ${problem}`, { field: 'repo_url', cause: error });
  }
  const problem = 'repo_url: git cannot fetch it; the log of the worker has what it says';
  return new CortexError('failed_precondition', problem, { field: 'repo_url', cause: error });
}
