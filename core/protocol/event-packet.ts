// An event of a job as the packet that a client of the original would have seen on `sys.job.>`: a submission is a job_request, an end is
// a job_result. The steps between them were never on those subjects, and have no packet here. docs/streams.md tells it to clients.
import { toJson } from '@bufbuild/protobuf';
import type { JobEvent, JobView } from '#core/jobs/job.ts';
import { isEnd } from '#core/jobs/state.ts';
import { type BusPacket, BusPacketSchema } from '#proto/cortex/agent/v1/packet_pb.ts';
import { decodePacket, jobRequestPacket, jobResultPacket } from './envelope.ts';
import { formatPointer } from './pointer.ts';
import { statusOfState } from './status.ts';

const gateway = 'api-gateway';
const scheduler = 'cortex-scheduler';

/** 0001-01-01 and 9999-12-31, which protojson allows. */
const [firstSecond, lastSecond] = [-62_135_596_800n, 253_402_300_799n];

/** Whether an event may have a packet, and with which part of the record: what is not worth a look is not looked at. */
export function packetNeeds({ state }: JobEvent): 'packet' | 'record' | undefined {
  if (state === 'PENDING') return 'packet';
  return isEnd(state) ? 'record' : undefined;
}

/**
 * The packet of an event; undefined for a step between. `job` is undefined when its record is gone: an end is still told, by id and
 * status. `stored` is the packet of the submission, which is kept until the end of the job; without it the record stands for it.
 */
export function packetOfEvent(
  event: JobEvent,
  job: JobView | undefined,
  stored: Uint8Array | undefined,
): BusPacket | undefined {
  if (event.state === 'PENDING') return job === undefined ? undefined : submission(event, job, stored);
  return isEnd(event.state) ? end(event, job) : undefined;
}

/** One frame of the stream. */
export function packetJson(packet: BusPacket): string {
  return JSON.stringify(toJson(BusPacketSchema, packet));
}

function submission(event: JobEvent, job: JobView, stored: Uint8Array | undefined): BusPacket | undefined {
  // It may come back to PENDING: to be judged again, or approved. That is no submission.
  if (event.ts !== job.createdAt) return undefined;
  const packet = stored === undefined ? undefined : decodePacket(stored);
  if (packet?.ok === true && packet.value.payload.case === 'jobRequest' && hasTime(packet.value)) return packet.value;
  return jobRequestPacket(
    { traceId: job.traceId, senderId: gateway, atMs: event.ts },
    {
      jobId: job.id,
      topic: job.topic,
      contextPtr: formatPointer(`ctx:${job.id}`),
      parentJobId: job.parentId,
      env: { tenant_id: job.tenant },
      tenantId: job.tenant,
      principalId: job.principal,
    },
  );
}

/** Whether its time can be told in JSON: whoever writes a packet by hand can put anything there, and nobody could read it ever after. */
function hasTime({ createdAt }: BusPacket): boolean {
  if (createdAt === undefined) return true;
  const { seconds, nanos } = createdAt;
  return seconds >= firstSecond && seconds <= lastSecond && nanos >= 0 && nanos <= 999_999_999;
}

function end(event: JobEvent, job: JobView | undefined): BusPacket {
  // The original's gateway told a cancel by itself, and with the job's id in place of the trace.
  const cancelled = event.state === 'CANCELLED';
  const byWorker = event.state === 'SUCCEEDED' || event.state === 'FAILED' ? job?.worker : '';
  return jobResultPacket(
    {
      traceId: cancelled ? event.job : (job?.traceId ?? ''),
      senderId: cancelled ? gateway : byWorker || scheduler,
      atMs: event.ts,
    },
    {
      jobId: event.job,
      status: statusOfState(event.state),
      ...(job === undefined
        ? {}
        : {
            resultPtr: job.resultPtr,
            workerId: job.worker,
            executionMs: BigInt(Math.round(job.execMs)),
            errorCode: job.errorCode,
            errorMessage: job.errorMessage,
            artifactPtrs: [...job.artifactPtrs],
          }),
    },
  );
}
