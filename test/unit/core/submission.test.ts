// What a submission becomes: the packet that is kept says the same as the one that any client would write, and the digest is of its request.
import { create, fromJson, toBinary } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { digestOf, newJob, requestDigest } from '#core/jobs/submission.ts';
import { decodePacket, jobRequestPacket } from '#core/protocol/envelope.ts';
import { unwrap } from '#core/result.ts';
import { JobRequestSchema } from '#proto/cortex/agent/v1/job_pb.ts';
import { BusPacketSchema } from '#proto/cortex/agent/v1/packet_pb.ts';
import { fixtures } from '../protocol/fixtures.ts';

const facts = {
  tenant: 'acme',
  principal: 'ann',
  traceId: 'trace',
  sender: 'test',
  now: 1_800_000_000_123,
  payload: '{}',
};
const head = { traceId: facts.traceId, senderId: facts.sender, atMs: facts.now };
const full = fromJson(JobRequestSchema, fixtures.find(([schema]) => schema === JobRequestSchema)?.[1][0] ?? {});

test.each([
  ['every field', full],
  ['an id alone', create(JobRequestSchema, { jobId: 'j' })],
  [
    'maps in another order',
    create(JobRequestSchema, { jobId: 'j', env: { z: '1', a: '2' }, labels: { b: '', a: '' } }),
  ],
  ['a request of 200 kB', create(JobRequestSchema, { jobId: 'j', env: { long: 'ä'.repeat(100_000) } })],
])('the packet of a request with %s says what the request says', (_, request) => {
  const { packet, digest } = newJob({ request, ...facts });
  expect(unwrap(decodePacket(packet))).toEqual(jobRequestPacket(head, request));
  expect(digest).toBe(requestDigest(request, 'acme'));
  // The gate judges by the digest of what is read back.
  const kept = unwrap(decodePacket(packet)).payload.value as typeof request;
  expect(requestDigest(kept, 'acme')).toBe(digest);
  expect(requestDigest(kept, 'other')).not.toBe(digest);
});

test('where no map is out of order the bytes are those of the plain encoding', () => {
  const request = create(JobRequestSchema, { jobId: 'j', topic: 'job.x', env: { a: '1', b: '2' } });
  expect(newJob({ request, ...facts }).packet).toEqual(toBinary(BusPacketSchema, jobRequestPacket(head, request)));
});

test('a digest stays what it is: it is compared with stored ones', () => {
  expect(digestOf()).toBe('47DEQpj8HBSa-_TImW-5JA');
  expect(digestOf('a', new Uint8Array([1, 2, 3]))).toBe(digestOf(new Uint8Array([97]), '\u0001\u0002\u0003'));
  expect(digestOf('ab', 'c')).not.toBe(digestOf('a', 'bc'));
  expect(digestOf('key', 'ä'.repeat(1000))).toBe('L797Ii32xGWaAt8b1y4EPQ');
});
