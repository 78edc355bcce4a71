// The door between bytes and packets: what we build, what we take from others, and what never gets in.
import { create, fromBinary, fromJson, toBinary } from '@bufbuild/protobuf';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import * as fc from 'fast-check';
import * as protobufjs from 'protobufjs';
import { expect, test } from 'vitest';
import {
  alertPacket,
  cancelPacket,
  decodePacket,
  encodePacket,
  heartbeatPacket,
  jobRequestPacket,
  jobResultPacket,
  maxPacketBytes,
  progressPacket,
} from '#core/protocol/envelope.ts';
import { unwrap } from '#core/result.ts';
import { JobRequestSchema, JobStatus } from '#proto/cortex/agent/v1/job_pb.ts';
import { BusPacketSchema } from '#proto/cortex/agent/v1/packet_pb.ts';
import { fixtures } from './fixtures.ts';

const head = { traceId: 'trace-1', senderId: 'worker-echo-1', atMs: 1_700_000_000_123 };
const packets = (fixtures.find(([schema]) => schema === BusPacketSchema)?.[1] ?? []).map((json) =>
  fromJson(BusPacketSchema, json),
);

/** A packet as its bytes, with any payload bytes under any field number and wire type. */
function raw(write: (writer: BinaryWriter) => BinaryWriter): Uint8Array {
  return write(new BinaryWriter()).finish();
}

function problemOf(bytes: Uint8Array): string {
  const result = decodePacket(bytes);
  if (result.ok) throw new Error(`taken: ${JSON.stringify(result.value.payload.case)}`);
  expect(result.error.code).toBe('invalid_argument');
  return result.error.message;
}

test.each([
  ['jobRequest', jobRequestPacket(head, { jobId: 'a', topic: 'job.echo' })],
  ['jobResult', jobResultPacket(head, { jobId: 'a', status: JobStatus.SUCCEEDED, executionMs: 12n })],
  ['heartbeat', heartbeatPacket(head, { workerId: 'w', pool: 'echo', labels: { 'cortex.dispatch': 'direct' } })],
  ['jobProgress', progressPacket(head, { jobId: 'a', percent: 50 })],
  ['jobCancel', cancelPacket(head, { jobId: 'a', reason: 'enough' })],
  ['alert', alertPacket(head, { level: 'WARN', message: 'slow' })],
] as const)('a built %s packet comes back as it was, with trace, sender, time and version', (kind, packet) => {
  const read = unwrap(decodePacket(encodePacket(packet)));
  expect(read.payload.case).toBe(kind);
  expect(read).toEqual(packet);
  expect(read.traceId).toBe('trace-1');
  expect(read.senderId).toBe('worker-echo-1');
  expect(read.createdAt && timestampMs(read.createdAt)).toBe(1_700_000_000_123);
  expect(read.protocolVersion).toBe(1);
});

test('a heartbeat without trace id and without time is taken', () => {
  const bytes = toBinary(
    BusPacketSchema,
    create(BusPacketSchema, { payload: { case: 'heartbeat', value: { workerId: 'cap-worker', pool: 'echo' } } }),
  );
  const read = unwrap(decodePacket(bytes));
  expect(read.traceId).toBe('');
  expect(read.createdAt).toBeUndefined();
  expect(read.payload).toMatchObject({ case: 'heartbeat', value: { workerId: 'cap-worker' } });
});

test('fields that we do not know survive decode and encode, at the top and inside the payload', () => {
  const inner = raw((w) =>
    w
      .tag(1, WireType.LengthDelimited)
      .string('a')
      .tag(900, WireType.LengthDelimited)
      .string('inside')
      .tag(901, WireType.Bit64)
      .fixed64(7n),
  );
  const bytes = raw((w) =>
    w
      .tag(10, WireType.LengthDelimited)
      .bytes(inner)
      .tag(17, WireType.LengthDelimited)
      .string('top')
      .tag(18, WireType.Varint)
      .uint32(300),
  );
  const again = encodePacket(unwrap(decodePacket(bytes)));
  expect([...again]).toEqual([...bytes]);
});

test('the signature of a foreign packet survives', () => {
  const signed = packets.find((packet) => packet.signature.length > 0);
  expect(signed).toBeDefined();
  if (signed !== undefined)
    expect([...unwrap(decodePacket(encodePacket(signed))).signature]).toEqual([0xde, 0xad, 0xbe, 0xef]);
});

test('a packet without a payload, or with one of an unknown kind, is refused', () => {
  expect(problemOf(new Uint8Array())).toMatch(/^payload: /);
  expect(problemOf(raw((w) => w.tag(1, WireType.LengthDelimited).string('trace')))).toMatch(/^payload: /);
  expect(problemOf(raw((w) => w.tag(17, WireType.LengthDelimited).string('handshake')))).toMatch(/^payload: /);
});

test.each(['', 'a b', 'ctx:a', 'a*', 'é', 'x'.repeat(129)])(
  'an id like %j is refused, and the field is named',
  (id) => {
    expect(problemOf(encodePacket(jobRequestPacket(head, { jobId: id })))).toMatch(/^job_request\.job_id: /);
    expect(problemOf(encodePacket(jobResultPacket(head, { jobId: id })))).toMatch(/^job_result\.job_id: /);
    expect(problemOf(encodePacket(progressPacket(head, { jobId: id })))).toMatch(/^job_progress\.job_id: /);
    expect(problemOf(encodePacket(cancelPacket(head, { jobId: id })))).toMatch(/^job_cancel\.job_id: /);
    expect(problemOf(encodePacket(heartbeatPacket(head, { workerId: id })))).toMatch(/^heartbeat\.worker_id: /);
  },
);

