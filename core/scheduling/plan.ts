// What becomes of a job at the gate: the kernel's verdict and the configuration in, one step for the store out.
import { toJson } from '@bufbuild/protobuf';
import { formatLane } from '#core/jobs/lane.ts';
import { parsePointer } from '#core/protocol/pointer.ts';
import type { Verdict } from '#core/policy/checker.ts';
import type { Gate } from '#core/jobs/store.ts';
import type { Pools } from '#core/routing/pools.ts';
import type { JobRequest } from '#proto/cortex/agent/v1/job_pb.ts';
import { PolicyConstraintsSchema } from '#proto/cortex/agent/v1/safety_pb.ts';
import { limitsOf, type Timeouts } from './timeouts.ts';

/** A job as it is judged: what the record holds, decoded once. */
export interface GateJob {
  readonly id: string;
  readonly tenant: string;
  readonly digest: string;
  readonly request: JobRequest;
  /** Of the packet. */
  readonly bytes: number;
}

/** How long a job waits before the kernel is asked again, ms. */
export const holdMs = { human: 5_000, throttle: 5_000 } as const;

const nothing = {
  decision: '',
  reason: '',
  rule: '',
  policy: undefined,
  constraints: '',
  pool: '',
  lane: '',
  timeoutMs: 0,
  maxRetries: 0,
  holdMs: 0,
  errorCode: '',
  errorMessage: '',
} as const;

/** Nobody could judge: the job waits, and says so. */
export function holdJob(job: GateJob, reason: string, ms: number): Gate {
  return { ...nothing, id: job.id, tenant: job.tenant, digest: job.digest, to: 'PENDING', reason, holdMs: ms };
}

/** The step that a verdict leads to. */
export function planGate(job: GateJob, verdict: Verdict, pools: Pools, timeouts: Timeouts): Gate {
  const { decision, reason, rule, policy } = verdict;
  const base = { ...nothing, id: job.id, tenant: job.tenant, digest: job.digest, decision, reason, rule, policy };
  switch (decision) {
    case 'DENY':
      return { ...base, to: 'DENIED', errorCode: 'permission_denied', errorMessage: reason };
    case 'REQUIRE_HUMAN':
      return { ...base, to: 'PENDING', holdMs: holdMs.human };
    case 'THROTTLE':
      return { ...base, to: 'PENDING', holdMs: holdMs.throttle };
    case 'ALLOW':
    case 'ALLOW_WITH_CONSTRAINTS':
      break;
  }
  const { request } = job;
  if (verdict.redactedContextPtr !== '' && !ownPointer(verdict.redactedContextPtr, job.id)) {
    return {
      ...base,
      to: 'PENDING',
      reason: 'the kernel names a redacted payload of another job',
      holdMs: holdMs.human,
    };
  }
  const pool = pools.topics.get(request.topic);
  if (pool === undefined) {
    const errorMessage = `topic: no pool does '${request.topic}'`;
    return { ...base, to: 'FAILED', errorCode: 'no_pool', errorMessage };
  }
  const constraints =
    verdict.constraints === undefined ? '' : JSON.stringify(toJson(PolicyConstraintsSchema, verdict.constraints));
  const limits = limitsOf(timeouts, request.topic);
  const budgets = verdict.constraints?.budgets;
  const longest = Number(budgets?.maxRuntimeMs ?? 0n);
  const lane = formatLane({
    topic: request.topic,
    requires: request.meta?.requires ?? [],
    labels: request.labels,
    direct: constraints !== '' || verdict.redactedContextPtr !== '',
  });
  return {
    ...base,
    to: 'SCHEDULED',
    constraints,
    pool,
    lane,
    timeoutMs: longest > 0 ? Math.min(longest, limits.timeoutMs) : limits.timeoutMs,
    // A constraint can only take away.
    maxRetries:
      budgets !== undefined && budgets.maxRetries > 0
        ? Math.min(budgets.maxRetries, limits.maxRetries)
        : limits.maxRetries,
  };
}

function ownPointer(pointer: string, id: string): boolean {
  const key = parsePointer(pointer);
  return key.ok && key.value === `ctx:${id}`;
}
