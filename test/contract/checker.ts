// What every checker must do, whoever judges behind it.
import { create } from '@bufbuild/protobuf';
import { afterEach, describe, expect, test } from 'vitest';
import type { CortexError } from '#core/errors.ts';
import type { Checker, CheckInput } from '#core/policy/checker.ts';
import { JobRequestSchema } from '#proto/cortex/agent/v1/job_pb.ts';

export interface CheckerHarness {
  readonly checker: Checker;
  /** Another policy, as YAML; undefined takes it away. */
  setPolicy(text: string | undefined): void | Promise<void>;
  /** Nobody answers. */
  down(): Promise<void>;
  up(): Promise<void>;
  close(): Promise<void>;
}

/** A job to be judged: topic `job.x`, tenant `default`. */
export function checkInput(over: Partial<CheckInput> & { readonly deadlineMs?: bigint } = {}): CheckInput {
  const { deadlineMs, ...fields } = over;
  return {
    jobId: 'job-1',
    topic: 'job.x',
    tenant: 'default',
    principal: '',
    priority: 1,
    memoryId: '',
    labels: {},
    request: create(JobRequestSchema, {
      jobId: 'job-1',
      ...(deadlineMs === undefined ? {} : { budget: { deadlineMs } }),
    }),
    bytes: 100,
    ...fields,
  };
}

/** The code and message of a rejection. */
export async function failure(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    const { code, message } = error as CortexError;
    return `${code}: ${message}`;
  }
  throw new Error('it did not fail');
}

export function testChecker(name: string, make: () => Promise<CheckerHarness>): void {
  describe(`checker: ${name}`, () => {
    let open: CheckerHarness | undefined;
    const start = async (): Promise<CheckerHarness> => {
      open = await make();
      await open.setPolicy('tenants: {default: {allow_topics: ["job.*"], deny_topics: ["job.no"]}}');
      return open;
    };
    afterEach(async () => {
      await open?.close();
      open = undefined;
    });

    test('judges a batch in order, under one version', async () => {
      const { checker } = await start();
      const { policy, verdicts } = await checker.check([
        checkInput(),
        checkInput({ topic: 'job.no' }),
        checkInput({ topic: 'sys.job.submit' }),
        checkInput({ tenant: '' }),
        checkInput({ deadlineMs: -1n }),
        checkInput({ deadlineMs: 5_000n, tenant: 'acme' }),
      ]);
      expect(verdicts.map((v) => [v.decision, v.reason, v.rule])).toEqual([
        ['ALLOW', '', 'tenants.default.allow_topics[0]'],
        ['DENY', 'topic denied by policy', 'tenants.default.deny_topics[0]'],
        ['DENY', 'topic not allowed for tenant', 'tenants.default.allow_topics'],
        ['DENY', 'missing tenant', 'baseline.tenant'],
        ['DENY', 'deadline exceeded', 'baseline.deadline'],
        ['ALLOW', '', 'tenants.default.allow_topics[0]'],
      ]);
      for (const verdict of verdicts) {
        expect(verdict.policy).toEqual(policy);
        expect(verdict.constraints).toBeUndefined();
        expect(verdict.redactedContextPtr).toBe('');
      }
    });

    test('an empty batch answers the version in force', async () => {
      const { checker } = await start();
      const { policy, verdicts } = await checker.check([]);
      expect(verdicts).toEqual([]);
      expect(policy.sequence).toBeGreaterThan(0);
      expect(policy.hash).toMatch(/^[A-Za-z0-9_-]{22}$/);
      expect((await checker.check([checkInput()])).policy).toEqual(policy);
    });

    test('a batch larger than one call keeps its order', async () => {
      const { checker } = await start();
      const inputs = Array.from({ length: 700 }, (_, i) => checkInput({ topic: i % 3 === 0 ? 'job.no' : `job.${i}` }));
      const { verdicts } = await checker.check(inputs);
      expect(verdicts.map((v) => v.decision)).toEqual(inputs.map((_, i) => (i % 3 === 0 ? 'DENY' : 'ALLOW')));
    });

    test('a change of policy is a higher version with another hash, the same text is the same version', async () => {
      const harness = await start();
      const before = await harness.checker.check([checkInput()]);
      await harness.setPolicy('tenants: {default: {deny_topics: ["job.x"]}}');
      const after = await harness.checker.check([checkInput()]);
      expect([before, after].map((b) => b.verdicts[0]?.decision)).toEqual(['ALLOW', 'DENY']);
      expect(after.policy.sequence).toBeGreaterThan(before.policy.sequence);
      expect(after.policy.hash).not.toBe(before.policy.hash);
      await harness.setPolicy('tenants: {default: {deny_topics: ["job.x"]}}');
      expect((await harness.checker.check([])).policy).toEqual(after.policy);
    });

    test.each([
      ['missing', undefined, /the safety policy cannot be used: .*there is none/],
      ['broken', 'tenants: {default: {deny: []}}', /tenants\.default\.deny: is not a known field/],
      ['not YAML', 'tenants: [', /the safety policy cannot be used: .*line 1/],
    ])('while the policy is %s nothing is decided; mended, it goes on', async (_, text, problem) => {
      const harness = await start();
      const { policy } = await harness.checker.check([]);
      await harness.setPolicy(text);
      for (const inputs of [[checkInput()], []]) {
        const told = await failure(harness.checker.check(inputs));
        expect(told).toMatch(/^failed_precondition: /);
        expect(told).toMatch(problem);
      }
      await harness.setPolicy('tenants: {default: {allow_topics: ["job.*"], deny_topics: ["job.no"]}}');
      const { verdicts } = await harness.checker.check([checkInput()]);
      expect(verdicts[0]?.decision).toBe('ALLOW');
      expect(verdicts[0]?.policy.hash).toBe(policy.hash);
    });

    test('while nobody answers nothing is decided; then it goes on', async () => {
      const harness = await start();
      await harness.checker.check([checkInput()]);
      await harness.down();
      expect(await failure(harness.checker.check([checkInput()]))).toMatch(/^unavailable: the safety kernel/);
      expect(await failure(harness.checker.check([]))).toMatch(/^unavailable: the safety kernel/);
      await harness.up();
      expect((await harness.checker.check([checkInput()])).verdicts[0]?.decision).toBe('ALLOW');
    });
  });
}
