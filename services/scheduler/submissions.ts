// Submissions on the bus. A packet for a job that has a record is a doorbell: it only says "look now". A packet without a record is a
// submission of its own, and becomes a record first. Everything that arrives in one turn is judged in one call.
import type { Delivery } from '#core/bus/bus.ts';
import type { NewJob } from '#core/jobs/job.ts';
import type { Gate } from '#core/jobs/store.ts';
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

  /**
   * Makes records. Answers the submissions that are not to be judged: they have gone on already, or have ended. An id that is taken is
   * left to the gate, which tells whether there is a record of another digest; `finally` refuses what is still taken.
   */
  const createRecords = async (
    jobs: ReadonlyMap<Submission, NewJob>,
    when: 'first' | 'finally',
  ): Promise<ReadonlySet<Submission>> => {
    const over = new Set<Submission>();
    if (jobs.size === 0) return over;
    const created = await store.create(Array.from(jobs.values()));
    let i = 0;
    for (const submission of jobs.keys()) {
      const { id } = submission;
      const answer = created[i++];
      switch (answer?.outcome) {
        case 'created':
          events.emit({ type: 'created', id });
          break;
        case 'existing':
          if (answer.state !== 'PENDING') over.add(submission);
          break;
        case 'payload_missing':
          // No gate will see it.
          metrics.count('cortex_scheduler_jobs_received_total', { topic: submission.request.topic });
          events.emit({ type: 'created', id });
          announcer.tell(answer.end);
          over.add(submission);
          break;
        case 'conflict':
        case 'orphan':
        case 'idempotency_conflict':
        case undefined:
          if (when === 'first') break;
          refuse({ reason: 'conflict', id, detail: 'job_id: belongs to another job' });
          over.add(submission);
      }
    }
    return over;
  };

  /** Applies what was decided. Answers the submissions that have no record. */
  const apply = async (gates: ReadonlyMap<Submission, Gate>): Promise<readonly Submission[]> => {
    const submissions = Array.from(gates.keys());
    const missing: Submission[] = [];
    for (const [i, { outcome }] of (await gatekeeper.apply(submissions, Array.from(gates.values()))).entries()) {
      const submission = submissions[i];
      if (submission === undefined) continue;
      if (outcome === 'missing') missing.push(submission);
      else if (outcome === 'digest') {
        refuse({ reason: 'digest', id: submission.id, detail: 'job_id: the record is another job' });
      }
    }
    return missing;
  };

  /**
   * Records are made while the kernel judges: its word is about a digest, and the gate compares that with the record. What says that it
   * has a record, or may have none, goes to the gate first.
   */
  const judge = async (submissions: readonly Submission[]): Promise<void> => {
    const now = clock.now();
    const jobs = new Map<Submission, NewJob>();
    for (const submission of submissions) {
      const job = submission.recorded ? undefined : newBusJob(submission, now);
      if (job?.ok === true) jobs.set(submission, job.value);
    }
    const [decided, over] = await Promise.all([gatekeeper.decide(submissions), createRecords(jobs, 'first')]);
    const gates = new Map<Submission, Gate>();
    for (const [i, submission] of submissions.entries()) {
      const gate = decided[i];
      if (gate !== undefined && !over.has(submission)) gates.set(submission, gate);
    }
    const late = new Map<Submission, NewJob>();
    for (const submission of await apply(gates)) {
      const job = newBusJob(submission, now);
      if (job.ok) late.set(submission, job.value);
      else {
        refuse(job.error);
        if (job.error.reason !== 'tenant') tellRefused(submission, job.error.detail);
      }
    }
    if (late.size === 0) return;
    const gone = await createRecords(late, 'finally');
    await apply(new Map(Array.from(gates).filter(([submission]) => late.has(submission) && !gone.has(submission))));
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
