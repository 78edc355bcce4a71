// The twin's redacted payloads: which key it is, and how long it lives.
import { expire, type JobRecord, type Memory, recordOf, stored, textAt } from './memory-state.ts';

/** The key of the payload that the policy wants instead, where no other job can own it; undefined when it is not there. */
export function redactedPayload(memory: Memory, id: string, key: string): string | undefined {
  const own = `ctx:${id}:`;
  if (key.startsWith(own)) return textAt(memory, key) === undefined ? undefined : key;
  if (!key.startsWith(`ctx:${id}-`) || recordOf(memory, key.slice('ctx:'.length)) !== undefined) return undefined;
  const kept = `${own}${key.slice(own.length)}`;
  const value = stored(memory.values, key, memory.options.now());
  if (typeof value !== 'string') return textAt(memory, kept) === undefined ? undefined : kept;
  memory.values.delete(key);
  memory.values.set(kept, { value, expiresAt: Number.POSITIVE_INFINITY });
  return kept;
}

/** What the last verdict says of the payload replaces what an earlier one said. */
export function redact(memory: Memory, record: JobRecord, key: string): void {
  const { now, dataTtlMs } = memory.options;
  if (record.redactedKey !== key) expire(memory.values, record.redactedKey, now() + dataTtlMs);
  expire(memory.values, key, Number.POSITIVE_INFINITY);
  record.redactedKey = key;
}
