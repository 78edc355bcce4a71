// The twin of the memories, beside that of the job store whose records it looks at.
import type { Entry } from '#core/context/memory/entry.ts';
import type { AppendedSaid, AppendSaid, Bound, MemoryLog } from '#core/context/memory/log.ts';
import { isHeld, type Memory, recordOf } from './memory-state.ts';

/** What the twin keeps of one memory. */
export interface KeptMemory {
  readonly epoch: string;
  readonly entries: { readonly entry: Entry; readonly bytes: number }[];
  readonly keys: Map<string, number>;
  next: number;
  bound: Bound | undefined;
  writtenAt: number;
}

const encoder = new TextEncoder();

/** The one of that name, made if it is not there; the others of its tenant give way. */
function written(memory: Memory, tenant: string, name: string): KeptMemory {
  const { now, memoryLimits } = memory.options;
  const all = live(memory, tenant);
  const kept = all.get(name) ?? {
    ...{
      epoch: `${now()}-${memory.options.random()}`,
      entries: [],
      keys: new Map<string, number>(),
      next: 0,
      bound: undefined,
    },
    writtenAt: 0,
  };
  kept.writtenAt = now();
  all.delete(name);
  all.set(name, kept);
  for (const other of all.keys()) {
    if (all.size <= memoryLimits.memories) break;
    if (other !== name) all.delete(other);
  }
  return kept;
}

/** In the order in which they were written. */
function live(memory: Memory, tenant: string): Map<string, KeptMemory> {
  const all = memory.memories.get(tenant) ?? new Map<string, KeptMemory>();
  memory.memories.set(tenant, all);
  const { now, memoryLimits } = memory.options;
  for (const [name, { writtenAt }] of all) if (writtenAt + memoryLimits.ttlMs <= now()) all.delete(name);
  return all;
}

/** Adds to a log, unless that key was there. */
export function remember(memory: Memory, { tenant, memory: name, said, key, job }: AppendSaid): 'ok' | 'known' {
  if (key !== '' && live(memory, tenant).get(name)?.keys.has(key) === true) return 'known';
  const { now, memoryLimits } = memory.options;
  const kept = written(memory, tenant, name);
  for (const { role, content } of said) {
    const entry = { number: kept.next++, role, content: content.toWellFormed(), ts: Math.floor(now() / 1_000), job };
    const { number: _, ...stored } = entry;
    kept.entries.push({ entry, bytes: encoder.encode(JSON.stringify(stored)).length });
  }
  const isOver = (entries: number, most: number): boolean => {
    return kept.entries.length > entries || kept.entries.reduce((sum, { bytes }) => sum + bytes, 0) > most;
  };
  const { entries, bytes } = memoryLimits;
  if (isOver(entries, bytes)) {
    const lower = [entries - Math.floor(entries / 10), bytes - Math.floor(bytes / 10)] as const;
    while (kept.entries.length > 1 && isOver(...lower)) kept.entries.shift();
  }
  if (key !== '') kept.keys.set(key, kept.next);
  const first = kept.entries[0]?.entry.number ?? kept.next;
  for (const [other, behind] of kept.keys) if (behind <= first) kept.keys.delete(other);
  return 'ok';
}

/** Memories on the maps of a store in memory. */
export function createMemoryLog(memory: Memory): MemoryLog {
  const holds = ({ tenant, job, hold }: Pick<AppendSaid, 'tenant' | 'job' | 'hold'>): boolean => {
    if (hold === undefined) return true;
    const record = recordOf(memory, job);
    if (record === undefined || !isHeld(record) || record.tenant !== tenant) return false;
    return String(record.fence) === hold.fence && record.attempt === hold.attempt;
  };
  return {
    async append(item) {
      return Promise.resolve<AppendedSaid>(holds(item) ? remember(memory, item) : 'stale');
    },
    async holds(item) {
      return Promise.resolve(holds(item));
    },
    async read({ tenant, memory: name, from }) {
      const kept = live(memory, tenant).get(name);
      const entries = (kept?.entries ?? []).map(({ entry }) => entry).filter(({ number }) => number >= from);
      const first = kept?.entries[0]?.entry.number ?? kept?.next ?? 0;
      return Promise.resolve({ epoch: kept?.epoch ?? '', first, entries, more: false, bound: kept?.bound });
    },
    async bind(item) {
      if (!holds(item)) return Promise.resolve('stale');
      written(memory, item.tenant, item.memory).bound = { repository: item.repository, commit: item.commit };
      return Promise.resolve('ok');
    },
    async forget({ tenant, memory: name }) {
      return Promise.resolve(live(memory, tenant).delete(name));
    },
    async list({ tenant, limit }) {
      const all = [...live(memory, tenant)].map(([name, { writtenAt }]) => ({ memory: name, writtenAt }));
      return Promise.resolve(all.toReversed().slice(0, limit));
    },
  };
}
