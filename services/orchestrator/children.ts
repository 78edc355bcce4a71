// The jobs of a run's steps in the store: made once under their ids, waited for, read, and cancelled when the run ends before them.
import { create } from '@bufbuild/protobuf';
import { CortexError } from '#core/errors.ts';
import type { JobView } from '#core/jobs/job.ts';
import type { Created, JobStore } from '#core/jobs/store.ts';
import { newJob } from '#core/jobs/submission.ts';
import { doorbell } from '#core/protocol/doorbell.ts';
import { endMessage } from '#core/protocol/end.ts';
import { cancelPacket, encodePacket } from '#core/protocol/envelope.ts';
import { formatPointer } from '#core/protocol/pointer.ts';
import { subjects } from '#core/protocol/subjects.ts';
import type { Publication } from '#core/bus/bus.ts';
import type { Log } from '#core/log.ts';
import type { Clock } from '#core/system.ts';
import { childId, inputDigest, stepError } from '#core/workflow/run.ts';
import { type JobRequest, JobRequestSchema } from '#proto/cortex/agent/v1/job_pb.ts';
import { persist } from '../worker/retry.ts';
import type { Ends } from './ends.ts';

/** The job whose children these are. */
export interface Parent {
  readonly id: string;
  readonly tenant: string;
  readonly traceId: string;
  readonly principal: string;
  readonly request: JobRequest;
  /** The worker that runs it: the sender of what it submits. */
  readonly sender: string;
}

export interface Child {
  readonly id: string;
  /** It was there already, from before the run was replayed. */
  readonly found: boolean;
}

export interface ChildSpec {
  readonly key: string;
  /** The try, from 1. */
  readonly attempt: number;
  readonly topic: string;
  /** JSON text. */
  readonly payload: string;
  /** From its submission to its end, ms. */
  readonly deadlineMs: number;
}

export interface Children {
  /** Makes the child, or finds it. Throws CortexError `<key> failed: ...`; waits for a store that is away until the signal aborts. */
  start(parent: Parent, spec: ChildSpec, signal: AbortSignal): Promise<Child>;
  ended(parent: Parent, id: string, signal: AbortSignal): Promise<JobView>;
  /** The result's text; undefined when there is none. */
  result(parent: Parent, id: string, signal: AbortSignal): Promise<string | undefined>;
  /** Ends these children CANCELLED unless they have ended, and tells their workers. Never throws; gives a store that is away some seconds. */
  cancel(parent: Parent, ids: readonly string[]): Promise<void>;
}

export interface ChildrenDeps {
  readonly store: JobStore;
  readonly ends: Ends;
  readonly post: (message: Publication) => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** How long a cancel is tried for while the store is away, ms. What is missed then ends by its own deadline. */
const cancelPatienceMs = 3000;

export function createChildren({ store, ends, post, clock, log }: ChildrenDeps): Children {
  const untilAborted = (signal: AbortSignal) => ({ clock, until: () => Number.POSITIVE_INFINITY, signal });

  return {
    async start(parent, spec, signal) {
      const id = childId(parent.id, spec.key, spec.attempt);
      const { tenant, principal, traceId, sender } = parent;
      const request = childRequest(parent, spec, id);
      const facts = { tenant, principal, traceId, sender, now: clock.now(), payload: spec.payload };
      // The deadline is no part of the request: a replay under another configuration still finds the same child.
      const job = { ...newJob({ request, ...facts }), deadlineMs: spec.deadlineMs };
      const [created] = await persist(() => store.create([job]), untilAborted(signal));
      if (created === undefined) throw new Error('the store left out a job');
      if (created.outcome === 'created') post(doorbell(job.packet));
      else if (created.outcome !== 'existing') throw refused(spec.key, id, created);
      return { id, found: created.outcome === 'existing' };
    },

    ended: ({ tenant }, id, signal) => ends.wait(id, tenant, signal),

    async result({ tenant }, id, signal) {
      return (await persist(() => store.result(id, tenant), untilAborted(signal))) ?? undefined;
    },

    async cancel({ id: parentId, tenant, traceId, sender }, ids) {
      if (ids.length === 0) return;
      const why = { errorCode: 'cancelled', errorMessage: `the workflow ${parentId} has ended` };
      const items = ids.map((id) => ({ id, tenant, to: 'CANCELLED', seen: undefined, ...why }) as const);
      const until = clock.monotonic() + cancelPatienceMs;
      try {
        const answers = await persist(() => store.end(items), { clock, until: () => until });
        for (const [i, { outcome, end }] of answers.entries()) {
          const jobId = ids[i];
          if (outcome !== 'ended' || jobId === undefined) continue;
          const atMs = clock.now();
          const cancel = { jobId, reason: why.errorMessage, requestedBy: sender };
          post({
            subject: subjects.cancel,
            data: encodePacket(cancelPacket({ traceId, senderId: sender, atMs }, cancel)),
          });
          if (end !== undefined) post(endMessage(end, sender, atMs));
        }
      } catch (error) {
        const about = { job_id: parentId, trace_id: traceId, tenant };
        log.warn('children could not be cancelled; they end by their own deadlines', { ...about, ids, error });
      }
    },
  };
}

/** The same for every replay: no time, nothing of the process. */
function childRequest(parent: Parent, spec: ChildSpec, jobId: string): JobRequest {
  const { env, priority, workflowId, memoryId } = parent.request;
  return create(JobRequestSchema, {
    jobId,
    topic: spec.topic,
    priority,
    contextPtr: formatPointer(`ctx:${jobId}`),
    env: { ...env },
    parentJobId: parent.id,
    workflowId: workflowId === '' ? parent.id : workflowId,
    memoryId,
    tenantId: parent.tenant,
    principalId: parent.principal,
    meta: { labels: { 'cortex.step': spec.key, 'cortex.input': inputDigest(spec.payload) } },
  });
}

function refused(key: string, id: string, created: Created): CortexError {
  if (created.outcome === 'conflict') {
    // The step has changed since the run began, or somebody else made a job of that name.
    return stepError(key, 'failed_precondition', `the job ${id} exists already and is another one`);
  }
  return stepError(key, 'internal', `the job ${id} could not be made: ${created.outcome}`);
}
