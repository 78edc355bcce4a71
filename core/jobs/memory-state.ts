// What the twin of the Redis store keeps, in plain maps, and the few moves that all its operations are made of: an event, an end, a job
// back in the queue. The rules are those of state.ts.
import { type MemoryLimits, memoryLimits as usualLimits } from '#core/context/memory/log.ts';
import type { KeptMemory } from './memory-log.ts';
import { type EndState, isEnd, type JobState } from './state.ts';
import type { JobEnd, JobEvent, PolicyVersion, PriorityRank } from './job.ts';
import { createReadyQueue, type ReadyQueue } from './memory-queue.ts';
import { type UsageRow, usageMs } from './usage.ts';
import type { OutputOf } from './output.ts';

export interface MemoryStoreOptions {
  /** ms since the epoch: the store's own time. A clock of core/system.ts fits. */
  readonly now: () => number;
  /** Unguessable text for attempt ids. */
  readonly random: () => string;
  /** Called with the steps of each call after they are stored; must not throw. */
  readonly onEvents?: (events: readonly JobEvent[]) => void;
  /** How long the record of an ended job is kept, ms. Default 7 days. */
  readonly metaTtlMs?: number;
  /** How long payloads, results and artifacts are kept after the end, ms. Default 24 hours. */
  readonly dataTtlMs?: number;
  /** How long the sums of a day are kept, ms. Default 400 days. */
  readonly usageTtlMs?: number;
  /** What memories may take; defaults in core/context/memory/log.ts. */
  readonly memoryLimits?: Partial<MemoryLimits>;
}

export interface JobRecord {
  readonly id: string;
  readonly tenant: string;
  readonly topic: string;
  readonly traceId: string;
  readonly principal: string;
  readonly parentId: string;
  readonly rank: PriorityRank;
  readonly digest: string;
  readonly createdAt: number;
  deadlineAt: number;
  readonly idempotencyKey: string | undefined;
  /** Dropped at the end. */
  packet: Uint8Array | undefined;
  state: JobState;
  /** Unix seconds. */
  updatedAt: number;
  fence: number;
  /** Empty while nobody holds it. */
  attempt: string;
  worker: string;
  instance: string;
  decision: string;
  reason: string;
  rule: string;
  /** Whether a gate step was here, whatever it came to. */
  gated: boolean;
  policy: PolicyVersion | undefined;
  /** A person's word: for which body, under which policy, whose. */
  approval: { readonly digest: string; readonly hash: string; readonly principal: string } | undefined;
  constraints: string;
  /** Key of the payload that the policy wants instead of the job's own; empty for none. */
  redactedKey: string;
  cost: number;
  pool: string;
  lane: string;
  timeoutMs: number;
  maxRetries: number;
  queued: boolean;
  queuedAt: number;
  notBefore: number;
  firstHandOutAt: number;
  runDeadlineAt: number;
  startedAt: number;
  endedAt: number;
  /** 0 while unknown. */
  stoppedAt: number;
  attempts: number;
  failures: number;
  losses: number;
  /** Those after which the run of a workflow got on. */
  lossesBefore: number;
  /** A step of its parent's run. */
  readonly bound: boolean;
  /** The run that it is a step of, once that has ended; empty otherwise. */
  orphanOf: string;
  /** Hand-outs to a bus-only worker that may still answer. */
  openHandOuts: number;
  committed: boolean;
  execMs: number;
  errorCode: string;
  errorMessage: string;
  final: boolean;
  /** A key of `values`; empty for none. */
  resultKey: string;
  artifactKeys: string[];
  progress: { readonly percent: number; readonly message: string } | undefined;
  /** Whose text is at `out:<id>`. */
  output: OutputOf | undefined;
  /** `<unix_s>|<STATE>`. */
  readonly path: string[];
  /** Infinity until it has ended. */
  expiresAt: number;
}

export interface Stored<T> {
  readonly value: T;
  readonly expiresAt: number;
}

export interface WorkerRecord {
  readonly instance: string;
  readonly capacity: number;
  readonly pool: string;
  readonly aliveUntil: number;
}

