// Constraints bind the worker: what it cannot keep to, it refuses by name.
import { create, type MessageInitShape, toJsonString } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { PolicyConstraintsSchema } from '#proto/cortex/agent/v1/safety_pb.ts';
import { demands, limitsUnder, parseConstraints, refusal, runtimeUnder } from '../../../services/worker/constraints.ts';
import { type ConstraintName, constraintNames } from '../../../services/worker/define.ts';

type Init = MessageInitShape<typeof PolicyConstraintsSchema>;
const make = (init: Init) => create(PolicyConstraintsSchema, init);

const each: Readonly<Record<ConstraintName, Init>> = {
  'sandbox.isolated': { sandbox: { isolated: true } },
  'sandbox.network_allowlist': { sandbox: { networkAllowlist: ['a'] } },
  'sandbox.fs_read_only': { sandbox: { fsReadOnly: ['/'] } },
  'sandbox.fs_read_write': { sandbox: { fsReadWrite: ['/tmp'] } },
  'toolchain.allowed_tools': { toolchain: { allowedTools: ['git'] } },
  'toolchain.allowed_commands': { toolchain: { allowedCommands: ['ls'] } },
  'diff.max_files': { diff: { maxFiles: 1 } },
  'diff.max_lines': { diff: { maxLines: 1 } },
  'diff.deny_path_globs': { diff: { denyPathGlobs: ['**'] } },
  redaction_level: { redactionLevel: 'strict' },
};

describe('reading', () => {
  test('no text means none', () => {
    expect(parseConstraints('')).toEqual({ ok: true, value: undefined });
  });

  test('survives the way through JSON', () => {
    const all = make({ diff: { maxFiles: 1 }, budgets: { maxRuntimeMs: 5n, maxArtifactBytes: 2n ** 40n } });
    expect(parseConstraints(toJsonString(PolicyConstraintsSchema, all))).toEqual({ ok: true, value: all });
  });

  test.each(['{', '[]', '{"budgets":{"maxRuntimeMs":"soon"}}', '{"somethingNewer":{"strict":true}}'])(
    '%s cannot be kept to',
    (text) => {
      const read = parseConstraints(text);
      expect(read.ok ? undefined : read.error).toMatchObject({ code: 'failed_precondition', field: 'constraints' });
    },
  );
});

describe('refusing', () => {
  test.each(constraintNames.map((name) => [name] as const))('%s is refused unless honoured', (name) => {
    const constraints = make(each[name]);
    expect(demands(constraints)).toEqual([name]);
    expect(refusal(constraints, new Set([name]))).toBeUndefined();
    const others = new Set(constraintNames.filter((n) => n !== name));
    expect(refusal(constraints, others)).toMatchObject({
      code: 'failed_precondition',
      message: `constraints.${name}: this worker cannot keep to it`,
    });
  });

  test('what asks for nothing is not refused', () => {
    expect(refusal(undefined, new Set())).toBeUndefined();
    const empty = make({ sandbox: {}, toolchain: {}, diff: {}, budgets: { maxRuntimeMs: 1n, maxRetries: 3 } });
    expect(refusal(empty, new Set())).toBeUndefined();
  });
});

describe('budgets', () => {
  const own = { resultBytes: 100, artifactBytes: 1000 };
  test.each([
    [0n, own],
    [-1n, own],
    [50n, { resultBytes: 50, artifactBytes: 50 }],
    [500n, { resultBytes: 100, artifactBytes: 500 }],
    [5000n, own],
  ])('max_artifact_bytes %d bounds results and artifacts', (maxArtifactBytes, limits) => {
    expect(limitsUnder(make({ budgets: { maxArtifactBytes } }), own)).toEqual(limits);
  });

  test.each([
    [0n, 70],
    [50n, 50],
    [500n, 70],
  ])('max_runtime_ms %d shortens the time', (maxRuntimeMs, ms) => {
    expect(runtimeUnder(make({ budgets: { maxRuntimeMs } }), 70)).toBe(ms);
  });

  test('none bind nothing', () => {
    expect([limitsUnder(undefined, own), runtimeUnder(undefined, 70)]).toEqual([own, 70]);
  });
});
