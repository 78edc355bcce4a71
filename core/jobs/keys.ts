// The one builder of Redis keys. With one partition (P = 1) they are the plain names of the original; with more, every key of a
// partition carries its hash tag, so that each script stays on one slot of a cluster.
import { partitionOfMintedId } from './job.ts';

export interface Keys {
  /** How many partitions there are, 1 to 256. */
  readonly partitions: number;
  /** What stands before every key of a partition: empty for P = 1, else `{<hex>}`. */
  prefix(partition: number): string;
  /** A tenant's partition. */
  ofTenant(tenant: string): number;
  /** The partition of a minted id; undefined for an id from outside when P > 1: ask `where`. */
  ofId(id: string): number | undefined;
  /** Global: how keys are laid out here. */
  readonly layout: string;
  /** Global, one per worker: capacity, instance, liveness. */
  worker(id: string): string;
  /** Global, one per id from outside when P > 1: its partition. */
  where(id: string): string;
}

/** FNV-1a, 32 bits: spreads tenants over partitions, the same in every process and version. */
export function hashTenant(tenant: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < tenant.length; i++) {
    hash ^= tenant.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193);
  }
  return hash >>> 0;
}

/** Keys for `partitions` partitions. Throws RangeError outside 1 to 256. */
export function createKeys(partitions = 1): Keys {
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > 256) {
    throw new RangeError(`partitions must be 1 to 256, not ${partitions}`);
  }
  const single = partitions === 1;
  return {
    partitions,
    layout: 'layout',
    prefix: (p) => (single ? '' : `{${(p + 256).toString(16).slice(1)}}`),
    ofTenant: (tenant) => (single ? 0 : hashTenant(tenant) % partitions),
    ofId: (id) => (single ? 0 : partitionOfMintedId(id)),
    worker: (id) => `w:${id}`,
    where: (id) => `where:${id}`,
  };
}
