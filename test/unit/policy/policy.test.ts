// Reading a policy: what it says, and everything that is wrong with one, each problem by its field.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { unenforced } from '#core/policy/policy.ts';
import { createPolicyReader, parsePolicyText } from '#core/policy/source.ts';

function read(text: string) {
  const result = parsePolicyText(text);
  if (!result.ok) throw new Error(result.error.join('\n'));
  return result.value;
}

function problems(text: string): readonly string[] {
  const result = parsePolicyText(text);
  return result.ok ? [] : result.error;
}

test('the shipped policy allows job.* and denies sys.*', () => {
  const policy = read(readFileSync('config/safety.yaml', 'utf8'));
  const found = policy.tenants.get('default');
  expect(policy.defaultTenant).toBe('default');
  expect([...policy.tenants.keys()]).toEqual(['default']);
  expect(found?.allowTopics.map((p) => p.text)).toEqual(['job.*']);
  expect(found?.denyTopics.map((p) => p.text)).toEqual(['sys.*']);
  expect(unenforced(policy)).toEqual([]);
});

test('every field of a tenant is read, and those that nobody enforces are named', () => {
  const policy = read(`
    tenants:
      acme:
        allow_topics: ["job.a", "job.b.*"]
        deny_topics: ["job.b.secret"]
        allowed_repo_hosts: [example.org]
        max_concurrent_jobs: 3
      plain:
      empty: {}
      __proto__:
        deny_topics: ["job.*"]
  `);
  expect(policy.defaultTenant).toBeUndefined();
  expect(policy.tenants.get('acme')).toMatchObject({ allowedRepoHosts: ['example.org'], maxConcurrentJobs: 3 });
  expect(policy.tenants.get('plain')).toEqual(policy.tenants.get('empty'));
  expect(policy.tenants.get('__proto__')?.denyTopics).toHaveLength(1);
  expect(policy.tenants.get('constructor')).toBeUndefined();
  expect(unenforced(policy)).toEqual(['tenants.acme.max_concurrent_jobs']);
});

test.each([
  ['', 'the policy is empty or no mapping'],
  ['# only a comment', 'the policy is empty or no mapping'],
  ['[]', 'the policy is empty or no mapping'],
  ['default_tenant: default', 'tenants: is missing'],
  ['tenants:', 'tenants: is no mapping'],
  ['tenants: [a]', 'tenants: is no mapping'],
  ['{tenants: {}, tenant: {}}', 'tenant: is not a known field (default_tenant, tenants)'],
  ['{tenants: {}, default_tenant: 3}', 'default_tenant: is not a text'],
  ['tenants: {a: 3}', 'tenants.a: is no mapping'],
  [
    'tenants: {a: {deny_topic: []}}',
    'tenants.a.deny_topic: is not a known field (allow_topics, deny_topics, allowed_repo_hosts, max_concurrent_jobs)',
  ],
  ['tenants: {a: {deny_topics: sys.*}}', 'tenants.a.deny_topics: is not a list'],
  ['tenants: {a: {deny_topics: [ok, 3]}}', 'tenants.a.deny_topics[1]: is not a text'],
  ['tenants: {a: {deny_topics: [""]}}', 'tenants.a.deny_topics[0]: is not a text'],
  ['tenants: {a: {allow_topics: ["job.[a"]}}', 'tenants.a.allow_topics[0]: has a [ without a ]'],
  [
    'tenants: {a: {allowed_repo_hosts: ["https://x.org"]}}',
    'tenants.a.allowed_repo_hosts[0]: is not a host such as git.example.org, git.example.org:8443 or *.example.org',
  ],
  ['tenants: {a: {allowed_repo_hosts: ["x.org:0"]}}', 'tenants.a.allowed_repo_hosts[0]: has a port that is none'],
  ['tenants: {a: {max_concurrent_jobs: -1}}', 'tenants.a.max_concurrent_jobs: is not a whole number from 0'],
  ['tenants: {a: {max_concurrent_jobs: many}}', 'tenants.a.max_concurrent_jobs: is not a whole number from 0'],
  ['tenants: {a: {}, a: {}}', 'Map keys must be unique at line 1, column 18'],
  ['tenants: !secret {a: {}}', 'Unresolved tag: !secret at line 1, column 10'],
  ['tenants: *nobody', 'Unresolved alias (the anchor must be set before the alias): nobody'],
  ['tenants: {} \n---\ntenants: {}', expect.stringContaining('multiple documents') as string],
  ['tenants: {? {a: 1} : {}}', expect.stringContaining('keys must be strings') as string],
])('refuses %j: %s', (text, problem) => {
  expect(problems(text)).toEqual([problem]);
});

test('every problem is named at once', () => {
  expect(
    problems('default_tenant: 1\nlimit: 3\ntenants:\n  a: {allow_topics: [1, "["]}\n  b: {deny_topics: {}}\n'),
  ).toEqual([
    'limit: is not a known field (default_tenant, tenants)',
    'default_tenant: is not a text',
    'tenants.a.allow_topics[0]: is not a text',
    'tenants.a.allow_topics[1]: has a [ without a ]',
    'tenants.b.deny_topics: is not a list',
  ]);
});

test('a file with billions of references is a problem, not an end', () => {
  const levels = Array.from({ length: 12 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i}, `.repeat(10)}]`);
  expect(problems(`a0: &a0 [x]\n${levels.join('\n')}\ntenants: {}`)).toEqual([
    'Excessive alias count indicates a resource exhaustion attack',
  ]);
});

test('versions: the same text is the same version, another text is above, whatever the clock says', () => {
  let now = 1_000;
  const next = createPolicyReader('x', () => now);
  const load = (text: string) => {
    const loaded = next(text);
    if (!loaded.ok) throw loaded.error;
    return loaded.value.version;
  };
  const first = load('tenants: {}');
  expect(first.sequence).toBe(1_000);
  expect(first.hash).toMatch(/^[A-Za-z0-9_-]{22}$/);
  now = 2_000;
  expect(load('tenants: {}')).toEqual(first);
  const second = load('tenants: {a: {}}');
  expect(second.sequence).toBe(2_000);
  expect(second.hash).not.toBe(first.hash);
  expect(next('tenants: 3').ok).toBe(false);
  expect(load('tenants: {a: {}}')).toEqual(second);
  now = 500; // the clock was set back
  expect(load('tenants: {b: {}}').sequence).toBe(2_001);
  // Back to the first text: the same policy by its hash, and the newest by its sequence.
  expect(load('tenants: {}')).toEqual({ sequence: 2_002, hash: first.hash });
});

test('the error names the source and every problem, in one line', () => {
  const loaded = createPolicyReader('config/safety.yaml', () => 0)('limit: 3\ntenants: 3');
  expect(loaded.ok ? undefined : [loaded.error.code, loaded.error.message]).toEqual([
    'failed_precondition',
    'the safety policy cannot be used: config/safety.yaml: limit: is not a known field (default_tenant, tenants); ' +
      'tenants: is no mapping',
  ]);
});
