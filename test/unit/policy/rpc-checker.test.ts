// What goes over the wire: batches, all that a kernel may look at, and kernels that are not ours.
import { create } from '@bufbuild/protobuf';
import { Code, ConnectError, type ServiceImpl } from '@connectrpc/connect';
import { Hono } from 'hono';
import { expect, test } from 'vitest';
import { mountConnect } from '#core/http/connect.ts';
import { digestOf } from '#core/jobs/submission.ts';
import { createRpcChecker, type RpcCheckerOptions } from '#core/policy/rpc-checker.ts';
import { JobPriority, JobRequestSchema } from '#proto/cortex/agent/v1/job_pb.ts';
import { DecisionType, type PolicyCheckRequest, SafetyKernel } from '#proto/cortex/agent/v1/safety_pb.ts';
import { checkInput, failure } from '../../contract/checker.ts';

type Kernel = Partial<ServiceImpl<typeof SafetyKernel>>;

/** A checker in front of a kernel that is written in the test, without a socket between them. */
function checkerFor(kernel: Kernel, options: Partial<RpcCheckerOptions> = {}) {
  const app = new Hono();
  mountConnect(app, (router) => router.service(SafetyKernel, kernel));
  let now = 0;
  const checker = createRpcChecker({
    baseUrl: 'http://kernel.test',
    fetch: (input, init) => app.fetch(new Request(input, init)),
    clock: { monotonic: () => now },
    ...options,
  });
  return { check: checker.check, pass: (ms: number) => void (now += ms) };
}

const allowAll: Kernel = {
  checkMany: ({ checks }) => ({ results: checks.map(() => ({ decision: 1 })), policySnapshot: '5:abc' }),
};

test('a kernel sees all of the stored request that rules may look at', async () => {
  const seen: PolicyCheckRequest[] = [];
  const { check } = checkerFor({
    checkMany({ checks }) {
      seen.push(...checks);
      return { results: [{ decision: DecisionType.ALLOW, ruleId: 'r1' }], policySnapshot: '7:abc' };
    },
  });
  const request = create(JobRequestSchema, {
    jobId: 'job-1',
    topic: 'job.other',
    tenantId: 'not-the-tenant',
    budget: { maxTotalTokens: 10n, deadlineMs: 5_000n },
    meta: { capability: 'write', riskTags: ['prod'], requires: ['git'], labels: { team: 'a' } },
  });
  const input = checkInput({
    tenant: 'acme',
    principal: 'ann',
    priority: JobPriority.CRITICAL,
    memoryId: 'mem',
    labels: { zone: 'eu' },
    request,
  });
  const { policy, verdicts } = await check([input]);
  expect(policy).toEqual({ sequence: 7, hash: 'abc' });
  expect(verdicts[0]).toMatchObject({ decision: 'ALLOW', rule: 'r1', policy: { sequence: 7, hash: 'abc' } });
  expect(seen[0]).toMatchObject({
    jobId: 'job-1',
    topic: 'job.x',
    tenant: 'acme',
    principalId: 'ann',
    priority: JobPriority.CRITICAL,
    memoryId: 'mem',
    labels: { zone: 'eu' },
    budget: { maxTotalTokens: 10n, deadlineMs: 5_000n },
    meta: { capability: 'write', riskTags: ['prod'], requires: ['git'], labels: { team: 'a' } },
  });
});

test('what is asked in one turn goes in one call, at most 256 jobs each', async () => {
  const sizes: number[] = [];
  const { check } = checkerFor({
    checkMany({ checks }) {
      sizes.push(checks.length);
      return { results: checks.map(() => ({ decision: 1 })), policySnapshot: '5:abc' };
    },
  });
  await Promise.all([check([checkInput(), checkInput()]), check([checkInput()]), check([checkInput()])]);
  expect(sizes).toEqual([4]);
  sizes.length = 0;
  await check(Array.from({ length: 600 }, () => checkInput()));
  expect(sizes).toEqual([256, 256, 88]);
});

test('large requests are spread over calls', async () => {
  const sizes: number[] = [];
  const { check } = checkerFor({
    checkMany({ checks }) {
      sizes.push(checks.length);
      return {
        results: checks.map(({ labels }) => ({ decision: 1, reason: labels['n'] ?? '' })),
        policySnapshot: '5:a',
      };
    },
  });
  const large = (n: number, bytes: number) =>
    checkInput({
      labels: { n: String(n) },
      request: create(JobRequestSchema, { meta: { labels: { text: 'x'.repeat(bytes) } } }),
      bytes,
    });
  const inputs = [
    large(0, 900_000),
    large(1, 900_000),
    large(2, 900_000),
    large(3, 10),
    large(4, 3_000_000),
    large(5, 9),
  ];
  const { verdicts } = await check(inputs);
  expect(verdicts.map((v) => v.reason)).toEqual(['0', '1', '2', '3', '4', '5']);
  expect(sizes.toSorted((a, b) => a - b)).toEqual([1, 1, 2, 2]);
});

