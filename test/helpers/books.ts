// The books of a job store: what it holds, in a form that both drivers can be read into, so that one auditor judges both.
import { hashTenant, type Keys } from '#core/jobs/keys.ts';
import { isEnd, isState, type JobState } from '#core/jobs/state.ts';
import type { Entry } from './redis-dump.ts';

/** Whether a key that belongs to a job is there, and whether it has an end. */
/** The key that the kernel wrote, of a redacted payload that was moved; '' when another job is named like that by now. */
export function movedFrom(id: string, redacted: string, isJob: (id: string) => boolean): string {
  const name = redacted === '' ? '' : `${id}-${redacted.slice(`ctx:${id}:`.length)}`;
  return name === '' || isJob(name) ? '' : `ctx:${name}`;
}

export type Life = 'absent' | 'lasting' | 'ending';

export interface BookedJob {
  readonly id: string;
  readonly tenant: string;
  readonly state: JobState;
  readonly fence: string;
  readonly attempt: string;
  readonly queued: boolean;
  readonly pool: string;
  readonly lane: string;
  readonly rank: string;
  readonly worker: string;
  readonly traceId: string;
  readonly digest: string;
  readonly decision: string;
  /** Of the policy that decided last. */
  readonly policyHash: string;
  /** `<digest> <policy hash>` that a person approved; empty for none. */
  readonly approval: string;
  readonly notBefore: number;
  readonly runDeadlineAt: number;
  readonly deadlineAt: number;
  readonly endedAt: number;
  readonly stoppedAt: number;
  /** Transitions as they stand in `job:events`. */
  readonly path: readonly string[];
  /** Of each key that is the job's: record, events, packet, payload, output, redacted payload (and where it was moved from), result, artifacts, idempotency entry. */
  readonly life: Readonly<
    Record<
      'record' | 'events' | 'packet' | 'payload' | 'output' | 'redacted' | 'moved' | 'result' | 'idempotency',
      Life
    >
  >;
  readonly artifacts: readonly Life[];
}

export interface BookedEvent {
  readonly id: string;
  readonly prev: string;
  readonly job: string;
  readonly state: string;
  readonly fence: string;
}

export interface Books {
  readonly jobs: ReadonlyMap<string, BookedJob>;
  readonly due: ReadonlyMap<string, number>;
  /** Ids by `pool lane rank tenant`; none is empty. */
  readonly queues: ReadonlyMap<string, readonly string[]>;
  /** Tenants by `pool lane rank`; none is empty. */
  readonly rings: ReadonlyMap<string, readonly string[]>;
  /** Jobs waiting by `pool lane`. */
  readonly depths: ReadonlyMap<string, number>;
  /** Lease ends by worker and job. */
  readonly slots: ReadonlyMap<string, ReadonlyMap<string, number>>;
  readonly tenants: ReadonlyMap<string, readonly string[]>;
  /** The newest ids, at most 1,000. */
  readonly recent: readonly string[];
  readonly traces: ReadonlyMap<string, readonly string[]>;
  readonly streams: ReadonlyMap<string, readonly BookedEvent[]>;
  /** What fits nowhere: keys that nobody should have written, or in a foreign partition. */
  readonly strays: readonly string[];
}

