// How operations reach Redis: the header of every script, partitions, answers in the order of the items, steps reported.
import { CortexError } from '#core/errors.ts';
import { type Arg, type BinaryRedis, list, type Redis, type Reply, type Script, text } from '#core/redis/redis.ts';
import { requestBytes } from '#core/redis/request-size.ts';
import type { MemoryLimits } from '#core/context/memory/log.ts';
import type { JobEvent } from './job.ts';
import type { Keys } from './keys.ts';
import { eventsOf } from './redis-record.ts';

export interface RedisStoreOptions {
  readonly redis: Redis | BinaryRedis;
  readonly keys: Keys;
  /** Called with the steps of each call after they are stored; must not throw. */
  readonly onEvents?: (events: readonly JobEvent[]) => void;
  /** Told of a record that no script of ours left like that (`data_loss`, naming the job): it is answered as if it were not there. */
  readonly onBroken?: (error: CortexError) => void;
  /** How long the record of an ended job is kept, ms. Default 7 days. */
  readonly metaTtlMs?: number;
  /** How long payloads, results and artifacts are kept after the end, ms. Default 24 hours. */
  readonly dataTtlMs?: number;
  /** How long the sums of a day are kept, ms. Default 400 days. */
  readonly usageTtlMs?: number | undefined;
  /** What memories may take; defaults in core/context/memory/log.ts. */
  readonly memoryLimits?: Partial<MemoryLimits> | undefined;
  /** Unguessable text for attempt ids, [0-9a-f], at least 8 characters. */
  readonly random: () => string;
  /** For tests: ms since the epoch instead of Redis TIME. */
  readonly now?: () => number;
}

export interface Calls {
  readonly redis: Redis | BinaryRedis;
  readonly keys: Keys;
  readonly random: () => string;
  readonly metaTtlMs: number;
  /** Runs one script in one partition; reports its steps; answers its results. */
  readonly run: (of: Script, partition: number, args: readonly Arg[]) => Promise<Reply>;
  /** As `run`, with arguments that may be bytes. Throws `unimplemented` where the transport does not carry them. */
  readonly runBytes: (of: Script, partition: number, args: readonly (Arg | Uint8Array)[]) => Promise<Reply>;
  /**
   * Runs one script per partition over its items and puts the answers back in order. Where requests are bounded it takes as many calls as
   * they need, one after another.
   */
  readonly each: <I, O>(
    of: Script,
    items: readonly I[],
    partition: (item: I) => number | Promise<number>,
    pack: (item: I, args: Arg[]) => void,
    unpack: (reply: Reply, item: I) => O,
    extra?: readonly Arg[],
  ) => Promise<O[]>;
  readonly byTenant: (item: { readonly tenant: string }) => number;
  /** By the tenant; else by what `where` says of an id from outside, or the digits of a minted one. */
  readonly partitionOf: (id: string, tenant?: string) => number | Promise<number>;
  /** `w:<id>` where a script may read it: with one partition, for workers that are processes of ours. Else empty. */
  readonly workerKey: (instance: string, worker: string) => string;
}

/** One JSON text, or a list of it and of the large texts for which `{"text": n}` stands in it, n from 1. */
function readReply(answer: Reply): Reply {
  if (typeof answer !== 'object') return JSON.parse(text(answer)) as Reply;
  const parts = list(answer);
  return JSON.parse(text(parts[0]), (_, value: Reply | { readonly text: number }) =>
    typeof value === 'object' && value !== null && 'text' in value ? parts[value.text] : value,
  ) as Reply;
}

/** What every call has beside the arguments of its items, about. */
const callBytes = 500;

/** Items in order, as many together as have room; one that has none goes alone, and the driver says so. */
function batches<I>(
  items: readonly I[],
  pack: (item: I, args: Arg[]) => void,
  room: number,
): readonly (readonly I[])[] {
  const out: I[][] = [];
  let left = 0;
  for (const item of items) {
    const args: Arg[] = [];
    pack(item, args);
    const bytes = requestBytes(args);
    if (out.length === 0 || bytes > left) {
      out.push([]);
      left = room;
    }
    out.at(-1)?.push(item);
    left -= bytes;
  }
  return out;
}

