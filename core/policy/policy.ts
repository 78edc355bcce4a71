// What a safety policy says, read from the object that its YAML holds. Reading is strict: a rule with a slip in its name would
// forbid nothing, silently, so an unknown field refuses the whole file. How a job is judged is evaluate.ts.
import { repoHostProblem } from '#core/protocol/repo-hosts.ts';
import { err, ok, type Result } from '#core/result.ts';
import { type Pattern, parsePattern } from './pattern.ts';

export interface TenantPolicy {
  /** Empty: every topic that nothing denies. */
  readonly allowTopics: readonly Pattern[];
  readonly denyTopics: readonly Pattern[];
  /** Hosts from which a repository may be fetched, in the words of repo-hosts.ts; empty: any. Whoever fetches one is bound to them. */
  readonly allowedRepoHosts: readonly string[];
  /** Undefined: no limit. Not looked at when a job is judged: see `unenforced`. */
  readonly maxConcurrentJobs: number | undefined;
}

export interface Policy {
  /** The name of the tenant that a system uses where none is given. A blank tenant is denied all the same. */
  readonly defaultTenant: string | undefined;
  readonly tenants: ReadonlyMap<string, TenantPolicy>;
}

/** What a tenant without an entry gets when there is no `tenants.default` either. */
export const emptyTenantPolicy: TenantPolicy = {
  allowTopics: [],
  denyTopics: [],
  allowedRepoHosts: [],
  maxConcurrentJobs: undefined,
};

/**
 * Reads a policy. The problems are all there are, one line each, each beginning with its field: `tenants.acme.deny_topics[0]:
 * has a [ without a ]`. `tenants` must be there: of a file cut short by a failed write nothing else might tell.
 */
export function parsePolicyDocument(value: unknown): Result<Policy, readonly string[]> {
  const problems: string[] = [];
  const root = fields(value, '', ['default_tenant', 'tenants'], problems);
  if (root === undefined) return err(problems);

  const defaultTenant = root.get('default_tenant');
  if (defaultTenant !== undefined && !isText(defaultTenant)) problems.push('default_tenant: is not a text');

  const tenants = new Map<string, TenantPolicy>();
  const listed = root.get('tenants');
  if (listed === undefined) problems.push('tenants: is missing');
  else {
    for (const [name, entry] of fields(listed, 'tenants', undefined, problems) ?? []) {
      // A tenant without a value, as in `acme:`, is written by people who mean "no rules of its own".
      tenants.set(name, entry === null ? emptyTenantPolicy : parseTenant(entry, `tenants.${name}`, problems));
    }
  }
  if (problems.length > 0) return err(problems);
  return ok({ defaultTenant: isText(defaultTenant) ? defaultTenant : undefined, tenants });
}

function parseTenant(value: unknown, path: string, problems: string[]): TenantPolicy {
  const known = ['allow_topics', 'deny_topics', 'allowed_repo_hosts', 'max_concurrent_jobs'];
  const entry = fields(value, path, known, problems);
  if (entry === undefined) return emptyTenantPolicy;
  const patterns = (field: string): Pattern[] =>
    texts(entry.get(field), `${path}.${field}`, problems).flatMap(([text, where]) => {
      const pattern = parsePattern(text);
      if (pattern.ok) return [pattern.value];
      problems.push(`${where}: ${pattern.error}`);
      return [];
    });
  const hosts = texts(entry.get('allowed_repo_hosts'), `${path}.allowed_repo_hosts`, problems);
  for (const [host, where] of hosts) {
    const problem = repoHostProblem(host);
    if (problem !== undefined) problems.push(`${where}: ${problem}`);
  }
  const limit = entry.get('max_concurrent_jobs') ?? undefined;
  if (limit !== undefined && !isCount(limit))
    problems.push(`${path}.max_concurrent_jobs: is not a whole number from 0`);
  return {
    allowTopics: patterns('allow_topics'),
    denyTopics: patterns('deny_topics'),
    allowedRepoHosts: hosts.map(([host]) => host),
    maxConcurrentJobs: isCount(limit) ? limit : undefined,
  };
}

/** The fields of a mapping; undefined, and a problem, when it is none or, with `known`, when it has others. */
function fields(
  value: unknown,
  path: string,
  known: readonly string[] | undefined,
  problems: string[],
): ReadonlyMap<string, unknown> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    problems.push(path === '' ? 'the policy is empty or no mapping' : `${path}: is no mapping`);
    return undefined;
  }
  const entries = Object.entries(value);
  for (const [name] of entries) {
    if (known !== undefined && !known.includes(name)) {
      problems.push(`${path === '' ? '' : `${path}.`}${name}: is not a known field (${known.join(', ')})`);
    }
  }
  return new Map(entries);
}

/** A list of texts with the field of each; a missing or empty value is an empty list. */
function texts(value: unknown, path: string, problems: string[]): [string, string][] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) {
    problems.push(`${path}: is not a list`);
    return [];
  }
  return value.flatMap((item: unknown, i): [string, string][] => {
    const where = `${path}[${i}]`;
    if (isText(item)) return [[item, where]];
    problems.push(`${where}: is not a text`);
    return [];
  });
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.trim() !== '';
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/**
 * The fields that a policy sets and that judging a job does not look at: whoever loads the policy says so, once, for a limit
 * that nobody keeps is worse than none. A number of concurrent jobs belongs to the claim, where jobs are counted, and as a
 * constraint it would bind one worker's one run instead.
 */
export function unenforced(policy: Policy): readonly string[] {
  const found: string[] = [];
  for (const [name, { maxConcurrentJobs }] of policy.tenants) {
    if (maxConcurrentJobs !== undefined) found.push(`tenants.${name}.max_concurrent_jobs`);
  }
  return found;
}
