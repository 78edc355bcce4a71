// What the gateway says of the safety kernel in /health: jobs are accepted without it, and wait.
import { formatPolicy } from '#core/jobs/job.ts';
import type { Checker } from '#core/policy/checker.ts';
import type { Probe } from '#core/process/health.ts';

/** The policy in force, as the kernel tells it. */
export function kernelProbe(checker: Checker): Probe {
  return async () => ({ policy: formatPolicy((await checker.check([])).policy) });
}