/** The calls of one store. */
export function createCalls(options: RedisStoreOptions): Calls {
  const { redis, keys } = options;
  const metaTtlMs = options.metaTtlMs ?? 7 * 24 * 3600 * 1000;
  const dataTtlMs = options.dataTtlMs ?? 24 * 3600 * 1000;
  const head = (p: number): Arg[] => [keys.prefix(p), options.now?.() ?? 0, metaTtlMs, dataTtlMs];

  const take = (of: Script, answer: Reply): Reply => {
    const [results = null, steps, broken] = list(readReply(answer));
    const events = eventsOf(steps);
    if (events.length > 0) options.onEvents?.(events);
    const faults = list(broken);
    for (let i = 0; i + 1 < faults.length; i += 2) {
      const cause = new Error(text(faults[i + 1]));
      options.onBroken?.(
        new CortexError('data_loss', `${of.name}: the record of ${text(faults[i])} is broken`, { cause }),
      );
    }
    return results === false ? null : results;
  };
  const run: Calls['run'] = async (of, p, args) =>
    take(of, await redis.run(of, [`${keys.prefix(p)}due`], [...head(p), ...args]));
  const runBytes: Calls['runBytes'] = async (of, p, args) => {
    if (!('runBytes' in redis))
      throw new CortexError('unimplemented', 'artifacts are bytes, which this transport does not carry');
    return take(of, await redis.runBytes(of, [`${keys.prefix(p)}due`], [...head(p), ...args]));
  };

  const each: Calls['each'] = async <I, O>(
    of: Script,
    items: readonly I[],
    partition: (item: I) => number | Promise<number>,
    pack: (item: I, args: Arg[]) => void,
    unpack: (reply: Reply, item: I) => O,
    extra: readonly Arg[] = [],
  ): Promise<O[]> => {
    if (items.length === 0) return [];
    const send = async (p: number, part: readonly I[]): Promise<O[]> => {
      const args: Arg[] = [...extra];
      for (const item of part) pack(item, args);
      const replies = list(await run(of, p, args));
      return part.map((item, i) => unpack(replies[i] ?? null, item));
    };
    const { maxRequestBytes } = redis;
    const call = async (p: number, part: readonly I[]): Promise<O[]> => {
      if (maxRequestBytes === undefined) return send(p, part);
      const out: O[] = [];
      for (const some of batches(part, pack, maxRequestBytes - requestBytes(extra) - callBytes))
        out.push(...(await send(p, some)));
      return out;
    };
    if (keys.partitions === 1) return call(0, items);
    const where = await Promise.all(items.map(async (item) => partition(item)));
    const out = new Array<O>(items.length);
    await Promise.all(
      Array.from(
        Map.groupBy(items.keys(), (i) => where[i] ?? 0),
        async ([p, indices]) => {
          const answers = await call(
            p,
            indices.map((i) => items[i] as I),
          );
          for (const [k, i] of indices.entries()) out[i] = answers[k] as O;
        },
      ),
    );
    return out;
  };

  return {
    redis,
    keys,
    random: options.random,
    metaTtlMs,
    run,
    runBytes,
    each,
    byTenant: (item) => keys.ofTenant(item.tenant),
    partitionOf(id, tenant) {
      if (keys.partitions === 1) return 0;
      if (tenant !== undefined) return keys.ofTenant(tenant);
      // An id from outside may look like a minted one and name any partition: what was noted when it came in wins.
      const named = keys.ofId(id);
      const known = named !== undefined && named < keys.partitions ? named : 0;
      return redis.get(keys.where(id)).then((noted) => (noted === null ? known : Number(noted)));
    },
    workerKey: (instance, worker) => (keys.partitions === 1 && instance !== '' ? keys.worker(worker) : ''),
  };
}
