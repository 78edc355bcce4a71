// The bytes over which a submission's digest is taken. Go writes maps in random order, so a client that sends the same
// request again sends other bytes; these are the same. Hashing them is left to the caller: this file only orders.
import type { DescMessage } from '@bufbuild/protobuf';
import { toBinary } from '@bufbuild/protobuf';
import type { JobRequest } from '#proto/cortex/agent/v1/job_pb.ts';
import { JobRequestSchema } from '#proto/cortex/agent/v1/job_pb.ts';

/**
 * Bytes that are equal for equal requests: fields by number, maps by key at every depth, unknown fields kept in the order
 * in which they came (what we do not know, we cannot sort). The request itself is left as it is.
 */
export function canonicalRequestBytes(request: JobRequest): Uint8Array {
  return toBinary(JobRequestSchema, sortMaps(JobRequestSchema, request));
}

/** The message itself where nothing is out of order, as in the packets that we made. */
function sortMaps<T extends object>(schema: DescMessage, message: T): T {
  let copy: Record<string, unknown> | undefined;
  for (const field of schema.fields) {
    if (field.oneof !== undefined) continue; // JobRequest has none; a test says so for every type inside it
    const value = (message as Record<string, unknown>)[field.localName];
    if (value === undefined) continue;
    let sorted = value;
    if (field.fieldKind === 'map') sorted = sortKeys(value as Record<string, unknown>);
    else if (field.fieldKind === 'message') sorted = sortMaps(field.message, value as object);
    else if (field.fieldKind === 'list' && field.listKind === 'message') {
      const { message: item } = field;
      sorted = (value as object[]).map((entry) => sortMaps(item, entry));
    }
    if (sorted === value) continue;
    copy ??= { ...message } as Record<string, unknown>;
    copy[field.localName] = sorted;
  }
  return (copy ?? message) as T;
}

// Keys that look like array indices come first in any object, in numeric order: another order than by text, the same every time.
// Object.fromEntries and not assignment, because a key may be `__proto__`.
function sortKeys(map: Record<string, unknown>): Record<string, unknown> {
  const keys = Object.keys(map);
  if (keys.every((key, i) => i === 0 || (keys[i - 1] ?? '') < key)) return map;
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));
}
