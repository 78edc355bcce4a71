// The bytes under a request's digest: the same for the same request, whatever the order in which a client wrote its maps.
import type { DescMessage } from '@bufbuild/protobuf';
import { create, fromBinary, fromJson, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalRequestBytes } from '#core/protocol/canonical.ts';
import type { JobRequest } from '#proto/cortex/agent/v1/job_pb.ts';
import { JobRequestSchema } from '#proto/cortex/agent/v1/job_pb.ts';
import { fixtures } from './fixtures.ts';

const full = fromJson(JobRequestSchema, fixtures.find(([schema]) => schema === JobRequestSchema)?.[1][0] ?? {});

function ofMaps(entries: readonly (readonly [string, string])[]): JobRequest {
  const map = Object.fromEntries(entries);
  return create(JobRequestSchema, { jobId: 'a', env: map, labels: map, meta: { labels: map } });
}

/** A request as another client might write it: map entries in any order, fields in any order. */
function written(entries: readonly (readonly [string, string])[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const number of [15, 6]) {
    for (const [key, value] of entries) {
      const entry = new BinaryWriter()
        .tag(2, WireType.LengthDelimited)
        .string(value)
        .tag(1, WireType.LengthDelimited)
        .string(key);
      writer.tag(number, WireType.LengthDelimited).bytes(entry.finish());
    }
  }
  return writer.tag(1, WireType.LengthDelimited).string('a').tag(9, WireType.Varint).int32(0).finish();
}

test('bytes do not depend on the order of any map', () => {
  const key = fc.oneof(fc.string(), fc.constantFrom('0', '7', '10', '__proto__', 'constructor', ''));
  const maps = fc.uniqueArray(fc.tuple(key, fc.string()), { selector: ([name]) => name, maxLength: 8 });
  fc.assert(
    fc.property(maps, fc.infiniteStream(fc.nat()), (entries, random) => {
      const shuffled = entries
        .map((entry) => [random.next().value as number, entry] as const)
        .sort(([a], [b]) => a - b)
        .map(([, entry]) => entry);
      expect([...canonicalRequestBytes(ofMaps(shuffled))]).toEqual([...canonicalRequestBytes(ofMaps(entries))]);
      // Nothing is lost on the way.
      expect(fromBinary(JobRequestSchema, canonicalRequestBytes(ofMaps(shuffled)))).toEqual(ofMaps(entries));
    }),
  );
});

test('bytes do not depend on how another client wrote them', () => {
  const entries = [
    ['b', '1'],
    ['a', '2'],
    ['10', '3'],
    ['9', '4'],
  ] as const;
  const one = canonicalRequestBytes(fromBinary(JobRequestSchema, written(entries)));
  const two = canonicalRequestBytes(fromBinary(JobRequestSchema, written(entries.toReversed())));
  expect([...one]).toEqual([...two]);
  expect([...one]).toEqual([
    ...canonicalRequestBytes(
      create(JobRequestSchema, { jobId: 'a', env: Object.fromEntries(entries), labels: Object.fromEntries(entries) }),
    ),
  ]);
});

test('the request is left as it was, and its bytes read as the same request', () => {
  const before = toBinary(JobRequestSchema, full);
  const bytes = canonicalRequestBytes(full);
  expect([...toBinary(JobRequestSchema, full)]).toEqual([...before]);
  expect(fromBinary(JobRequestSchema, bytes)).toEqual(full);
});

test('every change of a field changes the bytes', () => {
  const bytes = canonicalRequestBytes(full).join();
  for (const field of JobRequestSchema.fields) {
    const less = fromBinary(JobRequestSchema, toBinary(JobRequestSchema, full));
    Reflect.set(less, field.localName, Reflect.get(create(JobRequestSchema), field.localName));
    expect(canonicalRequestBytes(less).join(), field.name).not.toBe(bytes);
  }
});

test('unknown fields are part of the bytes, at every depth', () => {
  const unknown = new BinaryWriter().tag(900, WireType.LengthDelimited).string('news').finish();
  const known = toBinary(JobRequestSchema, create(JobRequestSchema, { jobId: 'a' }));
  const nested = new BinaryWriter().tag(16, WireType.LengthDelimited).bytes(unknown).finish();
  const plain = canonicalRequestBytes(fromBinary(JobRequestSchema, known));
  for (const extra of [unknown, nested]) {
    const bytes = canonicalRequestBytes(fromBinary(JobRequestSchema, Uint8Array.of(...known, ...extra)));
    expect([...bytes]).toEqual([...known, ...extra]);
    expect([...bytes]).not.toEqual([...plain]);
  }
});

test('no type inside a request has a oneof, which the ordering would pass by', () => {
  const seen = new Set<DescMessage>();
  const visit = (schema: DescMessage): void => {
    if (seen.has(schema)) return;
    seen.add(schema);
    expect(schema.oneofs, schema.typeName).toEqual([]);
    for (const field of schema.fields) if (field.message !== undefined) visit(field.message);
  };
  visit(JobRequestSchema);
  expect(seen.size).toBe(4);
});
