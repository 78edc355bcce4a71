// The archive of a scan, behind its pointer: an artifact of a job of the tenant's, and nothing else.
import { CortexError, invalid } from '#core/errors.ts';
import type { JobStore } from '#core/jobs/store.ts';
import { formatPointer, parsePointer } from '#core/protocol/pointer.ts';
import type { BinaryRedis } from '#core/redis/redis.ts';
import type { Keys } from '#core/jobs/keys.ts';
import { unwrap } from '#core/result.ts';

export type ReadArchive = (pointer: string, tenant: string) => Promise<Uint8Array>;

export interface ArchiveDeps {
  readonly redis: Pick<BinaryRedis, 'getBytes'>;
  readonly keys: Keys;
  readonly store: Pick<JobStore, 'view'>;
}

/** Answers its bytes. Throws CortexError that names `scan_result`: `invalid_argument` for another pointer, `not_found`. */
export function createReadArchive({ redis, keys, store }: ArchiveDeps): ReadArchive {
  return async (pointer, tenant) => {
    const key = unwrap(parsePointer(pointer, 'scan_result'));
    const job = /^res:(.+)-repo-archive(?:-\d+)?$/.exec(key)?.[1];
    if (job === undefined) throw invalid('scan_result', "has an archive_ptr that names no job's repo-archive");
    const view = await store.view(job, tenant);
    const isOwn = view?.artifactPtrs.includes(formatPointer(key)) === true;
    const bytes = isOwn ? await redis.getBytes(`${keys.prefix(keys.ofTenant(tenant))}${key}`) : null;
    if (bytes !== null) return bytes;
    throw new CortexError('not_found', 'scan_result: there is no archive behind its archive_ptr (any more)', {
      field: 'scan_result',
    });
  };
}
