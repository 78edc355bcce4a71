// The twin's reading: view, look, page, trace, transitions, result, events.
import { checkEventId, formatCursor, parseCursor } from './checks.ts';
import { formatPolicy, type JobEvent, type JobView } from './job.ts';
import { recordingName } from '#core/model/recording.ts';
import { type JobRecord, type Memory, recordOf, stored, textAt } from './memory-state.ts';
import type { JobKey, Page, PageQuery, Recorded, Seen, Standing, StandingJob, StandingOf } from './store.ts';

/** Jobs that one page looks at, at most, when a filter passes few. */
const pageLook = 1000;

/** A tenant's own record. */
export function ownRecord(memory: Memory, id: string, tenant: string | undefined): JobRecord | undefined {
  const record = recordOf(memory, id);
  return tenant === undefined || record?.tenant === tenant ? record : undefined;
}

export function viewOf(record: JobRecord): JobView {
  const { id, state, tenant, topic, traceId, principal, parentId, createdAt, updatedAt, startedAt, endedAt } = record;
  const { stoppedAt, deadlineAt, rule, pool, worker, attempts, failures, losses, execMs, progress, output } = record;
  const pointer = (key: string): string => `redis://${key}`;
  return {
    ...{ id, state, tenant, topic, traceId, principal, parentId, createdAt, updatedAt, startedAt, endedAt },
    ...{ stoppedAt, deadlineAt, rule, pool, worker, attempts, failures, losses, execMs, progress, output },
    fence: String(record.fence),
    safetyDecision: record.decision,
    safetyReason: record.reason,
    policy: record.policy === undefined ? '' : formatPolicy(record.policy),
    approvedBy: record.approval?.principal ?? '',
    errorCode: record.errorCode,
    errorMessage: record.errorMessage,
    final: record.final,
    resultPtr: record.resultKey === '' ? '' : pointer(record.resultKey),
    artifactPtrs: record.artifactKeys.map(pointer),
  };
}

const newestFirst = (a: Pick<JobRecord, 'createdAt' | 'id'>, b: Pick<JobRecord, 'createdAt' | 'id'>): number =>
  b.createdAt - a.createdAt || (a.id > b.id ? -1 : 1);

export function readPage(memory: Memory, query: PageQuery): Page {
  const cursor = parseCursor(query.cursor);
  const listed = allOf(memory)
    .filter((record) => record.tenant === query.tenant)
    .toSorted(newestFirst);
  const from =
    cursor === undefined ? 0 : listed.findIndex((record) => record.id !== cursor.id && newestFirst(cursor, record) < 0);
  const rest = from < 0 ? [] : listed.slice(from);
  const { limit, state, topic, traceId, updatedAfter, updatedBefore } = query;
  const jobs: JobView[] = [];
  let looked = 0;
  for (const record of rest.slice(0, pageLook)) {
    if (jobs.length >= limit) break;
    looked++;
    if (state !== undefined && record.state !== state) continue;
    if (topic !== undefined && record.topic !== topic) continue;
    if (traceId !== undefined && record.traceId !== traceId) continue;
    if (updatedAfter !== undefined && record.updatedAt < updatedAfter) continue;
    if (updatedBefore !== undefined && record.updatedAt > updatedBefore) continue;
    jobs.push(viewOf(record));
  }
  const last = rest[looked - 1];
  return { jobs, nextCursor: last !== undefined && rest.length > looked ? formatCursor(last) : undefined };
}

function allOf(memory: Memory): JobRecord[] {
  return Array.from(memory.records.keys()).flatMap((id) => recordOf(memory, id) ?? []);
}

export function readTrace(memory: Memory, traceId: string, tenant: string): readonly JobView[] {
  return allOf(memory)
    .filter((record) => record.traceId === traceId && record.tenant === tenant && traceId !== '')
    .toSorted((a, b) => newestFirst(b, a))
    .slice(0, pageLook)
    .map(viewOf);
}

export function readJob(memory: Memory, { id, tenant }: JobKey): Seen | undefined {
  const record = ownRecord(memory, id, tenant);
  if (record === undefined) return undefined;
  const result = record.resultKey === '' ? null : (textAt(memory, record.resultKey) ?? null);
  return { job: viewOf(record), result };
}

export function readRecording(memory: Memory, id: string, tenant: string): Recorded | undefined {
  const record = ownRecord(memory, id, tenant);
  if (record === undefined) return undefined;
  const own = `res:${id}-${recordingName}-`;
  const key = record.artifactKeys.findLast((one) => one.startsWith(own) && /^\d+$/.test(one.slice(own.length)));
  const bytes = key === undefined ? undefined : stored(memory.values, key, memory.options.now());
  return {
    job: viewOf(record),
    payload: textAt(memory, record.redactedKey === '' ? `ctx:${id}` : record.redactedKey) ?? null,
    result: record.resultKey === '' ? null : (textAt(memory, record.resultKey) ?? null),
    recording: bytes instanceof Uint8Array ? new TextDecoder().decode(bytes) : null,
  };
}

export function readEvents(memory: Memory, tenant: string, after: string, limit: number): readonly JobEvent[] {
  checkEventId(after);
  const order = (id: string): readonly [number, number] => {
    const [ms = 0, seq = 0] = id.split('-').map(Number);
    return [ms, seq];
  };
  const [afterMs, afterSeq] = after === '' ? [-1, 0] : order(after);
  const later = ({ id }: JobEvent): boolean => {
    const [ms, seq] = order(id);
    return ms > afterMs || (ms === afterMs && seq > afterSeq);
  };
  return (memory.streams.get(tenant) ?? []).filter(later).slice(0, limit);
}

/** Bytes of a packet that are shown; the other store counts its base64. */
const shownPacket = 12_000;

export function readStanding(memory: Memory, tenant: string, jobs: readonly StandingOf[]): Standing {
  const one = ({ id, packet, path }: StandingOf): StandingJob | undefined => {
    const record = ownRecord(memory, id, tenant);
    if (record === undefined) return undefined;
    const kept = packet === true ? record.packet : undefined;
    return {
      job: viewOf(record),
      packet: kept !== undefined && kept.length <= shownPacket ? kept : undefined,
      path: path === true ? record.path.slice() : [],
    };
  };
  return { at: memory.streams.get(tenant)?.at(-1)?.id ?? '', jobs: jobs.map(one) };
}
