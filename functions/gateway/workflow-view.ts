// How a run looks in JSON: its job, its steps with every try, what it waits for.
import type { JobView } from '#core/jobs/job.ts';
import type { StepAttempt, Timeline, TimelineStep } from '#core/workflow/timeline.ts';

/** `children`: jobs whose ends the journal does not know, as they stand now. */
export function workflowDetail(job: JobView, timeline: Timeline, children: ReadonlyMap<string, JobView>) {
  const { name, version, begunAt, rerunOf, sleeps, waits, signals, undoing } = timeline;
  return {
    id: job.id,
    workflow: name,
    version,
    topic: job.topic,
    state: job.state,
    trace_id: job.traceId,
    error_code: job.errorCode,
    error_message: job.errorMessage,
    result_ptr: job.resultPtr,
    created_at: time(job.createdAt),
    begun_at: time(begunAt),
    ended_at: time(job.endedAt),
    progress: job.progress ?? null,
    rerun_of: rerunOf === undefined ? null : { id: rerunOf.id, from: rerunOf.from },
    steps: timeline.steps.map((step) => stepView(step, children)),
    waiting_for: {
      signals: waits,
      sleeps: sleeps.filter(({ over }) => !over).map(({ key, until }) => ({ key, until: time(until) })),
    },
    signals: signals.map(({ name: signal, at, refused }) => ({
      ...{ name: signal, at: time(at) },
      ...(refused !== '' && { refused }),
    })),
    undoing: undoing ?? null,
  };
}

function stepView({ key, topic, kept, attempts }: TimelineStep, children: ReadonlyMap<string, JobView>) {
  const views = attempts.map((attempt) => attemptView(attempt, children.get(attempt.jobId)));
  const last = views.at(-1);
  return { key, topic, state: last?.state ?? null, kept, attempts: views };
}

function attemptView(attempt: StepAttempt, child: JobView | undefined) {
  const { jobId, askedAt, errorCode, errorMessage, dropped } = attempt;
  return {
    job_id: jobId,
    /** Null: there is no such job (yet, or any more). */
    state: attempt.state ?? child?.state ?? null,
    asked_at: time(askedAt),
    started_at: time(attempt.startedAt || (child?.startedAt ?? 0)),
    ended_at: time(attempt.endedAt || (child?.endedAt ?? 0)),
    error_code: errorCode || (child?.errorCode ?? ''),
    error_message: errorMessage || (child?.errorMessage ?? ''),
    result_ptr: attempt.resultPtr || (child?.resultPtr ?? ''),
    dropped,
  };
}

function time(ms: number): string | null {
  return ms === 0 ? null : new Date(ms).toISOString();
}
