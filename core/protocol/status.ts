// Names and numbers of states and priorities: what the bus calls them and what records and people call them.
// Which state may follow which is the business of jobs/state.ts.
import type { JobState } from '#core/jobs/state.ts';
import { JobPriority, JobStatus } from '#proto/cortex/agent/v1/job_pb.ts';

const statusOf: Readonly<Record<JobState, JobStatus>> = {
  PENDING: JobStatus.PENDING,
  // CAP has no such status; to a bus client a job that waits for a person is a job that waits.
  AWAITING_APPROVAL: JobStatus.PENDING,
  SCHEDULED: JobStatus.SCHEDULED,
  DISPATCHED: JobStatus.DISPATCHED,
  RUNNING: JobStatus.RUNNING,
  SUCCEEDED: JobStatus.SUCCEEDED,
  FAILED: JobStatus.FAILED,
  CANCELLED: JobStatus.CANCELLED,
  DENIED: JobStatus.DENIED,
  TIMEOUT: JobStatus.TIMEOUT,
};

const stateOf: ReadonlyMap<JobStatus, JobState> = new Map([
  [JobStatus.PENDING, 'PENDING'],
  [JobStatus.SCHEDULED, 'SCHEDULED'],
  [JobStatus.DISPATCHED, 'DISPATCHED'],
  [JobStatus.RUNNING, 'RUNNING'],
  [JobStatus.SUCCEEDED, 'SUCCEEDED'],
  [JobStatus.FAILED, 'FAILED'],
  [JobStatus.CANCELLED, 'CANCELLED'],
  [JobStatus.DENIED, 'DENIED'],
  [JobStatus.TIMEOUT, 'TIMEOUT'],
]);

/** The status by which the bus tells a state. */
export function statusOfState(state: JobState): JobStatus {
  return statusOf[state];
}

/** The state that a status names; undefined when it names none (UNSPECIFIED, or a number from a newer protocol). */
export function stateOfStatus(status: JobStatus): JobState | undefined {
  return stateOf.get(status);
}

/** The priority that a name means, in any case. Anything else is INTERACTIVE, as it was in the original. */
export function priorityFromName(name: string): JobPriority {
  switch (name.toLowerCase()) {
    case 'critical':
      return JobPriority.CRITICAL;
    case 'batch':
      return JobPriority.BATCH;
    default:
      return JobPriority.INTERACTIVE;
  }
}

/** The order in which priorities are served, 0 first: critical 0, interactive 1, batch 2. The wire's numbers have no order. */
export function priorityRank(priority: JobPriority): 0 | 1 | 2 {
  switch (priority) {
    case JobPriority.CRITICAL:
      return 0;
    case JobPriority.BATCH:
      return 2;
    default:
      return 1;
  }
}
