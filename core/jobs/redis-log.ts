// Memories on Redis: mem:<tenant>:<memory>:events and what stands beside it, see scripts/memory-log.ts.
import { CortexError } from '#core/errors.ts';
import { type Entry, entryRoles } from '#core/context/memory/entry.ts';
import { type AppendedSaid, type MemoryLimits, memoryLimits, type MemoryLog } from '#core/context/memory/log.ts';
import type { Fence } from '#core/jobs/job.ts';
import { int, list, type Redis, type Reply, text } from '#core/redis/redis.ts';
import { createKeys, type Keys } from './keys.ts';
import { createCalls } from './redis-calls.ts';
import * as scripts from './scripts/memory-log.ts';
import type { Remember } from './store.ts';

export interface RedisLogOptions {
  readonly redis: Redis;
  readonly keys?: Keys;
  readonly limits?: Partial<MemoryLimits> | undefined;
  /** For tests: ms since the epoch instead of Redis TIME. */
  readonly now?: () => number;
}

/** Entries in one answer. */
const pageLength = 500;

type Limits = readonly [entries: number, bytes: number, memories: number, ttlMs: number];

/** As the scripts take them. */
export function limitsOf(limits: Partial<MemoryLimits> | undefined): Limits {
  const { entries, bytes, memories, ttlMs } = { ...memoryLimits, ...limits };
  return [entries, bytes, memories, ttlMs];
}

/** What a commit brings for a memory, as its script takes it. */
export function rememberText({ memory, said }: Remember, limits: Limits): string {
  // cjson takes no half of a pair of surrogates.
  const words = said.map(({ role, content }) => [role, content.toWellFormed()]);
  return JSON.stringify({ memory: memory.toWellFormed(), said: words, limits: limits.map(String) });
}

/** The log on Redis. Throws what the driver throws, and `data_loss` for an entry that none of ours wrote. */
export function createRedisLog({ redis, keys = createKeys(1), limits, now }: RedisLogOptions): MemoryLog {
  const { run } = createCalls({ redis, keys, random: () => '', ...(now !== undefined && { now }) });
  const at = ({ tenant }: { readonly tenant: string }): number => keys.ofTenant(tenant);
  const bounds = limitsOf(limits);
  const holdOf = (hold: Fence | undefined) => [hold?.fence ?? '', hold?.attempt ?? ''];

  return {
    async append({ tenant, memory, said, key, job, hold }) {
      const words = said.flatMap(({ role, content }) => [role, content]);
      const args = [tenant, memory, key, job, ...holdOf(hold), ...bounds, ...words];
      return text(await run(scripts.append, at({ tenant }), args)) as AppendedSaid;
    },

    async holds({ tenant, job, hold }) {
      return int(await run(scripts.holdsNow, at({ tenant }), [tenant, job, ...holdOf(hold)])) === 1;
    },

    async read({ tenant, memory, from }) {
      const reply = list(await run(scripts.read, at({ tenant }), [tenant, memory, from, pageLength]));
      const [epoch, first, end, repository, commit, begin, page] = reply;
      const entries = list(page).map((one, i) => entryOf(int(begin) + i, one));
      return {
        epoch: text(epoch),
        first: int(first),
        entries,
        more: int(begin) + entries.length < int(end) && entries.length > 0,
        bound: text(repository) === '' ? undefined : { repository: text(repository), commit: text(commit) },
      };
    },

    async bind({ tenant, memory, repository, commit, job, hold }) {
      const args = [tenant, memory, repository, commit, job, ...holdOf(hold), ...bounds];
      return text(await run(scripts.bind, at({ tenant }), args)) as 'ok' | 'stale';
    },

    async forget({ tenant, memory }) {
      return int(await run(scripts.forget, at({ tenant }), [tenant, memory])) > 0;
    },

    async list({ tenant, limit }) {
      const flat = list(await run(scripts.list, at({ tenant }), [tenant, limit]));
      return Array.from({ length: Math.floor(flat.length / 2) }, (_, i) => {
        return { memory: text(flat[2 * i]), writtenAt: int(flat[2 * i + 1]) };
      });
    },
  };
}

/** The original's shape with the job beside it. */
function entryOf(number: number, reply: Reply): Entry {
  try {
    const { role, content, ts, job } = JSON.parse(text(reply)) as Record<string, unknown>;
    const known = entryRoles.find((one) => one === role);
    if (known !== undefined && typeof content === 'string' && typeof ts === 'number')
      return { number, role: known, content, ts, job: typeof job === 'string' ? job : '' };
  } catch {
    // told below
  }
  throw new CortexError('data_loss', `entry ${number} of a memory is broken`);
}
