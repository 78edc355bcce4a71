// The port through which the scheduler asks whether jobs may run. Drivers: in process (tests), rpc-checker.ts (Connect, batched).
// A checker never denies by guess: what it could not find out is an exception, and the jobs wait.
import type { PolicyVersion } from '#core/jobs/job.ts';
import type { JobRequest } from '#proto/cortex/agent/v1/job_pb.ts';
import type { PolicyConstraints } from '#proto/cortex/agent/v1/safety_pb.ts';

/** What is judged: the stored request, never a packet from the bus that merely claims to be it. */
export interface CheckInput {
  readonly jobId: string;
  readonly topic: string;
  readonly tenant: string;
  readonly principal: string;
  /** CAP's numbers: 1 interactive, 2 batch, 3 critical. */
  readonly priority: number;
  readonly memoryId: string;
  readonly labels: Readonly<Record<string, string>>;
  /** The stored request, for rules that look at budget, meta or requirements. */
  readonly request: JobRequest;
  /** About how many bytes the request takes, so that one call does not grow too large. */
  readonly bytes: number;
}

export type Decision = 'ALLOW' | 'DENY' | 'REQUIRE_HUMAN' | 'THROTTLE' | 'ALLOW_WITH_CONSTRAINTS';

export interface Verdict {
  readonly decision: Decision;
  readonly reason: string;
  readonly rule: string;
  /** The policy version that judged. */
  readonly policy: PolicyVersion;
  readonly constraints: PolicyConstraints | undefined;
  /** Set when the kernel wants another payload to be used. A job with it never goes to a bus-only worker. */
  readonly redactedContextPtr: string;
}

export interface Checker {
  /**
   * Judges a batch, in order, with the policy version in force. An empty batch answers the version alone.
   * Throws CortexError `unavailable` or `failed_precondition` (policy missing or broken): nothing is then decided.
   */
  check(
    inputs: readonly CheckInput[],
  ): Promise<{ readonly policy: PolicyVersion; readonly verdicts: readonly Verdict[] }>;
}
