// Reads the books of the job store in memory, for the same auditor.
import type { Memory } from '#core/jobs/memory-store.ts';
import { type BookedJob, type Books, type Life, movedFrom } from './books.ts';

export function memoryBooks(memory: Memory): Books {
  const lifeOf = (expiresAt: number | undefined): Life =>
    expiresAt === undefined ? 'absent' : Number.isFinite(expiresAt) ? 'ending' : 'lasting';
  const isJob = (id: string): boolean => memory.records.has(id);
  const jobs = new Map<string, BookedJob>();
  const tenants = new Map<string, string[]>();
  const traces = new Map<string, string[]>();
  const list = (of: Map<string, string[]>, key: string, id: string): void => {
    const ids = of.get(key);
    if (ids === undefined) of.set(key, [id]);
    else ids.push(id);
  };
  for (const record of memory.records.values()) {
    const { id, tenant, state, attempt, queued, pool, lane, worker, traceId, notBefore, runDeadlineAt } = record;
    const { deadlineAt, endedAt, stoppedAt, path, idempotencyKey, digest, decision, approval } = record;
    const life = (key: string): Life => lifeOf(memory.values.get(key)?.expiresAt);
    jobs.set(id, {
      ...{ id, tenant, state, attempt, queued, pool, lane, worker, traceId, notBefore, runDeadlineAt },
      ...{ deadlineAt, endedAt, stoppedAt, path, digest, decision },
      policyHash: record.policy?.hash ?? '',
      approval: approval === undefined ? '' : `${approval.digest} ${approval.hash}`,
      fence: String(record.fence),
      rank: String(record.rank),
      life: {
        record: lifeOf(record.expiresAt),
        events: lifeOf(record.expiresAt),
        packet: record.packet === undefined ? 'absent' : 'lasting',
        payload: life(`ctx:${id}`),
        output: life(`out:${id}`),
        redacted: life(record.redactedKey),
        moved: life(movedFrom(id, record.redactedKey, isJob)),
        result: life(record.resultKey === '' ? `res:${id}` : record.resultKey),
        idempotency:
          idempotencyKey === undefined ? 'absent' : lifeOf(memory.idempotency.get(idempotencyKey)?.expiresAt),
      },
      artifacts: record.artifactKeys.map(life),
    });
    list(tenants, tenant, id);
    if (traceId !== '') list(traces, traceId, id);
  }
  const queues = new Map<string, readonly string[]>();
  const rings = new Map<string, readonly string[]>();
  for (const [name, ring] of memory.queue.rings) {
    rings.set(name, Array.from(ring.keys()));
    for (const [tenant, queue] of ring) queues.set(`${name} ${tenant}`, Array.from(queue.jobs.keys()));
  }
  const ids = Array.from(jobs.keys());
  const own = (key: string): boolean =>
    ids.some(
      (id) =>
        key === `ctx:${id}` ||
        key === `out:${id}` ||
        key === memory.records.get(id)?.redactedKey ||
        key === movedFrom(id, memory.records.get(id)?.redactedKey ?? '', isJob) ||
        (key.startsWith(`ctx:${id}:`) && memory.values.get(key)?.expiresAt !== Number.POSITIVE_INFINITY) ||
        key === `res:${id}` ||
        key.startsWith(`res:${id}-`) ||
        key.startsWith(`res:${id}:sealed:`),
    );
  return {
    jobs,
    due: memory.due,
    queues,
    rings,
    depths: new Map(memory.queue.depths().map(({ pool, lane, waiting }) => [`${pool} ${lane}`, waiting])),
    slots: memory.slots,
    tenants,
    recent: ids,
    traces,
    streams: memory.streams,
    strays: Array.from(memory.values.keys()).filter((key) => !own(key)),
  };
}

/** All that it holds as one text. */
export function memoryText(memory: Memory): string {
  const { records, values, idempotency, due, queue, slots, workers, streams, usage, metered } = memory;
  const held = Array.from(slots).filter(([, own]) => own.size > 0);
  const plain = (_: string, value: unknown): unknown => {
    if (value instanceof Map) return Array.from(value).toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1));
    if (value instanceof Uint8Array || value instanceof Set) return Array.from(value);
    return value === Number.POSITIVE_INFINITY ? 'never' : value;
  };
  return JSON.stringify(
    { records, values, idempotency, due, rings: queue.rings, held, workers, streams, usage, metered },
    plain,
  );
}