test('every decision of a foreign kernel is passed on; one that nobody knows is a wait, as is an allow to be approved', async () => {
  const { check } = checkerFor({
    checkMany: () => ({
      policySnapshot: 'release-7',
      results: [
        { decision: DecisionType.REQUIRE_HUMAN, reason: 'ask ann', approvalRef: 'a1' },
        { decision: DecisionType.THROTTLE, reason: 'too many' },
        {
          decision: DecisionType.ALLOW_WITH_CONSTRAINTS,
          constraints: { budgets: { maxRuntimeMs: 5n } },
          redactedContextPtr: 'redis://ctx:r',
        },
        { decision: DecisionType.UNSPECIFIED },
        { decision: 99 as DecisionType },
        { decision: DecisionType.ALLOW, approvalRequired: true, reason: 'not yet' },
      ],
    }),
  });
  const { policy, verdicts } = await check(Array.from({ length: 6 }, () => checkInput()));
  expect(verdicts.map((v) => [v.decision, v.reason])).toEqual([
    ['REQUIRE_HUMAN', 'ask ann'],
    ['THROTTLE', 'too many'],
    ['ALLOW_WITH_CONSTRAINTS', ''],
    ['THROTTLE', 'the safety kernel gave no decision that is known here (0)'],
    ['THROTTLE', 'the safety kernel gave no decision that is known here (99)'],
    ['REQUIRE_HUMAN', 'not yet'],
  ]);
  expect(verdicts[2]?.constraints?.budgets?.maxRuntimeMs).toBe(5n);
  expect(verdicts[2]?.redactedContextPtr).toBe('redis://ctx:r');
  expect(policy).toEqual({ sequence: 0, hash: digestOf('release-7') });
});

test('a kernel that knows Check alone is asked job by job, 16 at once, and CheckMany again later', async () => {
  let many = 0;
  let at = 0;
  let most = 0;
  const { check, pass } = checkerFor({
    checkMany() {
      many++;
      throw new ConnectError('no such method', Code.Unimplemented);
    },
    async check({ topic }) {
      most = Math.max(most, ++at);
      await new Promise((resolve) => setImmediate(resolve));
      at--;
      return { decision: topic === 'job.no' ? 2 : 1, reason: topic, policySnapshot: topic === '' ? '' : '9:xyz' };
    },
  });
  const inputs = Array.from({ length: 40 }, (_, i) => checkInput({ topic: i === 7 ? 'job.no' : `job.${i}` }));
  const { policy, verdicts } = await check(inputs);
  expect(verdicts.map((v) => v.reason)).toEqual(inputs.map((i) => i.topic));
  expect(verdicts.map((v) => v.decision).filter((d) => d === 'DENY')).toHaveLength(1);
  expect(policy).toEqual({ sequence: 9, hash: 'xyz' });
  expect(most).toBe(16);
  expect((await check([])).policy).toEqual({ sequence: 0, hash: 'unversioned' });
  expect(many).toBe(1);
  pass(30_001);
  await check([checkInput()]);
  expect(many).toBe(2);
});

test('one failed call of a kernel that knows Check alone decides nothing and starts no more', async () => {
  let asked = 0;
  const { check } = checkerFor({
    checkMany() {
      throw new ConnectError('no such method', Code.Unimplemented);
    },
    check() {
      asked++;
      throw new ConnectError('busy', Code.ResourceExhausted);
    },
  });
  expect(await failure(check(Array.from({ length: 100 }, () => checkInput())))).toBe(
    'unavailable: the safety kernel does not answer: busy',
  );
  expect(asked).toBeLessThanOrEqual(16);
});

test.each([
  [Code.FailedPrecondition, 'failed_precondition: told'],
  [Code.Unauthenticated, 'failed_precondition: the safety kernel refuses our SAFETY_KERNEL_TOKEN'],
  [Code.PermissionDenied, 'failed_precondition: the safety kernel refuses our SAFETY_KERNEL_TOKEN'],
  [Code.Internal, 'unavailable: the safety kernel does not answer: told'],
  [Code.InvalidArgument, 'unavailable: the safety kernel does not answer: told'],
  [Code.Unavailable, 'unavailable: the safety kernel does not answer: told'],
])('an answer with Connect code %s decides nothing', async (code, expected) => {
  const { check } = checkerFor({
    checkMany() {
      throw new ConnectError('told', code);
    },
  });
  expect(await failure(check([checkInput()]))).toBe(expected);
  expect(await failure(check([]))).toBe(expected);
});

test('a server that is no kernel, and one that answers for fewer jobs, decide nothing', async () => {
  const web = new Hono();
  const { check } = checkerFor({}, { fetch: (input, init) => web.fetch(new Request(input, init)) });
  expect(await failure(check([checkInput()]))).toBe(
    'failed_precondition: there is no safety kernel at http://kernel.test',
  );
  const short = checkerFor({ checkMany: () => ({ results: [{ decision: 1 }], policySnapshot: '5:abc' }) });
  expect(await failure(short.check([checkInput(), checkInput()]))).toBe(
    'unavailable: the safety kernel does not answer: 1 answers for 2 jobs',
  );
});

test('a kernel that says nothing is given up at the deadline', async () => {
  const { check } = checkerFor(
    { checkMany: (_, { signal }) => new Promise((_resolve, reject) => signal.addEventListener('abort', reject)) },
    { timeoutMs: 50 },
  );
  expect(await failure(check([checkInput()]))).toMatch(/^unavailable: the safety kernel does not answer: /);
});

test('a failed batch leaves the next one untouched', async () => {
  let broken = true;
  const { check } = checkerFor({
    checkMany(request, context) {
      if (broken) throw new ConnectError('no', Code.Unavailable);
      return allowAll.checkMany?.(request, context) ?? {};
    },
  });
  await failure(check([checkInput()]));
  broken = false;
  expect((await check([checkInput()])).verdicts[0]?.decision).toBe('ALLOW');
});
