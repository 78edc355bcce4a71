// The end of a job as the bus hears it: a JobResult on `sys.job.result`, the same whoever announces it.
// Tenant and topic go along as headers, since a JobResult has no fields for them.
import type { JobEnd } from '#core/jobs/job.ts';
import { encodePacket, jobResultPacket } from './envelope.ts';
import { statusOfState } from './status.ts';
import { headers, subjects } from './subjects.ts';

export interface EndMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

/** The announcement of an end; `atMs` is unix time in milliseconds. */
export function endMessage(end: JobEnd, sender: string, atMs: number): EndMessage {
  const packet = jobResultPacket(
    { traceId: end.traceId, senderId: sender, atMs },
    {
      jobId: end.id,
      status: statusOfState(end.state),
      resultPtr: end.resultPtr,
      workerId: end.worker,
      executionMs: BigInt(Math.round(end.execMs)),
      errorCode: end.errorCode,
      errorMessage: end.errorMessage,
      artifactPtrs: [...end.artifactPtrs],
    },
  );
  return {
    subject: subjects.result,
    data: encodePacket(packet),
    headers: { [headers.tenant]: end.tenant, [headers.topic]: end.topic },
  };
}
