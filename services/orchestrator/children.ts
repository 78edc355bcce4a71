// The jobs of a run's steps in the store: made once under their ids, and cancelled when the run does not wait for them any more.
import { create } from '@bufbuild/protobuf';
import { CortexError } from '#core/errors.ts';
import type { Fence } from '#core/jobs/job.ts';
import type { Created, JobStore } from '#core/jobs/store.ts';
import { newJob } from '#core/jobs/submission.ts';
import { doorbell } from '#core/protocol/doorbell.ts';
import { endMessage } from '#core/protocol/end.ts';
import { cancelPacket, encodePacket } from '#core/protocol/envelope.ts';
import { formatPointer } from '#core/protocol/pointer.ts';
import { isSubjectToken, subjects, tenantSignals } from '#core/protocol/subjects.ts';
import type { Publication } from '#core/bus/bus.ts';
import { err, ok, type Result } from '#core/result.ts';
import type { Log } from '#core/log.ts';
import type { Clock } from '#core/system.ts';
import type { ChildSpec } from '#core/workflow/effects.ts';
import type { Journal } from '#core/workflow/journal.ts';
import { parseLine } from '#core/workflow/lines.ts';
import { childId, inputDigest, stopSignal } from '#core/workflow/run.ts';
import { type JobRequest, JobRequestSchema } from '#proto/cortex/agent/v1/job_pb.ts';
import { persist, type PersistOptions } from '../worker/retry.ts';

/** The job whose children these are. */
export interface Parent {
  readonly id: string;
  readonly tenant: string;
  readonly traceId: string;
  readonly principal: string;
  readonly request: JobRequest;
  /** The worker that runs it: the sender of what it submits. */
  readonly sender: string;
  /** Under which it is held: nobody else makes its children. */
  readonly hold: Fence;
}

/** Somebody else holds the run now: nothing of it is ours any more. */
export class LostHold extends CortexError {
  constructor(runId: string) {
    super('aborted', `the run ${runId} is held by somebody else`);
    this.name = 'LostHold';
  }
}

export interface Child {
  readonly id: string;
  /** It was there already, from before the run was replayed. */
  readonly found: boolean;
}

export interface WantedChild extends ChildSpec {
  /** From its submission to its end, ms. */
  readonly deadlineMs: number;
}

export interface Children {
  /**
   * Makes each child, or finds it; or says why it cannot be. Waits for a store that is away until the signal aborts.
   * Throws LostHold when somebody else holds the run.
   */
  start(parent: Parent, wanted: readonly WantedChild[], signal: AbortSignal): Promise<readonly Result<Child>[]>;
  /**
   * Tells a child that is a run to stop: it undoes what it did. One that has not begun is cancelled. Never throws, and waits for a store that
   * is away until the signal aborts.
   */
  stop(parent: Parent, id: string, signal: AbortSignal): Promise<void>;
  /** Ends these children CANCELLED unless they have ended, and tells their workers. Never throws; gives a store that is away some seconds. */
  cancel(parent: Parent, ids: readonly string[], why: 'ended' | 'dropped'): Promise<void>;
}

