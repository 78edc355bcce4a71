// The gate's step for every verdict.
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { parseLane } from '#core/jobs/lane.ts';
import type { Verdict } from '#core/policy/checker.ts';
import { type GateJob, holdJob, planGate } from '#core/scheduling/plan.ts';
import { parseTimeouts } from '#core/scheduling/timeouts.ts';
import { JobRequestSchema } from '#proto/cortex/agent/v1/job_pb.ts';
import { PolicyConstraintsSchema } from '#proto/cortex/agent/v1/safety_pb.ts';

const pools = {
  topics: new Map([['job.a', 'p']]),
  silentCapacity: new Map<string, number>(),
  busTenants: new Set<string>(),
};
const timeouts = (() => {
  const parsed = parseTimeouts({ topics: { 'job.a': { timeout_seconds: 60, max_retries: 3 } } });
  if (!parsed.ok) throw new Error(parsed.error.join());
  return parsed.value;
})();
const job = (request: MessageInitShape<typeof JobRequestSchema> = {}): GateJob => ({
  ...{ id: 'j1', tenant: 't', digest: 'd', bytes: 10 },
  request: create(JobRequestSchema, { jobId: 'j1', topic: 'job.a', ...request }),
});
const verdict = (more: Partial<Verdict> = {}): Verdict => ({
  ...{ decision: 'ALLOW', reason: '', rule: 'r', policy: { sequence: 7, hash: 'h' }, constraints: undefined },
  redactedContextPtr: '',
  ...more,
});
const plan = (more?: Partial<Verdict>, request?: MessageInitShape<typeof JobRequestSchema>) =>
  planGate(job(request), verdict(more), pools, timeouts);
const constrained = (init: MessageInitShape<typeof PolicyConstraintsSchema>): Partial<Verdict> => ({
  decision: 'ALLOW_WITH_CONSTRAINTS',
  constraints: create(PolicyConstraintsSchema, init),
});

test('an allowed job is scheduled in its pool, within the limits of its topic', () => {
  expect(plan()).toEqual({
    ...{ id: 'j1', tenant: 't', digest: 'd', to: 'SCHEDULED', decision: 'ALLOW', reason: '', rule: 'r' },
    ...{ policy: { sequence: 7, hash: 'h' }, constraints: '', pool: 'p', lane: 'job.a', timeoutMs: 60_000 },
    ...{ maxRetries: 3, holdMs: 0, errorCode: '', errorMessage: '' },
  });
});

test.each<readonly [string, Partial<Verdict>, object]>([
  ['DENY', { decision: 'DENY', reason: 'no' }, { to: 'DENIED', errorCode: 'permission_denied', errorMessage: 'no' }],
  ['DENY without a reason', { decision: 'DENY' }, { to: 'DENIED', errorMessage: 'denied by policy' }],
  ['REQUIRE_HUMAN', { decision: 'REQUIRE_HUMAN', reason: 'ask' }, { to: 'PENDING', reason: 'ask', holdMs: 5_000 }],
  ['REQUIRE_HUMAN without a reason', { decision: 'REQUIRE_HUMAN' }, { to: 'PENDING', reason: /person/ }],
  ['THROTTLE', { decision: 'THROTTLE', reason: 'slow' }, { to: 'PENDING', reason: 'slow', holdMs: 5_000 }],
  ['THROTTLE without a reason', { decision: 'THROTTLE' }, { to: 'PENDING', reason: /slows/ }],
])('%s', (_name, more, expected) => {
  const gate = plan(more);
  for (const [key, value] of Object.entries(expected)) {
    const seen = gate[key as keyof typeof gate];
    if (value instanceof RegExp) expect(seen).toMatch(value);
    else expect(seen).toEqual(value);
  }
  expect(gate).toMatchObject({ decision: more.decision, rule: 'r', policy: { sequence: 7, hash: 'h' }, pool: '' });
});

