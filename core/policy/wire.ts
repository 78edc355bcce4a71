// Between our words and CAP's messages, for both ends of the safety RPC. It judges nothing: what a foreign kernel says that we
// do not understand becomes a wait with a reason, neither allow nor deny.
import { create } from '@bufbuild/protobuf';
import { formatPolicy, parsePolicy, type PolicyVersion } from '#core/jobs/job.ts';
import { digestOf } from '#core/jobs/submission.ts';
import type { JobPriority } from '#proto/cortex/agent/v1/job_pb.ts';
import {
  DecisionType,
  type PolicyCheckRequest,
  PolicyCheckRequestSchema,
  type PolicyCheckResponse,
  PolicyCheckResponseSchema,
} from '#proto/cortex/agent/v1/safety_pb.ts';
import type { CheckInput, Decision, Verdict } from './checker.ts';
import type { Judgement, Question } from './evaluate.ts';

/** What a kernel is asked about a job. */
export function checkRequest(input: CheckInput): PolicyCheckRequest {
  const { budget, meta } = input.request;
  return create(PolicyCheckRequestSchema, {
    jobId: input.jobId,
    topic: input.topic,
    tenant: input.tenant,
    principalId: input.principal,
    priority: input.priority as JobPriority,
    labels: { ...input.labels },
    memoryId: input.memoryId,
    ...(budget === undefined ? {} : { budget }),
    ...(meta === undefined ? {} : { meta }),
  });
}

/** What the rules look at. */
export function questionOf(request: PolicyCheckRequest): Question {
  // Beyond 2^53 a number loses digits and stays as far in the future.
  return { tenant: request.tenant, topic: request.topic, deadlineMs: Number(request.budget?.deadlineMs ?? 0n) };
}

/** A judgement as a kernel of ours answers it. */
export function checkResponse(judgement: Judgement, version: PolicyVersion): PolicyCheckResponse {
  const { hosts } = judgement;
  const allow = hosts === undefined ? DecisionType.ALLOW : DecisionType.ALLOW_WITH_CONSTRAINTS;
  return create(PolicyCheckResponseSchema, {
    decision: judgement.decision === 'ALLOW' ? allow : DecisionType.DENY,
    ...(hosts === undefined ? {} : { constraints: { sandbox: { networkAllowlist: [...hosts] } } }),
    reason: judgement.reason,
    ruleId: judgement.rule,
    policySnapshot: formatPolicy(version),
  });
}

/** A kernel's answer as a verdict. `batch` is the version of the whole batch, for an answer that names none. */
export function verdictOf(response: PolicyCheckResponse, batch: PolicyVersion | undefined): Verdict {
  const { policySnapshot } = response;
  const [decision, reason] = decisionOf(response);
  return {
    decision,
    reason,
    rule: response.ruleId,
    policy: policySnapshot === '' && batch !== undefined ? batch : versionOf(policySnapshot),
    constraints: response.constraints,
    redactedContextPtr: response.redactedContextPtr,
  };
}

/**
 * The version in a policy_snapshot. Snapshots of foreign kernels have no order: they count as sequence 0, told apart by their
 * digest, so that a change of such a policy holds for jobs judged after it and sends none back.
 */
export function versionOf(snapshot: string): PolicyVersion {
  return parsePolicy(snapshot) ?? { sequence: 0, hash: snapshot === '' ? 'unversioned' : digestOf(snapshot) };
}

function decisionOf({ decision, reason, approvalRequired }: PolicyCheckResponse): [Decision, string] {
  switch (decision) {
    case DecisionType.ALLOW:
    case DecisionType.ALLOW_WITH_CONSTRAINTS:
      if (approvalRequired) return ['REQUIRE_HUMAN', reason];
      return [decision === DecisionType.ALLOW ? 'ALLOW' : 'ALLOW_WITH_CONSTRAINTS', reason];
    case DecisionType.DENY:
      return ['DENY', reason];
    case DecisionType.REQUIRE_HUMAN:
      return ['REQUIRE_HUMAN', reason];
    case DecisionType.THROTTLE:
      return ['THROTTLE', reason];
    case DecisionType.UNSPECIFIED:
    default:
      return ['THROTTLE', `the safety kernel gave no decision that is known here (${decision})`];
  }
}