export interface Memory {
  readonly options: Required<Omit<MemoryStoreOptions, 'onEvents' | 'memoryLimits'>> & {
    readonly memoryLimits: MemoryLimits;
  };
  readonly records: Map<string, JobRecord>;
  /** Payloads, results, artifacts: `ctx:<id>`, `res:<id>`. Clients and workers that speak the bus alone write here as well. */
  readonly values: Map<string, Stored<string | Uint8Array>>;
  /** By tenant and key. */
  readonly idempotency: Map<string, Stored<{ readonly id: string; readonly digest: string }>>;
  readonly due: Map<string, number>;
  readonly queue: ReadyQueue;
  readonly slots: Map<string, Map<string, number>>;
  readonly workers: Map<string, WorkerRecord>;
  readonly streams: Map<string, JobEvent[]>;
  /** By tenant and day; by model. */
  readonly usage: Map<string, Stored<Map<string, UsageRow>>>;
  /** By job and attempt: the requests that were counted. */
  readonly metered: Map<string, Stored<Set<number>>>;
  /** By tenant, by name: what was said. */
  readonly memories: Map<string, Map<string, KeptMemory>>;
  /** Steps that were not reported yet. */
  steps: JobEvent[];
}

/** Losses that a job survives; the next one ends it. */
export const maxLosses = 3;

/** Losses that the run of a workflow survives, however it got on between them. */
export const mostLosses = 20;

/** How long after its end a job is looked at again when nobody said that its end was announced, ms. */
const announceMs = 2000;
const streamLength = 10_000;
const pathLength = 1000;
const aDay = 24 * 3600 * 1000;

export function createMemory({
  onEvents: _,
  metaTtlMs = 7 * aDay,
  dataTtlMs = aDay,
  usageTtlMs = usageMs,
  memoryLimits,
  ...rest
}: MemoryStoreOptions): Memory {
  return {
    options: { ...rest, metaTtlMs, dataTtlMs, usageTtlMs, memoryLimits: { ...usualLimits, ...memoryLimits } },
    records: new Map(),
    values: new Map(),
    idempotency: new Map(),
    due: new Map(),
    queue: createReadyQueue(),
    slots: new Map(),
    workers: new Map(),
    streams: new Map(),
    usage: new Map(),
    metered: new Map(),
    memories: new Map(),
    steps: [],
  };
}

/** What is stored under a key and has not expired. */
export function stored<T>(map: Map<string, Stored<T>>, key: string, now: number): T | undefined {
  const entry = map.get(key);
  if (entry === undefined) return undefined;
  if (entry.expiresAt > now) return entry.value;
  map.delete(key);
  return undefined;
}

/** The record of a job, unless it has expired. */
export function recordOf(memory: Memory, id: string): JobRecord | undefined {
  const record = memory.records.get(id);
  if (record === undefined || record.expiresAt > memory.options.now()) return record;
  memory.records.delete(id);
  return undefined;
}

/** Text at a key. */
export function textAt(memory: Memory, key: string): string | undefined {
  const value = stored(memory.values, key, memory.options.now());
  return typeof value === 'string' ? value : undefined;
}

/** Gives a key another end. */
export function expire<T>(map: Map<string, Stored<T>>, key: string, expiresAt: number): void {
  const entry = map.get(key);
  if (entry !== undefined) map.set(key, { ...entry, expiresAt });
}

/** The end of a redacted payload, and of the key that it was moved from, in case that was written again; it may be another job's. */
export function unwanted(memory: Memory, { id, redactedKey }: JobRecord): void {
  if (redactedKey === '') return;
  const { now, dataTtlMs } = memory.options;
  expire(memory.values, redactedKey, now() + dataTtlMs);
  const other = `${id}-${redactedKey.slice(`ctx:${id}:`.length)}`;
  if (recordOf(memory, other) === undefined) expire(memory.values, `ctx:${other}`, now() + dataTtlMs);
}