export interface ChildrenDeps {
  readonly store: JobStore;
  readonly journal: Pick<Journal, 'send' | 'lines'>;
  readonly post: (message: Publication) => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** How long a cancel is tried for while the store is away, ms. What is missed then is cancelled by the scheduler when the run has ended. */
const cancelPatienceMs = 3000;

/** Children made in one call, and characters of their payloads, about. */
const batch = { jobs: 200, chars: 1_000_000 };

/** The label that says of which workflows' steps a job is a step, outermost first. */
const pathLabel = 'cortex.path';

export function createChildren({ store, journal, post, clock, log }: ChildrenDeps): Children {
  const untilAborted = (signal: AbortSignal): PersistOptions => ({
    ...{ clock, until: () => Number.POSITIVE_INFINITY, signal },
  });

  const startSome = async (
    parent: Parent,
    wanted: readonly WantedChild[],
    signal: AbortSignal,
  ): Promise<readonly Result<Child>[]> => {
    const { tenant, principal, traceId, sender, hold } = parent;
    const jobs = wanted.map((spec) => {
      const request = childRequest(parent, spec);
      const facts = { tenant, principal, traceId, sender, now: clock.now(), payload: spec.payload };
      // The deadline is no part of the request: a replay under another configuration still finds the same child.
      return { ...newJob({ request, ...facts }), deadlineMs: spec.deadlineMs, bound: hold };
    });
    const until = untilAborted(signal);
    const created = await persist(() => store.create(jobs), until);
    return wanted.map((_, i) => {
      const [job, answer] = [jobs[i], created[i]];
      if (job === undefined || answer === undefined) throw new Error('the store left out a job');
      switch (answer.outcome) {
        case 'created':
          post(doorbell(job.packet));
          return ok({ id: job.id, found: false });
        case 'existing':
          return ok({ id: job.id, found: true });
        case 'orphan':
          throw new LostHold(parent.id);
        default:
          return err(refused(job.id, answer));
      }
    });
  };

  const children: Children = {
    async start(parent, wanted, signal) {
      const out: Result<Child>[] = [];
      for (const some of batches(wanted)) {
        const cycles = some.map((spec) => cycleOf(parent, spec));
        const sound = some.filter((_, k) => cycles[k] === undefined);
        const made = (await startSome(parent, sound, signal)).values();
        for (const cycle of cycles) out.push(cycle === undefined ? (made.next().value as Result<Child>) : err(cycle));
      }
      return out;
    },

    async stop(parent, id, signal) {
      const { id: parentId, tenant } = parent;
      try {
        const stopping = { id, tenant, name: stopSignal, value: 'null', key: `the run above, ${parentId}` };
        const sent = await persist(() => journal.send(stopping), untilAborted(signal));
        if (sent === 'ended' || sent === 'missing') return;
        if (isSubjectToken(tenant)) post({ subject: tenantSignals(tenant), data: new TextEncoder().encode(id) });
        const lines = (await persist(() => journal.lines({ id, tenant }), untilAborted(signal))) ?? [];
        // Nothing is done yet, or it is a worker that knows no signals; what has as many as it may have does not hear this one.
        const begun = lines.some((line) => parseLine(line).t === 'begin');
        if (!begun || sent === 'full') await children.cancel(parent, [id], 'dropped');
      } catch (error) {
        if (signal.aborted) return;
        const about = { job_id: parentId, trace_id: parent.traceId, tenant };
        log.warn('a run below could not be told to stop; it is cancelled in a while', { ...about, id, error });
      }
    },

    async cancel({ id: parentId, tenant, traceId, sender }, ids, cause) {
      if (ids.length === 0) return;
      const what = cause === 'ended' ? 'has ended' : 'does not wait for it any more';
      const why = { errorCode: 'cancelled', errorMessage: `the workflow ${parentId} ${what}` };
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
        log.warn('children could not be cancelled; they end when the run has', { ...about, ids, error });
      }
    },
  };
  return children;
}

function* batches(wanted: readonly WantedChild[]): Generator<readonly WantedChild[]> {
  let some: WantedChild[] = [];
  let chars = 0;
  for (const one of wanted) {
    if (some.length === batch.jobs || (some.length > 0 && chars + one.payload.length > batch.chars)) {
      yield some;
      some = [];
      chars = 0;
    }
    some.push(one);
    chars += one.payload.length;
  }
  if (some.length > 0) yield some;
}

/** The same for every replay: no time, nothing of the process. */
function childRequest(parent: Parent, spec: WantedChild): JobRequest {
  const { env, priority, memoryId } = parent.request;
  const jobId = childId(parent.id, spec.key, spec.attempt);
  const path = pathOf(parent).join(' ');
  return create(JobRequestSchema, {
    jobId,
    topic: spec.topic,
    priority,
    contextPtr: formatPointer(`ctx:${jobId}`),
    adapterId: spec.adapterId || parent.request.adapterId,
    env: { ...env },
    parentJobId: parent.id,
    workflowId: workflowIdOf(parent),
    stepIndex: spec.stepIndex,
    memoryId,
    tenantId: parent.tenant,
    principalId: parent.principal,
    meta: { labels: { 'cortex.step': spec.key, 'cortex.input': inputDigest(spec.payload), [pathLabel]: path } },
  });
}

/** What a run and its children belong to: the request's workflow_id, else the job above it, else the run itself. */
export function workflowIdOf({ id, request: { workflowId, parentJobId } }: Parent): string {
  return workflowId || parentJobId || id;
}

/** The topics from the outermost workflow to this one. */
function pathOf({ request }: Parent): readonly string[] {
  const above = request.parentJobId === '' ? '' : (request.meta?.labels[pathLabel] ?? '');
  return [...above.split(' '), request.topic].filter((topic) => topic !== '');
}

function cycleOf(parent: Parent, { topic }: WantedChild): CortexError | undefined {
  const path = pathOf(parent);
  if (!path.includes(topic)) return undefined;
  return new CortexError('failed_precondition', `${[...path, topic].join(' > ')} is a cycle`);
}

function refused(id: string, created: Created): CortexError {
  if (created.outcome === 'conflict') {
    // The step has changed since the run began, or somebody else made a job of that name.
    return new CortexError('failed_precondition', `the job ${id} exists already and is another one`);
  }
  return new CortexError('internal', `the job ${id} could not be made: ${created.outcome}`);
}
