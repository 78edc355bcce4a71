// Runs a recorded attempt again: the same handler, the payload that was stored, its clock and its ids as they were. Models and tools are what
// the caller has made of the recording; keeping the network away is the caller's business too.
import { fromJson } from '@bufbuild/protobuf';
import { CortexError } from '#core/errors.ts';
import { silentLog } from '#core/log.ts';
import type { Recording } from '#core/model/recording.ts';
import { formatPointer } from '#core/protocol/pointer.ts';
import { JobRequestSchema } from '#proto/cortex/agent/v1/job_pb.ts';
import { limitsUnder } from './constraints.ts';
import type { JobContext, WorkerDefinition } from './define.ts';
import { prepare } from './execute.ts';
import { defaultLimits } from './host.ts';
import { failed, type Outcome, outcomeOf, type Settled } from './outcome.ts';

/** A handler asked for what no recording holds: the result of another job, an archive. */
export class NotHeldError extends CortexError {
  constructor() {
    super('failed_precondition', 'a recording holds nothing but what was said to models and programs');
  }
}

/**
 * What the attempt comes to. Throws CortexError `unimplemented` for a handler that reads what no recording holds: one in a thread, or one that
 * reached for what is refused here.
 */
export async function replayAttempt(
  definition: WorkerDefinition,
  { attempt, end }: Pick<Recording, 'attempt' | 'end'>,
  payload: string | null,
  recordedTool: NonNullable<JobContext['recordedTool']>,
): Promise<Outcome> {
  const { run, topic } = definition;
  if (!('here' in run)) throw notRecorded(topic);
  const prepared = prepare(definition, attempt.constraints, payload);
  if (!prepared.ok) return failed(prepared.error);
  const { input, constraints } = prepared.value;
  const request = fromJson(JobRequestSchema, attempt.request as Parameters<typeof fromJson>[1]);
  const times = end.times.values();
  let time = end.times[0] ?? 0;
  const context: JobContext = {
    job: {
      ...{ id: request.jobId, topic, tenant: attempt.tenant, traceId: attempt.trace_id },
      ...{ attempt: attempt.attempt, request },
    },
    worker: attempt.worker,
    signal: new AbortController().signal,
    fence: attempt.fence,
    hold: { fence: attempt.fence, attempt: '' },
    idempotencyKey: request.jobId,
    constraints,
    progress: () => undefined,
    output: () => undefined,
    artifact: (name) => Promise.resolve(formatPointer(`res:${request.jobId}-${name}-${attempt.fence}`)),
    recordedTool,
    log: silentLog,
    now() {
      // Whoever asks more often than then hears the last one again.
      time = times.next().value ?? time;
      return time;
    },
  };
  let settled: Settled;
  try {
    settled = { value: await run.here(input, context) };
  } catch (error) {
    if (isRefused(error)) throw notRecorded(topic);
    settled = { error };
  }
  if (end.deadline) {
    const { status, error_code: errorCode, error_message: errorMessage } = end;
    return { status: status as Outcome['status'], retryable: false, result: undefined, errorCode, errorMessage };
  }
  return outcomeOf(settled, definition, limitsUnder(constraints, defaultLimits).resultBytes);
}

function notRecorded(topic: string): CortexError {
  return new CortexError('unimplemented', `${topic} reads what no recording holds, so it cannot be replayed`);
}

/** What no recording holds, or the right to a file, a program or a thread that the process was started without. */
function isRefused(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof NotHeldError || ('code' in cause && cause.code === 'ERR_ACCESS_DENIED')) return true;
  }
  return false;
}
