// The door between bytes and packets: encode, decode, and one builder per payload. Bytes that pass decodePacket are a
// packet with one known payload and a usable id; whether its sender may send it is decided by whoever takes it.
import type { MessageInitShape } from '@bufbuild/protobuf';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { CortexError, invalid } from '#core/errors.ts';
import { isId } from '#core/protocol/ids.ts';
import { wireProblem } from '#core/protocol/wire.ts';
import type { Result } from '#core/result.ts';
import { err, ok } from '#core/result.ts';
import type { SystemAlertSchema } from '#proto/cortex/agent/v1/alert_pb.ts';
import type { HeartbeatSchema } from '#proto/cortex/agent/v1/heartbeat_pb.ts';
import type {
  JobCancelSchema,
  JobProgressSchema,
  JobRequestSchema,
  JobResultSchema,
} from '#proto/cortex/agent/v1/job_pb.ts';
import type { BusPacket } from '#proto/cortex/agent/v1/packet_pb.ts';
import { BusPacketSchema } from '#proto/cortex/agent/v1/packet_pb.ts';

export type Payload = Exclude<BusPacket['payload'], { case: undefined }>;

/** A packet with one payload of a kind that we know. */
export type Packet = BusPacket & { payload: Payload };

/** Bytes; nats-server's own default for a message. */
export const maxPacketBytes = 1024 * 1024;

/** The only version there is; CAP grows by fields alone. */
export const protocolVersion = 1;

/** What every packet says about itself. `atMs` is unix time in milliseconds. */
export interface PacketHead {
  readonly traceId: string;
  readonly senderId: string;
  readonly atMs: number;
}

/** The bytes of a packet, unknown fields included. */
export function encodePacket(packet: BusPacket): Uint8Array {
  return toBinary(BusPacketSchema, packet);
}

/**
 * Reads a packet. Never throws: what is not a packet, is larger than `maxBytes`, carries no payload that we know, or
 * carries one without a usable id, is an invalid_argument that names the field. Trace id and time may be missing,
 * because heartbeats of foreign workers have neither. Fields that we do not know are kept.
 */
export function decodePacket(bytes: Uint8Array, maxBytes: number = maxPacketBytes): Result<Packet> {
  if (bytes.length > maxBytes)
    return err(invalid('packet', `is ${bytes.length} bytes long, at most ${maxBytes} are taken`));
  const problem = wireProblem(BusPacketSchema, bytes);
  if (problem !== undefined) return err(invalid('packet', problem));
  let packet: BusPacket;
  try {
    packet = fromBinary(BusPacketSchema, bytes);
  } catch (error) {
    return err(new CortexError('invalid_argument', 'packet: is not a BusPacket', { cause: error, field: 'packet' }));
  }
  if (!hasPayload(packet)) return err(invalid('payload', 'is missing, or of a kind that is not known here'));
  const id = payloadId(packet.payload);
  if (id !== undefined && !isId(id.value))
    return err(invalid(id.field, 'must be 1 to 128 of letters, digits, ".", "_" and "-"'));
  return ok(packet);
}

function hasPayload(packet: BusPacket): packet is Packet {
  return packet.payload.case !== undefined;
}

function payloadId(payload: Payload): { field: string; value: string } | undefined {
  switch (payload.case) {
    case 'jobRequest':
      return { field: 'job_request.job_id', value: payload.value.jobId };
    case 'jobResult':
      return { field: 'job_result.job_id', value: payload.value.jobId };
    case 'jobProgress':
      return { field: 'job_progress.job_id', value: payload.value.jobId };
    case 'jobCancel':
      return { field: 'job_cancel.job_id', value: payload.value.jobId };
    case 'heartbeat':
      return { field: 'heartbeat.worker_id', value: payload.value.workerId };
    case 'alert':
      return undefined;
  }
}

/** A submission, or a hand-out built anew. */
export function jobRequestPacket(head: PacketHead, request: MessageInitShape<typeof JobRequestSchema>): BusPacket {
  return packet(head, { case: 'jobRequest', value: request });
}

/** The bytes of such a packet around a request that is encoded already: its fields come behind those of the head, by their numbers. */
export function encodeRequestPacket(head: PacketHead, request: Uint8Array): Uint8Array {
  return new BinaryWriter()
    .raw(encodePacket(packet(head)))
    .tag(BusPacketSchema.field.jobRequest.number, WireType.LengthDelimited)
    .bytes(request)
    .finish();
}

/** How a job ended. */
export function jobResultPacket(head: PacketHead, result: MessageInitShape<typeof JobResultSchema>): BusPacket {
  return packet(head, { case: 'jobResult', value: result });
}

/** A worker's heartbeat. */
export function heartbeatPacket(head: PacketHead, heartbeat: MessageInitShape<typeof HeartbeatSchema>): BusPacket {
  return packet(head, { case: 'heartbeat', value: heartbeat });
}

/** News from a running job. */
export function progressPacket(head: PacketHead, progress: MessageInitShape<typeof JobProgressSchema>): BusPacket {
  return packet(head, { case: 'jobProgress', value: progress });
}

/** The request to stop a job. */
export function cancelPacket(head: PacketHead, cancel: MessageInitShape<typeof JobCancelSchema>): BusPacket {
  return packet(head, { case: 'jobCancel', value: cancel });
}

/** News for operators. */
export function alertPacket(head: PacketHead, alert: MessageInitShape<typeof SystemAlertSchema>): BusPacket {
  return packet(head, { case: 'alert', value: alert });
}

type PayloadInit = NonNullable<MessageInitShape<typeof BusPacketSchema>['payload']>;

function packet(head: PacketHead, payload?: PayloadInit): BusPacket {
  return create(BusPacketSchema, {
    traceId: head.traceId,
    senderId: head.senderId,
    createdAt: timestampFromMs(head.atMs),
    protocolVersion,
    ...(payload === undefined ? {} : { payload }),
  });
}