test('a packet larger than allowed is refused before it is read', () => {
  const packet = jobRequestPacket(head, { jobId: 'a', env: { text: 'x'.repeat(maxPacketBytes) } });
  expect(problemOf(encodePacket(packet))).toContain(`at most ${maxPacketBytes}`);
  const small = encodePacket(jobRequestPacket(head, { jobId: 'a' }));
  expect(decodePacket(small, small.length).ok).toBe(true);
  expect(decodePacket(small, small.length - 1).ok).toBe(false);
});

test('text that is not UTF-8 is refused', () => {
  const inner = raw((w) =>
    w.tag(1, WireType.LengthDelimited).string('a').tag(2, WireType.LengthDelimited).bytes(Uint8Array.of(0xff, 0xfe)),
  );
  expect(problemOf(raw((w) => w.tag(10, WireType.LengthDelimited).bytes(inner)))).toMatch(/^packet: /);
});

test('a known field under another wire type is refused, because implementations read it differently', () => {
  // As a string, field 2 swallows the two bytes after its "length"; as a varint, they are the next field.
  const inner = raw((w) =>
    w.tag(1, WireType.LengthDelimited).string('a').tag(2, WireType.Varint).uint32(2).tag(3, WireType.Varint).uint32(3),
  );
  const bytes = raw((w) => w.tag(10, WireType.LengthDelimited).bytes(inner));
  expect(fromBinary(BusPacketSchema, bytes).payload.case).toBe('jobRequest');
  expect(problemOf(bytes)).toBe('packet: JobRequest.topic has wire type 0');
});

test('a message that is there twice is refused: who takes the last alone would not see what was judged', () => {
  const trusted = encodePacket(jobRequestPacket(head, { jobId: 'a', topic: 'job.x', labels: { trusted: 'yes' } }));
  const plain = encodePacket(jobRequestPacket(head, { jobId: 'a', topic: 'job.x' }));
  expect(problemOf(new Uint8Array([...trusted, ...plain]))).toMatch(/^packet: BusPacket\.\w+ is there twice$/);
  const meta = raw((w) =>
    w.tag(16, WireType.LengthDelimited).bytes(raw((m) => m.tag(1, WireType.LengthDelimited).string('t'))),
  );
  const inner = raw((w) => w.tag(1, WireType.LengthDelimited).string('a').raw(meta).raw(meta));
  const bytes = raw((w) => w.tag(10, WireType.LengthDelimited).bytes(inner));
  expect(problemOf(bytes)).toBe('packet: JobRequest.meta is there twice');
});

test('a length that leaves its message is refused', () => {
  // The request claims 3 bytes and its job id 2 more than that; the decoder alone would read on into the next field.
  const bytes = Uint8Array.of(0x52, 3, 0x0a, 3, 0x61, 0x62, 0x63, 0x0a, 1, 0x74);
  expect(problemOf(bytes)).toBe('packet: JobRequest ends inside a field');
});

test('every truncation of every packet is refused or is a whole packet, and none throws', () => {
  for (const packet of packets) {
    const bytes = encodePacket(packet);
    for (let length = 0; length < bytes.length; length++) {
      const result = decodePacket(bytes.subarray(0, length));
      if (!result.ok) expect(result.error.code).toBe('invalid_argument');
    }
  }
});

test('random bytes never throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      const result = decodePacket(bytes);
      return result.ok || result.error.code === 'invalid_argument';
    }),
    { numRuns: 5000 },
  );
});

test('damaged packets never throw, and what is still taken reads the same to another implementation', () => {
  const other = protobufjs
    .parse(
      `syntax = "proto3"; message P { R job_request = 10; } message R {
    string job_id = 1; string topic = 2; string context_ptr = 4; map<string, string> env = 6; string tenant_id = 13; M meta = 16;
  } message M { string tenant_id = 1; }`,
      { keepCase: true },
    )
    .root.lookupType('P');
  const whole = packets.map(encodePacket);
  let taken = 0;
  fc.assert(
    fc.property(
      fc.constantFrom(...whole),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      (bytes, damage) => {
        const copy = bytes.slice();
        for (const [at, value] of damage) copy[at % copy.length] = value;
        const result = decodePacket(copy);
        if (!result.ok || result.value.payload.case !== 'jobRequest') return;
        taken++;
        const ours = result.value.payload.value;
        const theirs = other.toObject(other.decode(copy), { defaults: true })['job_request'] as Record<string, unknown>;
        expect(theirs).toMatchObject({
          job_id: ours.jobId,
          topic: ours.topic,
          context_ptr: ours.contextPtr,
          tenant_id: ours.tenantId,
        });
        expect(theirs['env']).toEqual(ours.env);
      },
    ),
    { numRuns: 5000 },
  );
  expect(taken).toBeGreaterThan(100);
});

test('a label named __proto__ stays a label', () => {
  const labels = JSON.parse('{"__proto__":"x"}') as Record<string, string>;
  const bytes = encodePacket(jobRequestPacket(head, create(JobRequestSchema, { jobId: 'a', labels })));
  const read = unwrap(decodePacket(bytes));
  expect(read.payload.case === 'jobRequest' && Object.entries(read.payload.value.labels)).toEqual([['__proto__', 'x']]);
});
