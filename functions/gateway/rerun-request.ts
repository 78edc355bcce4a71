// The request of a run that is done again: as it was, without what tied it to a job above it.
import { fromJson, type JsonValue } from '@bufbuild/protobuf';
import { CortexError } from '#core/errors.ts';
import type { JobView } from '#core/jobs/job.ts';
import type { Line } from '#core/workflow/lines.ts';
import { JobRequestSchema } from '#proto/cortex/agent/v1/job_pb.ts';
import type { JobFields } from './submit-job.ts';

/** Throws `failed_precondition` for a run that never began, and `data_loss` for one whose begin is broken. */
export function requestOfRun({ id, topic }: Pick<JobView, 'id' | 'topic'>, lines: readonly Line[]): JobFields {
  const begin = lines.find((one) => one.t === 'begin');
  if (begin === undefined) throw new CortexError('failed_precondition', `the run ${id} never began: submit it anew`);
  try {
    const request = fromJson(JobRequestSchema, begin.req as JsonValue);
    const { priority, adapterId, env, workflowId, memoryId, contextHints, budget, labels, meta } = request;
    const own = Object.entries(meta?.labels ?? {}).filter(([name]) => !name.startsWith('cortex.'));
    return {
      ...{ topic, priority, adapterId, env, memoryId, labels },
      // A run's own id is the default; another one stays.
      workflowId: workflowId === id ? '' : workflowId,
      ...(contextHints !== undefined && { contextHints }),
      // A deadline is a moment, and may be over.
      ...(budget !== undefined && { budget: { ...budget, deadlineMs: 0n } }),
      ...(meta !== undefined && { meta: { ...meta, labels: Object.fromEntries(own), idempotencyKey: '' } }),
    };
  } catch (error) {
    throw new CortexError('data_loss', `the begin of run ${id} is broken`, { cause: error });
  }
}
