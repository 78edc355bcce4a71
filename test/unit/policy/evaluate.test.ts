// Every row of the kernel's decision table, the order between them, and what no policy can make of a topic.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { evaluate } from '#core/policy/evaluate.ts';
import { parsePolicyDocument } from '#core/policy/policy.ts';

const now = 1_800_000_000_000;

function policyOf(value: unknown) {
  const parsed = parsePolicyDocument(value);
  if (!parsed.ok) throw new Error(parsed.error.join('\n'));
  return parsed.value;
}

const policy = policyOf({
  default_tenant: 'default',
  tenants: {
    default: { allow_topics: ['job.a.*', 'job.b', 'sys.audit', 'job.x'], deny_topics: ['sys.secret*', 'job.a.no*'] },
    open: {},
    acme: { deny_topics: ['job.*'] },
  },
});

const allow = (rule: string) => ({ decision: 'ALLOW', reason: '', rule });
const deny = (reason: string, rule: string) => ({ decision: 'DENY', reason, rule });

test.each([
  // A blank tenant is denied whatever the policy calls its default.
  [{ tenant: '' }, deny('missing tenant', 'baseline.tenant')],
  [{ tenant: ' \t' }, deny('missing tenant', 'baseline.tenant')],
  // A tenant that is listed has its own rules alone; one that is not has those of `default`.
  [{ tenant: 'default' }, allow('tenants.default.allow_topics[0]')],
  [{ tenant: ' default ' }, allow('tenants.default.allow_topics[0]')],
  [{ tenant: 'nobody' }, allow('tenants.default.allow_topics[0]')],
  [{ tenant: 'constructor' }, allow('tenants.default.allow_topics[0]')],
  [{ tenant: 'open' }, allow('tenants.open')],
  [{ tenant: 'acme' }, deny('topic denied by policy', 'tenants.acme.deny_topics[0]')],
  // Deny before allow.
  [{ topic: 'job.a.no' }, deny('topic denied by policy', 'tenants.default.deny_topics[1]')],
  [{ topic: ' job.a.no ' }, deny('topic denied by policy', 'tenants.default.deny_topics[1]')],
  [{ topic: 'sys.secret.x' }, deny('topic denied by policy', 'tenants.default.deny_topics[0]')],
  // A list of allowed topics that none matches, and no list.
  [{ topic: 'job.b' }, allow('tenants.default.allow_topics[1]')],
  [{ topic: 'job.c' }, deny('topic not allowed for tenant', 'tenants.default.allow_topics')],
  [{ topic: '' }, deny('topic not allowed for tenant', 'tenants.default.allow_topics')],
  [{ tenant: 'open', topic: 'job.c' }, allow('tenants.open')],
  // The prefix holds even for a topic that the policy allows.
  [{ topic: 'sys.audit' }, deny('unsupported topic', 'baseline.topic_prefix')],
  [{ tenant: 'open', topic: 'sys.job.submit' }, deny('unsupported topic', 'baseline.topic_prefix')],
  [{ tenant: 'open', topic: 'jobs.a' }, deny('unsupported topic', 'baseline.topic_prefix')],
  [{ tenant: 'open', topic: '' }, deny('unsupported topic', 'baseline.topic_prefix')],
  // The deadline comes last: what is forbidden is told as forbidden.
  [{ deadlineMs: 1 }, allow('tenants.default.allow_topics[0]')],
  [{ deadlineMs: -1 }, deny('deadline exceeded', 'baseline.deadline')],
  [{ deadlineMs: now }, deny('deadline exceeded', 'baseline.deadline')],
  [{ deadlineMs: now - 1 }, deny('deadline exceeded', 'baseline.deadline')],
  [{ deadlineMs: now + 1 }, allow('tenants.default.allow_topics[0]')],
  [{ deadlineMs: -1, topic: 'sys.audit' }, deny('unsupported topic', 'baseline.topic_prefix')],
])('%j', (question, expected) => {
  expect(evaluate(policy, { tenant: 'default', topic: 'job.a.b', deadlineMs: 0, ...question }, now)).toEqual(expected);
});

test('without an entry for the tenant and without a default nothing but the baseline holds', () => {
  const none = policyOf({ tenants: {} });
  expect(evaluate(none, { tenant: 'a', topic: 'job.x', deadlineMs: 0 }, now)).toEqual(allow('tenants.default'));
  expect(evaluate(none, { tenant: 'a', topic: 'sys.x', deadlineMs: 0 }, now).reason).toBe('unsupported topic');
});

const topic = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.string({ unit: fc.constantFrom('job', 'sys', '.', 'a', '/', ' '), maxLength: 6 }),
);
const patterns = fc.array(fc.constantFrom('*', 'job.*', 'sys.*', '?*', '[a-z]*', 'job.a', '*.a', '[^j]*'), {
  maxLength: 3,
});
const anyPolicy = fc
  .dictionary(fc.constantFrom('default', 'a', 'b'), fc.record({ allow_topics: patterns, deny_topics: patterns }))
  .map((tenants) => policyOf({ tenants }));

test('no policy lets a topic outside job. through, nor any topic without a tenant', () => {
  fc.assert(
    fc.property(anyPolicy, fc.constantFrom('default', 'a', 'b', 'c', '', ' '), topic, (rules, tenant, asked) => {
      const { decision } = evaluate(rules, { tenant, topic: asked, deadlineMs: 0 }, now);
      if (!asked.trim().startsWith('job.') || tenant.trim() === '') expect(decision).toBe('DENY');
    }),
  );
});

test('a deny pattern more never lets more through', () => {
  const list = { allow_topics: patterns, deny_topics: patterns };
  fc.assert(
    fc.property(fc.record(list), fc.constantFrom('*', 'job.*', 'job.a'), topic, (rules, more, asked) => {
      const judge = (deny_topics: string[]) =>
        evaluate(
          policyOf({ tenants: { default: { ...rules, deny_topics } } }),
          { tenant: 'default', topic: asked, deadlineMs: 0 },
          now,
        ).decision;
      if (judge(rules.deny_topics) === 'DENY') expect(judge([...rules.deny_topics, more])).toBe('DENY');
    }),
  );
});
