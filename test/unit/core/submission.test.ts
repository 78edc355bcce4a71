// How long a request may live, in the same reading as the policy's.
import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { defaultDeadlineMs, lifetimeOf } from '#core/jobs/submission.ts';
import { evaluate } from '#core/policy/evaluate.ts';
import { parsePolicyDocument } from '#core/policy/policy.ts';
import { JobRequestSchema } from '#proto/cortex/agent/v1/job_pb.ts';

const now = Date.UTC(2026, 0, 2);
const parsed = parsePolicyDocument({ tenants: {} });
if (!parsed.ok) throw new Error(parsed.error.join());
const policy = parsed.value;

test.each([
  ['nothing', 0, defaultDeadlineMs, 'ALLOW'],
  ['a duration', 90_000, 90_000, 'ALLOW'],
  ['a duration of more than a day', 2 * defaultDeadlineMs, defaultDeadlineMs, 'ALLOW'],
  ['the longest duration', 10 ** 12 - 1, defaultDeadlineMs, 'ALLOW'],
  ['a time in half a minute', now + 30_000, 30_000, 'ALLOW'],
  ['a time in two days', now + 2 * defaultDeadlineMs, defaultDeadlineMs, 'ALLOW'],
  ['now', now, defaultDeadlineMs, 'DENY'],
  ['a time that is over', now - 1, defaultDeadlineMs, 'DENY'],
  ['a negative duration', -1, defaultDeadlineMs, 'DENY'],
])('a deadline of %s', (_what, deadlineMs, lifetime, decision) => {
  const request = create(JobRequestSchema, { budget: { deadlineMs: BigInt(deadlineMs) } });
  expect(lifetimeOf(request, now)).toBe(lifetime);
  expect(evaluate(policy, { tenant: 'default', topic: 'job.a', deadlineMs }, now).decision).toBe(decision);
});
