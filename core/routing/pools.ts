// Which pool does which topic, as config/pools.yaml says. Read strictly: a slip in a name would leave a topic unserved, silently.
import { z } from 'zod';
import { problemLines } from '#core/field-problem.ts';
import { isSubjectToken, isTopic } from '#core/protocol/subjects.ts';
import { err, ok, type Result } from '#core/result.ts';

export interface Pools {
  readonly topics: ReadonlyMap<string, string>;
  /** Jobs of a pool that may be with workers that never send a heartbeat; none: 0. */
  readonly silentCapacity: ReadonlyMap<string, number>;
  /** Tenants that a packet on the open submit subject may name by itself. */
  readonly busTenants: ReadonlySet<string>;
}

const name = z.string().refine(isSubjectToken, 'must be 1 to 128 of letters, digits, ".", "_" and "-"');
const topic = z
  .string()
  .refine(isTopic, 'must be a topic: job.<name>, at most 200 characters')
  .refine((text) => !/[:|]/.test(text), 'must be without ":" and "|", which part keys and lanes');
const document = z.strictObject({
  topics: z.record(topic, name).refine((topics) => Object.keys(topics).length > 0, 'must name at least one topic'),
  silent_capacity: z.record(name, z.int().min(1).max(100_000)).nullish(),
  bus: z.strictObject({ tenants: z.array(name).default(['default']) }).nullish(),
});

/** Reads the object that the YAML holds. The problems are all there are. */
export function parsePools(value: unknown): Result<Pools, readonly string[]> {
  const parsed = document.safeParse(value);
  if (!parsed.success) return err(problemLines(parsed.error));
  const { topics, silent_capacity: silent, bus } = parsed.data;
  const pools = new Set(Object.values(topics));
  const unknown = Object.keys(silent ?? {}).filter((pool) => !pools.has(pool));
  if (unknown.length > 0) return err(unknown.map((pool) => `silent_capacity.${pool}: no topic has this pool`));
  return ok({
    topics: new Map(Object.entries(topics)),
    silentCapacity: new Map(Object.entries(silent ?? {})),
    busTenants: new Set(bus?.tenants ?? ['default']),
  });
}
