// A message on `worker.<id>.jobs` as a hand-out, or why it is none. What it says is believed only as far as the fence goes: the store
// compares it at accept, and the payload comes from there.
import type { Delivery } from '#core/bus/bus.ts';
import { invalid } from '#core/errors.ts';
import { decodePacket } from '#core/protocol/envelope.ts';
import { type HandOutHeaders, readHandOut } from '#core/protocol/hand-out.ts';
import type { Result } from '#core/result.ts';
import { err, ok } from '#core/result.ts';
import type { JobRequest } from '#proto/cortex/agent/v1/job_pb.ts';

export interface HandOut extends HandOutHeaders {
  readonly id: string;
  readonly traceId: string;
  readonly request: JobRequest;
}

/** The hand-out in a message. The error names the header or field that is wrong. */
export function readDelivery(message: Delivery, topic: string): Result<HandOut> {
  const headers = readHandOut((name) => message.header(name));
  if (!headers.ok) return headers;
  const packet = decodePacket(message.data);
  if (!packet.ok) return packet;
  const { payload, traceId } = packet.value;
  if (payload.case !== 'jobRequest') return err(invalid('payload', `is a ${payload.case}, not a job request`));
  const request = payload.value;
  if (request.topic !== topic)
    return err(invalid('job_request.topic', `is ${request.topic}, this worker takes ${topic}`));
  return ok({ ...headers.value, id: request.jobId, traceId, request });
}
