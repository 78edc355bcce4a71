// Submissions on the bus. A packet for a job that has a record is a doorbell: it only says "look now". A packet without a record is a
// submission of its own, and becomes a record first. Everything that arrives in one turn is judged in one call.
import type { Delivery } from '#core/bus/bus.ts';
import type { NewJob } from '#core/jobs/job.ts';
import { encodePacket, jobResultPacket } from '#core/protocol/envelope.ts';
import { headers, subjects } from '#core/protocol/subjects.ts';
import { JobStatus } from '#proto/cortex/agent/v1/job_pb.ts';
import type { Announcer } from './announcer.ts';
import { createBatches } from './batches.ts';
import { type SchedulerDeps, senderId } from './deps.ts';
import type { Gatekeeper } from './gatekeeper.ts';
import { newBusJob, readSubmission, type Refusal, type Submission } from './submission-door.ts';
import type { Troubles } from './troubles.ts';

export interface Submissions {
  /** Takes one message from a submit subject. Never throws. */
  take(delivery: Delivery): void;
  /** Resolves when everything taken so far is done. */
  idle(): Promise<void>;
}

/**
 * Bytes of submissions under way at most, each with a kilobyte for itself. The bus holds nothing back: what is beyond is refused. A
 * doorbell that is refused costs a second; a submission without a record is not accepted yet, and its client tries again.
 */
const mostBytes = 64 * 1024 * 1024;

export function createSubmissions(
  deps: SchedulerDeps,
  gatekeeper: Gatekeeper,
  announcer: Announcer,
  troubles: Troubles,
): Submissions {
  const { store, bus, clock, pools, metrics, events, log } = deps;
  let loggedAt = Number.NEGATIVE_INFINITY;

  const refuse = ({ reason, id, detail }: Refusal): void => {
    metrics.count('cortex_scheduler_submissions_refused_total', { reason });
    events.emit({ type: 'refused', reason, id });
    // One a second: whoever can publish here must not be able to fill the disk.
    const quiet = clock.monotonic() - loggedAt < 1_000;
    if (!quiet) loggedAt = clock.monotonic();
    log[quiet ? 'debug' : 'warn']('refused a submission from the bus', { job_id: id, reason, detail });
  };
  /** For a submission that became no record: its client would wait for ever. Never for an id that may be another's. */
  const tellRefused = ({ id, tenant, traceId, request }: Submission, message: string): void => {
    const packet = jobResultPacket(
      { traceId, senderId, atMs: clock.now() },
      { jobId: id, status: JobStatus.FAILED, errorCode: 'invalid_argument', errorMessage: message },
    );
    const told = { [headers.tenant]: tenant, [headers.topic]: request.topic };
    bus.post({ subject: subjects.result, data: encodePacket(packet), headers: told });
  };

  /** Makes records of submissions that have none. Answers the ones that may now be judged. */
  const createRecords = async (submissions: readonly Submission[]): Promise<readonly Submission[]> => {
    const good: Submission[] = [];
    const jobs: NewJob[] = [];
    for (const submission of submissions) {
      const job = newBusJob(submission, clock.now());
      if (job.ok) {
        good.push(submission);
        jobs.push(job.value);
      } else {
        refuse(job.error);
        if (job.error.reason === 'context_ptr') tellRefused(submission, job.error.detail);
      }
    }
    if (jobs.length === 0) return [];
    const created = await store.create(jobs);
    const ready: Submission[] = [];
    for (const [i, submission] of good.entries()) {
      const { id } = submission;
      const answer = created[i];
      switch (answer?.outcome) {
        case 'created':
          events.emit({ type: 'created', id });
          ready.push(submission);
          break;
        case 'existing':
          if (answer.state === 'PENDING') ready.push(submission);
          break;
        case 'payload_missing':
          events.emit({ type: 'created', id });
          announcer.tell(answer.end);
          break;
        case 'conflict':
        case 'idempotency_conflict':
        case undefined:
          refuse({ reason: 'conflict', id, detail: 'job_id: belongs to another job' });
      }
    }
    return ready;
  };

  const judge = async (submissions: readonly Submission[]): Promise<void> => {
    const unknown: Submission[] = [];
    for (const [i, done] of (await gatekeeper.judge(submissions)).entries()) {
      const submission = submissions[i];
      if (submission === undefined) continue;
      if (done.outcome === 'missing') unknown.push(submission);
      else if (done.outcome === 'digest') {
        refuse({ reason: 'digest', id: submission.id, detail: 'job_id: the record is another job' });
      }
    }
    if (unknown.length === 0) return;
    const ready = await createRecords(unknown);
    if (ready.length > 0) await gatekeeper.judge(ready);
  };

  const batches = createBatches<Submission>({
    max: 256,
    most: mostBytes,
    weigh: ({ bytes }) => bytes + 1024,
    run: judge,
    onError(error, items) {
      // A doorbell that failed costs a second: its record is due. A submission without a record is not accepted yet.
      troubles.failed('store', error);
      log.debug('could not take submissions', { jobs: items.length, error });
    },
  });

  return {
    take(delivery) {
      const read = readSubmission(delivery, pools.busTenants);
      if (!read.ok) refuse(read.error);
      else if (!batches.push(read.value)) {
        refuse({ reason: 'overload', id: read.value.id, detail: 'too many submissions are under way' });
      }
    },
    idle: () => batches.idle(),
  };
}
