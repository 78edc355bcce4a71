// The twin's text that attempts give out.
import { type Memory, recordOf, stored } from './memory-state.ts';
import {
  maxOutputBytes,
  type Output,
  type OutputAnswer,
  type OutputPage,
  outputPageBytes,
  type OutputQuery,
} from './output.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Appends, unless the attempt is not the current one or the text does not go on where the kept one ends. */
export function keepOutput(memory: Memory, item: Output): OutputAnswer {
  const record = recordOf(memory, item.id);
  if (record === undefined) return 'missing';
  if (record.state !== 'RUNNING' || String(record.fence) !== item.fence || record.attempt !== item.attempt)
    return 'stale';
  const key = `out:${item.id}`;
  const kept = record.output?.fence === item.fence ? bytesAt(memory, key) : none;
  const bytes = encoder.encode(item.text);
  const end = item.at + bytes.length;
  if (kept.length >= end) return 'ok';
  if (kept.length !== item.at) return 'gap';
  if (end > maxOutputBytes) return 'full';
  const value = new Uint8Array(end);
  value.set(kept);
  value.set(bytes, item.at);
  memory.values.set(key, { value, expiresAt: Number.POSITIVE_INFINITY });
  record.output = { fence: item.fence, attempt: record.attempts };
  return 'ok';
}

/** A page of it, for the tenant whose job it is. */
export function readOutput(memory: Memory, { id, tenant, fence, at }: OutputQuery): OutputPage | undefined {
  const record = recordOf(memory, id);
  if (record?.tenant !== tenant || record.output === undefined) return undefined;
  const bytes = bytesAt(memory, `out:${id}`);
  if (bytes.length === 0) return undefined;
  const asked = record.output.fence === fence ? at : 0;
  const from = asked > bytes.length || inside(bytes[asked]) ? 0 : asked;
  let next = Math.min(bytes.length, from + outputPageBytes);
  while (inside(bytes[next])) next--;
  const text = decoder.decode(bytes.subarray(from, next));
  return { ...record.output, at: from, text, next, more: next < bytes.length };
}

const none = new Uint8Array(0);

function bytesAt(memory: Memory, key: string): Uint8Array {
  const value = stored(memory.values, key, memory.options.now());
  return typeof value === 'object' ? value : none;
}

/** Whether a byte is one of a character's later ones. */
function inside(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 128 && byte < 192;
}