/** Reads the books of the Redis store from a dump. */
export function redisBooks(entries: readonly Entry[], keys: Keys): Books {
  const strays: string[] = [];
  const found = new Map<string, { entry: Entry; prefix: string }>();
  for (const entry of entries) {
    const [, prefix = '', name = ''] = /^(\{[0-9a-f]{2}\})?(.*)$/s.exec(entry.key) ?? [];
    // `due`, `qn`, `job:recent`, rings and slots exist once per partition: they are told apart by what stands before them.
    if (found.has(name)) strays.push(`${entry.key} is in two partitions`);
    found.set(shared.test(name) ? entry.key : name, { entry, prefix });
  }
  const life = (key: string): Life => {
    const expiresAt = found.get(key)?.entry.expiresAt;
    return expiresAt === undefined ? 'absent' : expiresAt < 0 ? 'lasting' : 'ending';
  };
  const claimed = new Set<string>();
  const belongs = (key: string, tenant: string): void => {
    claimed.add(key);
    const prefix = keys.prefix(keys.partitions === 1 ? 0 : hashTenant(tenant) % keys.partitions);
    const at = found.get(key);
    if (at !== undefined && at.prefix !== prefix) strays.push(`${at.entry.key} belongs to ${prefix}`);
  };

  const jobs = new Map<string, BookedJob>();
  for (const [name, { entry }] of found) {
    if (!name.startsWith('job:meta:')) continue;
    const id = name.slice('job:meta:'.length);
    if (entry.type !== 'hash') throw new Error(`${name} is a ${entry.type}`);
    const field = (f: string): string => entry.value.get(f) ?? '';
    const state = field('state');
    if (!isState(state)) throw new Error(`${name} has the state '${state}'`);
    const tenant = field('tenant');
    const events = found.get(`job:events:${id}`)?.entry;
    const result = field('result_ptr').replace('redis://', '');
    const artifacts = field('arts') === '' ? [] : field('arts').split(' ');
    const idem = `idem:${tenant}:${field('idem')}`;
    const redacted = field('rctx');
    const moved = movedFrom(id, redacted, (other) => found.has(`job:meta:${other}`));
    for (const key of [
      name,
      `job:events:${id}`,
      `job:req:${id}`,
      `ctx:${id}`,
      `out:${id}`,
      redacted,
      moved,
      `res:${id}`,
      result,
      idem,
      ...artifacts,
    ])
      belongs(key, tenant);
    jobs.set(id, {
      id,
      tenant,
      state,
      fence: field('fence'),
      attempt: field('attempt'),
      queued: field('q') === '1',
      pool: field('pool'),
      lane: field('lane'),
      rank: field('prio'),
      worker: field('worker'),
      traceId: field('trace'),
      digest: field('digest'),
      decision: field('safety_decision'),
      policyHash: field('policy').replace(/^\d+:/, ''),
      approval: field('appr'),
      notBefore: Number(field('nb')),
      runDeadlineAt: Number(field('rundl')),
      deadlineAt: Number(field('deadline')),
      endedAt: Number(field('ended')),
      stoppedAt: Number(field('stopped')),
      path: events?.type === 'list' ? events.value : [],
      life: {
        record: life(name),
        events: life(`job:events:${id}`),
        packet: life(`job:req:${id}`),
        payload: life(`ctx:${id}`),
        output: life(`out:${id}`),
        redacted: life(redacted),
        moved: life(moved),
        result: life(result === '' ? `res:${id}` : result),
        idempotency: field('idem') === '' ? 'absent' : life(idem),
      },
      artifacts: artifacts.map(life),
    });
  }

  const due = new Map<string, number>();
  const depths = new Map<string, number>();
  const queues = new Map<string, readonly string[]>();
  const rings = new Map<string, string[]>();
  const slots = new Map<string, Map<string, number>>();
  const tenants = new Map<string, readonly string[]>();
  const recent: string[] = [];
  const traces = new Map<string, string[]>();
  const streams = new Map<string, readonly BookedEvent[]>();
  const ids = Array.from(jobs.keys());
  const knownTenants = new Set(Array.from(jobs.values(), (job) => job.tenant));
  for (const [name, { entry, prefix }] of found) {
    const bare = entry.key.slice(prefix.length);
    const cut = bare.indexOf(':');
    const kind = cut < 0 ? bare : bare.slice(0, cut);
    const rest = bare.slice(cut + 1);
    const members = entry.type === 'zset' ? Array.from(entry.value.keys()) : [];
    if (bare === 'due' && entry.type === 'zset') for (const [id, at] of entry.value) due.set(id, at);
    else if (bare === 'qn' && entry.type === 'hash') {
      for (const [lane, n] of entry.value) depths.set(lane, (depths.get(lane) ?? 0) + Number(n));
    } else if (bare === 'job:recent') recent.push(...members);
    else if (kind === 'slots' && entry.type === 'zset') {
      const own = slots.get(rest) ?? new Map<string, number>();
      slots.set(rest, own);
      for (const [id, until] of entry.value) own.set(id, until);
    } else if (kind === 'q') {
      const queue = /^([^:]*):(.*):([012]):([^:]*)$/.exec(rest);
      const ring = /^([^:]*):(.*):([012])$/.exec(rest);
      if (queue !== null && knownTenants.has(queue[4] ?? '')) {
        queues.set(queue.slice(1).join(' '), members);
        belongs(name, queue[4] ?? '');
      } else if (ring !== null) {
        const at = ring.slice(1).join(' ');
        rings.set(at, [...(rings.get(at) ?? []), ...members]);
      } else strays.push(entry.key);
    } else if (kind === 'jobs') {
      tenants.set(rest, members);
      belongs(name, rest);
    } else if (kind === 'trace' && entry.type === 'set') {
      traces.set(rest, [...(traces.get(rest) ?? []), ...entry.value]);
      if (entry.expiresAt < 0) strays.push(`${entry.key} has no end`);
    } else if (kind === 'ev' && entry.type === 'stream') {
      belongs(name, rest);
      const of = (fields: ReadonlyMap<string, string>, f: string): string => fields.get(f) ?? '';
      streams.set(
        rest,
        entry.value.map(([id, f]) => ({
          ...{ id, prev: of(f, 'prev'), job: of(f, 'job') },
          ...{ state: of(f, 'state'), fence: of(f, 'fence') },
        })),
      );
    } else if (bare === 'layout') {
      if (entry.key !== 'layout') strays.push(`${entry.key} is global`);
    } else if (kind === 'vt') {
      // Virtual times: judged by the order of hand-outs.
    } else if (kind === 'w' || kind === 'where') {
      if (prefix !== '') strays.push(`${entry.key} is global`);
      if (entry.expiresAt < 0) strays.push(`${entry.key} has no end`);
    } else if (
      kind === 'res' &&
      entry.expiresAt >= 0 &&
      ids.some((id) => rest.startsWith(`${id}-`) || rest.startsWith(`${id}:sealed:`))
    ) {
      // An artifact of an attempt that is void.
    } else if (kind === 'kids' && entry.type === 'set' && lives(jobs.get(rest))) {
      // Steps of a run that goes on: those that have not ended.
      for (const id of entry.value) if (!lives(jobs.get(id))) strays.push(`${entry.key} names ${id}`);
    } else if (kind === 'usage' || kind === 'metered') {
      // Of a tenant, or of a job that may be gone.
      if (kind === 'usage') belongs(name, rest.slice(0, rest.lastIndexOf(':')));
      if (entry.expiresAt < 0) strays.push(`${entry.key} has no end`);
    } else if (kind === 'stage' && entry.expiresAt >= 0) {
      // A payload whose job was not stored after all.
    } else if (kind === 'ctx' && entry.expiresAt >= 0 && ids.some((id) => rest.startsWith(`${id}:`))) {
      // The redacted payload of an earlier verdict.
    } else if (!claimed.has(name)) strays.push(entry.key);
  }
  return { jobs, due, queues, rings, depths, slots, tenants, recent, traces, streams, strays };
}

const lives = (job: BookedJob | undefined): boolean => job !== undefined && !(isState(job.state) && isEnd(job.state));

const shared = /^(due|qn|job:recent|q:.*:[012]|slots:.*|vt:.*|trace:.*)$/;