/** An end for what a worker that speaks the bus alone wrote: it gives its keys none. */
export function endLasting(memory: Memory, key: string): void {
  const entry = memory.values.get(key);
  const { now, dataTtlMs } = memory.options;
  if (entry?.expiresAt === Number.POSITIVE_INFINITY) expire(memory.values, key, now() + dataTtlMs);
}

export function slotsOf(memory: Memory, worker: string): Map<string, number> {
  let slots = memory.slots.get(worker);
  if (slots === undefined) {
    slots = new Map();
    memory.slots.set(worker, slots);
  }
  return slots;
}

/** Whether somebody holds the job. */
export function isHeld({ state }: JobRecord): boolean {
  return state === 'DISPATCHED' || state === 'RUNNING';
}

/** The job goes to another state: the one place where that is written and told. */
export function move(memory: Memory, record: JobRecord, to: JobState): void {
  const ts = memory.options.now();
  record.state = to;
  record.updatedAt = Math.floor(ts / 1000);
  append(record.path, `${record.updatedAt}|${to}`, pathLength);
  const stream = memory.streams.get(record.tenant) ?? [];
  memory.streams.set(record.tenant, stream);
  const prev = stream.at(-1)?.id ?? '';
  const id = after(prev, ts);
  const event = { id, prev, tenant: record.tenant, job: record.id, state: to, fence: String(record.fence), ts };
  append(stream, event, streamLength);
  memory.steps.push(event);
}

function append<T>(list: T[], item: T, most: number): void {
  list.push(item);
  if (list.length > most) list.shift();
}

/** The id of the next entry, as Redis makes them: time and a number within it, never backwards. */
function after(prev: string, now: number): string {
  const [ms = 0, seq = 0] = prev === '' ? [] : prev.split('-').map(Number);
  return prev !== '' && ms >= now ? `${ms}-${seq + 1}` : `${now}-0`;
}

/** SCHEDULED: in the ready queue, or not before a delay has passed. */
export function schedule(memory: Memory, record: JobRecord, delayMs: number): void {
  const now = memory.options.now();
  record.queued = delayMs <= 0;
  record.notBefore = delayMs > 0 ? now + delayMs : 0;
  if (record.queued) {
    record.queuedAt = now;
    memory.queue.add(record);
  }
  memory.due.set(record.id, Math.min(record.queued ? record.deadlineAt : record.notBefore, record.deadlineAt));
}

/** The end of a job, and of the keys that are its own. */
export function finish(memory: Memory, record: JobRecord, to: EndState): JobEnd {
  const { now, metaTtlMs, dataTtlMs } = memory.options;
  const at = now();
  record.endedAt = at;
  record.packet = undefined;
  record.expiresAt = at + metaTtlMs;
  for (const key of [`ctx:${record.id}`, `out:${record.id}`, ...record.artifactKeys])
    expire(memory.values, key, at + dataTtlMs);
  unwanted(memory, record);
  endLasting(memory, `res:${record.id}`);
  if (record.idempotencyKey !== undefined) expire(memory.idempotency, record.idempotencyKey, record.expiresAt);
  memory.due.set(record.id, at + announceMs);
  for (const kid of memory.records.values()) {
    if (!kid.bound || kid.parentId !== record.id || isEnd(kid.state)) continue;
    // Its time is over with that of its run, so that whatever is done with it next leaves it due.
    memory.due.set(kid.id, at);
    kid.deadlineAt = at;
    kid.orphanOf = record.id;
  }
  move(memory, record, to);
  return endOf(record, to);
}

const pointer = (key: string): string => (key === '' ? '' : `redis://${key}`);

/** What the world is told of an end. */
export function endOf(record: JobRecord, state: EndState): JobEnd {
  return {
    id: record.id,
    state,
    tenant: record.tenant,
    topic: record.topic,
    traceId: record.traceId,
    worker: record.worker,
    resultPtr: pointer(record.resultKey),
    execMs: record.execMs,
    errorCode: record.errorCode,
    errorMessage: record.errorMessage,
    artifactPtrs: record.artifactKeys.map(pointer),
  };
}
