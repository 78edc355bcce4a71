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

function sortMaps<T extends object>(schema: DescMessage, message: T): T {
  const copy = { ...message } as Record<string, unknown>;
  for (const field of schema.fields) {
    if (field.oneof !== undefined) continue; // JobRequest has none; a test says so for every type inside it
    const value = copy[field.localName];
    if (value === undefined) continue;
    if (field.fieldKind === 'map') copy[field.localName] = sortKeys(value as Record<string, unknown>);
    else if (field.fieldKind === 'message') copy[field.localName] = sortMaps(field.message, value as object);
    else if (field.fieldKind === 'list' && field.listKind === 'message') {
      const { message: item } = field;
      copy[field.localName] = (value as object[]).map((entry) => sortMaps(item, entry));
    }
  }
  return copy as T;
}

// Keys that look like array indices come first in any object, in numeric order: another order than by text, the same every time.
// Object.fromEntries and not assignment, because a key may be `__proto__`.
function sortKeys(map: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));
}
