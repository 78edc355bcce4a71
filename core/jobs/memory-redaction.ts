// The twin's redacted payloads: which key it is, and how long it lives.
import { type JobRecord, type Memory, recordOf, stored, textAt, unwanted } from './memory-state.ts';

/**
 * The payload that the policy wants instead, moved to where no other job can own it: whether it is there, and its key ('' for one that is
 * none of the job's).
 */
export function redactedPayload(memory: Memory, id: string, key: string): { there: boolean; key: string } {
  const own = `ctx:${id}:`;
  if (key.startsWith(own)) return { there: textAt(memory, key) !== undefined, key };
  if (!key.startsWith(`ctx:${id}-`) || recordOf(memory, key.slice('ctx:'.length)) !== undefined)
    return { there: false, key: '' };
  const kept = `${own}${key.slice(own.length)}`;
  const value = stored(memory.values, key, memory.options.now());
  if (typeof value !== 'string') return { there: textAt(memory, kept) !== undefined, key: kept };
  memory.values.delete(key);
  memory.values.set(kept, { value, expiresAt: Number.POSITIVE_INFINITY });
  return { there: true, key: kept };
}

/** What the last verdict says of the payload replaces what an earlier one said. */
export function redact(memory: Memory, record: JobRecord, key: string): void {
  if (record.redactedKey !== key) unwanted(memory, record);
  record.redactedKey = key;
}
