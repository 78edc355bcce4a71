// The constraints that come with an allow and bind the worker: read strictly, because one that cannot be read cannot be kept to.
// Which ones a worker can keep to is its own word (`honours`); the budgets every host keeps to by itself.
import { fromJsonString } from '@bufbuild/protobuf';
import { CortexError } from '#core/errors.ts';
import type { Result } from '#core/result.ts';
import { err, ok } from '#core/result.ts';
import { type PolicyConstraints, PolicyConstraintsSchema } from '#proto/cortex/agent/v1/safety_pb.ts';
import type { ConstraintName } from './define.ts';

/** Reads proto3 JSON; empty text means none. A field that is not known here is an error: it might be the one that matters. */
export function parseConstraints(json: string): Result<PolicyConstraints | undefined> {
  if (json === '') return ok(undefined);
  try {
    return ok(fromJsonString(PolicyConstraintsSchema, json));
  } catch (error) {
    return err(
      new CortexError('failed_precondition', 'constraints: cannot be read here', {
        cause: error,
        field: 'constraints',
      }),
    );
  }
}

/** What the constraints ask of a worker beyond budgets. */
export function demands(constraints: PolicyConstraints): readonly ConstraintName[] {
  const { sandbox, toolchain, diff } = constraints;
  const asked: readonly (readonly [ConstraintName, boolean | number | undefined])[] = [
    ['sandbox.isolated', sandbox?.isolated],
    ['sandbox.network_allowlist', sandbox?.networkAllowlist.length],
    ['sandbox.fs_read_only', sandbox?.fsReadOnly.length],
    ['sandbox.fs_read_write', sandbox?.fsReadWrite.length],
    ['toolchain.allowed_tools', toolchain?.allowedTools.length],
    ['toolchain.allowed_commands', toolchain?.allowedCommands.length],
    ['diff.max_files', diff?.maxFiles],
    ['diff.max_lines', diff?.maxLines],
    ['diff.deny_path_globs', diff?.denyPathGlobs.length],
    ['redaction_level', constraints.redactionLevel.length],
  ];
  return asked.filter(([, value]) => value !== undefined && value !== false && value !== 0).map(([name]) => name);
}

/** The refusal of a worker that cannot keep to one of them: `failed_precondition`, naming it. Undefined when it can. */
export function refusal(
  constraints: PolicyConstraints | undefined,
  honours: ReadonlySet<ConstraintName>,
): CortexError | undefined {
  if (constraints === undefined) return undefined;
  const missing = demands(constraints).find((name) => !honours.has(name));
  if (missing === undefined) return undefined;
  return new CortexError('failed_precondition', `constraints.${missing}: this worker cannot keep to it`, {
    field: `constraints.${missing}`,
  });
}

export interface Limits {
  /** Bytes of the result's JSON text. */
  readonly resultBytes: number;
  /** Bytes of all artifacts of an attempt together. */
  readonly artifactBytes: number;
}

/** The host's own limits, or what the policy allows if that is less. */
export function limitsUnder(constraints: PolicyConstraints | undefined, own: Limits): Limits {
  const allowed = Number(constraints?.budgets?.maxArtifactBytes ?? 0n);
  if (allowed <= 0) return own;
  return { resultBytes: Math.min(allowed, own.resultBytes), artifactBytes: Math.min(allowed, own.artifactBytes) };
}

/** Milliseconds that the attempt may run: what is left, or what the policy allows if that is less. */
export function runtimeUnder(constraints: PolicyConstraints | undefined, remainingMs: number): number {
  const allowed = Number(constraints?.budgets?.maxRuntimeMs ?? 0n);
  return allowed > 0 ? Math.min(allowed, remainingMs) : remainingMs;
}
