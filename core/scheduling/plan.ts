// What becomes of a job at the gate: the kernel's verdict and the configuration in, one step for the store out.
import { toJson } from '@bufbuild/protobuf';
import { formatLane } from '#core/jobs/lane.ts';
import type { Gate } from '#core/jobs/store.ts';
import type { Verdict } from '#core/policy/checker.ts';
import { parsePointer } from '#core/protocol/pointer.ts';
import type { Pools } from '#core/routing/pools.ts';
import type { JobRequest } from '#proto/cortex/agent/v1/job_pb.ts';
import { type PolicyConstraints, PolicyConstraintsSchema } from '#proto/cortex/agent/v1/safety_pb.ts';
import { limitsOf, type Timeouts, type TopicLimits } from './timeouts.ts';

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

/** A step in which nothing was decided yet. */
function undecided({ id, tenant, digest }: GateJob, reason: string): Gate {
  return {
    id,
    tenant,
    digest,
    to: 'PENDING',
    decision: '',
    reason,
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
  };
}

/** Nobody could judge: the job waits, and says so. */
export function holdJob(job: GateJob, reason: string, ms: number): Gate {
  return { ...undecided(job, reason), holdMs: ms };
}

/** The step that a verdict leads to. */
export function planGate(job: GateJob, verdict: Verdict, pools: Pools, timeouts: Timeouts): Gate {
  const { decision, rule, policy } = verdict;
  const reason = verdict.reason === '' ? (silentReason[decision] ?? '') : verdict.reason;
  const judged: Gate = { ...undecided(job, reason), decision, rule, policy };
  switch (decision) {
    case 'DENY':
      return { ...judged, to: 'DENIED', errorCode: 'permission_denied', errorMessage: reason };
    case 'REQUIRE_HUMAN':
      return { ...judged, holdMs: holdMs.human };
    case 'THROTTLE':
      return { ...judged, holdMs: holdMs.throttle };
    case 'ALLOW':
    case 'ALLOW_WITH_CONSTRAINTS':
      break;
  }
  const { request } = job;
  const redacted = verdict.redactedContextPtr !== '';
  const payload = redacted ? payloadOf(verdict.redactedContextPtr, job.id) : undefined;
  if (redacted && payload === undefined) {
    // To run it on the payload as it is would undo what the policy asked for.
    return {
      ...judged,
      reason: 'waits: the policy wants another payload than the one of the job',
      holdMs: holdMs.human,
    };
  }
  const pool = pools.topics.get(request.topic);
  if (pool === undefined) {
    return { ...judged, to: 'FAILED', errorCode: 'no_pool', errorMessage: `topic: no pool does '${request.topic}'` };
  }
  const { constraints } = verdict;
  const limits = limitsOf(timeouts, request.topic);
  return {
    ...judged,
    to: 'SCHEDULED',
    constraints: constraints === undefined ? '' : JSON.stringify(toJson(PolicyConstraintsSchema, constraints)),
    pool,
    lane: formatLane({
      topic: request.topic,
      requires: request.meta?.requires ?? [],
      labels: request.labels,
      direct: constraints !== undefined || redacted,
    }),
    // Written in place, it is where the job's own was. Elsewhere the kernel may be slower to write it than to answer.
    ...(payload === undefined || payload === ownPayload(job.id) ? {} : { redactedKey: payload, holdMs: holdMs.human }),
    ...(constraints?.budgets === undefined ? limits : bounded(limits, constraints.budgets)),
  };
}

/** What a waiting or denied job shows when the kernel gave no reason. */
const silentReason: Readonly<Partial<Record<Verdict['decision'], string>>> = {
  DENY: 'denied by policy',
  REQUIRE_HUMAN: 'waits: the policy wants a person to decide',
  THROTTLE: 'waits: the policy slows this down',
};

/** A budget can only take away; 0 means that it says nothing. */
function bounded(limits: TopicLimits, budgets: NonNullable<PolicyConstraints['budgets']>): TopicLimits {
  const runtimeMs = Number(budgets.maxRuntimeMs);
  return {
    timeoutMs: runtimeMs > 0 ? Math.min(runtimeMs, limits.timeoutMs) : limits.timeoutMs,
    maxRetries: budgets.maxRetries > 0 ? Math.min(budgets.maxRetries, limits.maxRetries) : limits.maxRetries,
  };
}

const ownPayload = (id: string): string => `ctx:${id}`;

/** A longer key names nothing that anybody would write. */
const longestKey = 256;

/** The key behind a pointer to a payload, if it is one of the job's: `ctx:<id>`, `ctx:<id>:...`, `ctx:<id>-...`. */
function payloadOf(pointer: string, id: string): string | undefined {
  const key = parsePointer(pointer);
  if (!key.ok || key.value.length > longestKey) return undefined;
  const own = ownPayload(id);
  const its = key.value === own || key.value.startsWith(`${own}:`) || key.value.startsWith(`${own}-`);
  return its ? key.value : undefined;
}
