// The safety kernel's two methods, under the three names that CAP gave the service in its history. One batch is judged under one
// policy; without a usable policy nothing is judged and the call fails with failed_precondition.
import { create } from '@bufbuild/protobuf';
import type { Routes } from '#core/http/connect.ts';
import { invalid } from '#core/errors.ts';
import { formatPolicy } from '#core/jobs/job.ts';
import type { Metrics } from '#core/metrics/metrics.ts';
import { evaluate } from '#core/policy/evaluate.ts';
import type { PolicySource } from '#core/policy/source.ts';
import { checkResponse, questionOf } from '#core/policy/wire.ts';
import { unwrap } from '#core/result.ts';
import type { Clock } from '#core/system.ts';
import { SafetyKernel as CordumKernel } from '#proto/cordum/agent/v1/safety_pb.ts';
import { SafetyKernel as CoretexKernel } from '#proto/coretex/agent/v1/safety_pb.ts';
import {
  type PolicyCheckRequest,
  type PolicyCheckResponse,
  PolicyCheckManyResponseSchema,
  SafetyKernel,
} from '#proto/cortex/agent/v1/safety_pb.ts';

export interface KernelDeps {
  readonly source: PolicySource;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

/** Checks in one call at most. Our own callers send 256. */
export const maxChecks = 1_024;

/** The routes for every server mount. */
export function kernelRoutes({ source, metrics, clock }: KernelDeps): Routes {
  const judge = async (requests: readonly PolicyCheckRequest[]): Promise<[PolicyCheckResponse[], string]> => {
    const began = clock.monotonic();
    const { policy, version } = unwrap(await source.current());
    const now = clock.now();
    const responses = requests.map((request) => {
      const judgement = evaluate(policy, questionOf(request), now);
      metrics.count('cortex_safety_checks_total', { decision: judgement.decision });
      return checkResponse(judgement, version);
    });
    // Callers ask three times a second with nothing, to hear which policy is in force.
    if (requests.length > 0) metrics.observe('cortex_safety_check_seconds', {}, (clock.monotonic() - began) / 1_000);
    return [responses, formatPolicy(version)];
  };
  const check = async (request: PolicyCheckRequest): Promise<PolicyCheckResponse> => {
    const [[response]] = await judge([request]);
    return response as PolicyCheckResponse;
  };
  return (router) =>
    router
      .service(SafetyKernel, {
        check,
        async checkMany({ checks }) {
          if (checks.length > maxChecks)
            throw invalid('checks', `are ${checks.length}, at most ${maxChecks} are taken`);
          const [results, policySnapshot] = await judge(checks);
          return create(PolicyCheckManyResponseSchema, { results, policySnapshot });
        },
      })
      .service(CoretexKernel, { check })
      .service(CordumKernel, { check });
}
