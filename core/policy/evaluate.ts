// How a job is judged: the rules of the original in the order of the original, and the first that says something decides.
// Whether there is a policy at all is settled before: without one nothing is judged, and the jobs wait.
import { timeLeft } from '#core/protocol/budget.ts';
import { matches, type Pattern } from './pattern.ts';
import { emptyTenantPolicy, type Policy } from './policy.ts';

export interface Question {
  readonly tenant: string;
  readonly topic: string;
  /** `budget.deadline_ms` of the request; 0 for none. */
  readonly deadlineMs: number;
}

export interface Judgement {
  readonly decision: 'ALLOW' | 'DENY';
  /** In the words of the original; empty for ALLOW. */
  readonly reason: string;
  /** Where in the policy it is written: `tenants.default.deny_topics[0]`; `baseline.*` holds whatever the policy says. */
  readonly rule: string;
  /** With ALLOW: the only hosts that the worker may reach; absent when the policy names none. */
  readonly hosts?: readonly string[];
}

/** The one step that fetches a repository: a policy's hosts bind it, and no other job has a use for them. */
const fetches = 'job.repo.scan';

/** Judges one job at the time `now`, ms since the epoch. */
export function evaluate(policy: Policy, question: Question, now: number): Judgement {
  const tenant = question.tenant.trim();
  const topic = question.topic.trim();
  if (tenant === '') return deny('missing tenant', 'baseline.tenant');

  const own = policy.tenants.has(tenant);
  const section = `tenants.${own ? tenant : 'default'}`;
  const rules = policy.tenants.get(own ? tenant : 'default') ?? emptyTenantPolicy;

  const denied = find(rules.denyTopics, topic);
  if (denied !== undefined) return deny('topic denied by policy', `${section}.deny_topics[${denied}]`);

  const allowed = find(rules.allowTopics, topic);
  if (allowed === undefined && rules.allowTopics.length > 0) {
    return deny('topic not allowed for tenant', `${section}.allow_topics`);
  }
  if (!topic.startsWith('job.')) return deny('unsupported topic', 'baseline.topic_prefix');
  // The time itself is enforced by the store; here it can only be seen to be over already.
  if ((timeLeft(question.deadlineMs, now) ?? 1) <= 0) return deny('deadline exceeded', 'baseline.deadline');
  return {
    decision: 'ALLOW',
    reason: '',
    rule: allowed === undefined ? section : `${section}.allow_topics[${allowed}]`,
    ...(topic === fetches && rules.allowedRepoHosts.length > 0 ? { hosts: rules.allowedRepoHosts } : {}),
  };
}

function find(patterns: readonly Pattern[], topic: string): number | undefined {
  const index = patterns.findIndex((pattern) => matches(pattern, topic));
  return index === -1 ? undefined : index;
}

function deny(reason: string, rule: string): Judgement {
  return { decision: 'DENY', reason, rule };
}
