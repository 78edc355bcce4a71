// A policy's hosts for repositories: what they match, that they go along with the allow of the one step that fetches, and how.
import { describe, expect, test } from 'vitest';
import { evaluate } from '#core/policy/evaluate.ts';
import { parsePolicyDocument } from '#core/policy/policy.ts';
import { checkResponse, verdictOf } from '#core/policy/wire.ts';
import { matchesRepoHost, repoHostProblem } from '#core/protocol/repo-hosts.ts';

describe('a pattern', () => {
  test.each([
    ['git.example.org', 'git.example.org', 443, true],
    ['GIT.example.org', 'git.Example.ORG', 8443, true],
    ['git.example.org.', 'git.example.org', 443, true],
    ['git.example.org', 'git.example.org.', 443, true],
    ['git.example.org', 'xgit.example.org', 443, false],
    ['git.example.org', 'git.example.org.evil.net', 443, false],
    ['git.example.org:8443', 'git.example.org', 8443, true],
    ['git.example.org:8443', 'git.example.org', 443, false],
    ['*.example.org', 'git.example.org', 443, true],
    ['*.example.org', 'a.b.example.org', 443, true],
    ['*.example.org', 'example.org', 443, false],
    ['*.example.org', '.example.org', 443, false],
    ['*.example.org', 'evilexample.org', 443, false],
    ['*.example.org:22', 'git.example.org', 22, true],
    ['[2001:db8::1]', '[2001:db8::1]', 443, true],
    ['[2001:db8::1]:8443', '[2001:db8::1]', 443, false],
    ['10.0.0.1', '10.0.0.1', 443, true],
  ])('%s and %s:%i', (pattern, host, port, expected) => {
    expect(repoHostProblem(pattern)).toBeUndefined();
    expect(matchesRepoHost([pattern], { host, port })).toBe(expected);
  });

  test.each([
    '',
    '*',
    '*.',
    'a b',
    'https://x.org',
    'x.org/y',
    'x.org:',
    'x.org:99999',
    'x.org:0',
    '*x.org',
    'a.*.org',
    '-x.org',
    '::1',
  ])('%j is none', (pattern) => {
    expect(repoHostProblem(pattern)).toBeTypeOf('string');
  });
});

describe('a tenant with hosts', () => {
  const parsed = parsePolicyDocument({ tenants: { acme: { allowed_repo_hosts: ['git.example.org'] }, other: {} } });
  if (!parsed.ok) throw new Error(parsed.error.join());
  const version = { sequence: 1, hash: 'h' };
  const verdict = (tenant: string, topic: string) =>
    verdictOf(checkResponse(evaluate(parsed.value, { tenant, topic, deadlineMs: 0 }, 0), version), version);

  test('gets them as a constraint of the step that fetches', () => {
    expect(verdict('acme', 'job.repo.scan')).toMatchObject({
      decision: 'ALLOW_WITH_CONSTRAINTS',
      rule: 'tenants.acme',
      constraints: { sandbox: { networkAllowlist: ['git.example.org'] } },
    });
  });

  test.each([
    ['acme', 'job.repo.report'],
    ['acme', 'job.workflow.repo.code_review'],
    ['other', 'job.repo.scan'],
    ['nobody', 'job.repo.scan'],
  ])('%s and %s go free', (tenant, topic) => {
    expect(verdict(tenant, topic)).toMatchObject({ decision: 'ALLOW', constraints: undefined });
  });
});