test('a topic without a pool fails, and names the field', () => {
  expect(plan({}, { topic: 'job.x' })).toMatchObject({
    ...{ to: 'FAILED', errorCode: 'no_pool', errorMessage: "topic: no pool does 'job.x'" },
  });
});

test('a denied job without a pool is denied', () => {
  expect(plan({ decision: 'DENY', reason: 'no' }, { topic: 'job.x' }).to).toBe('DENIED');
});

describe('the lane', () => {
  test('holds what the worker must be', () => {
    const { lane } = plan({}, { labels: { os: 'linux', preferred_pool: 'x' }, meta: { requires: ['b', 'a', 'a'] } });
    expect(parseLane(lane)).toEqual({ topic: 'job.a', requires: ['a', 'b'], labels: { os: 'linux' }, direct: false });
  });

  test.each<readonly [string, Partial<Verdict>]>([
    ['constraints', constrained({ redactionLevel: 'high' })],
    ['constraints that say nothing', constrained({})],
    ['a redacted payload', { redactedContextPtr: 'redis://ctx:j1' }],
  ])('is for workers of ours alone with %s', (_name, more) => {
    expect(parseLane(plan(more).lane).direct).toBe(true);
  });
});

test.each(['redis://ctx:other', 'redis://ctx:j10', 'redis://res:j1', `redis://ctx:j1:${'x'.repeat(300)}`, 'nonsense'])(
  'a redacted payload at %s is waited for, not ignored',
  (redactedContextPtr) => {
    expect(plan({ redactedContextPtr })).toMatchObject({
      to: 'PENDING',
      holdMs: 5_000,
      reason: expect.stringContaining('another payload'),
    });
  },
);

test.each(['ctx:j1:redacted', 'ctx:j1-redacted', 'ctx/j1-redacted'])(
  'a redacted payload at %s of the job is run in place of its own, by workers of ours alone',
  (key) => {
    const gate = plan({ redactedContextPtr: `redis://${key}` });
    expect(gate).toMatchObject({ to: 'SCHEDULED', redactedKey: key.replace('/', ':'), holdMs: 5_000 });
    expect(parseLane(gate.lane).direct).toBe(true);
  },
);

test("a payload that was redacted in place is the job's own", () => {
  expect(plan({ redactedContextPtr: 'redis://ctx:j1' })).not.toHaveProperty('redactedKey');
});

describe('constraints', () => {
  test('go along as JSON', () => {
    const { constraints } = plan(constrained({ budgets: { maxRuntimeMs: 5n }, toolchain: { allowedTools: ['git'] } }));
    expect(JSON.parse(constraints)).toEqual({ budgets: { maxRuntimeMs: '5' }, toolchain: { allowedTools: ['git'] } });
  });

  test.each([
    ['shorten the run', { maxRuntimeMs: 5_000n }, { timeoutMs: 5_000, maxRetries: 3 }],
    ['never lengthen it', { maxRuntimeMs: 500_000n }, { timeoutMs: 60_000, maxRetries: 3 }],
    ['take retries away', { maxRetries: 1 }, { timeoutMs: 60_000, maxRetries: 1 }],
    ['never add any', { maxRetries: 9 }, { timeoutMs: 60_000, maxRetries: 3 }],
    ['say nothing with 0', { maxRuntimeMs: 0n, maxRetries: 0 }, { timeoutMs: 60_000, maxRetries: 3 }],
    ['say nothing with less', { maxRuntimeMs: -1n, maxRetries: -1 }, { timeoutMs: 60_000, maxRetries: 3 }],
  ])('%s', (_name, budgets, expected) => {
    expect(plan(constrained({ budgets }))).toMatchObject(expected);
  });
});

test('nobody could judge: it waits, without a decision and without a policy', () => {
  expect(holdJob(job(), 'why', 1_000)).toMatchObject({
    ...{ to: 'PENDING', decision: '', reason: 'why', rule: '', policy: undefined, holdMs: 1_000 },
  });
});
