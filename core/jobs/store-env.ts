// How long the store keeps what has ended: the variables of the original's later versions. Every process that may end a job reads
// them, because the script that ends it sets the times.
import type { EnvValues } from '#core/process/env.ts';
import { duration, seconds } from '#core/process/variables.ts';

export const storeEnv = {
  dataTtlSeconds: seconds('REDIS_DATA_TTL_SECONDS', undefined, 'how long payloads and results are kept after the end', {
    min: 1,
  }),
  dataTtl: duration('REDIS_DATA_TTL', '24h', 'the same as a duration; REDIS_DATA_TTL_SECONDS wins'),
  metaTtlSeconds: seconds('JOB_META_TTL_SECONDS', undefined, 'how long the record of a job is kept after the end', {
    min: 1,
  }),
  metaTtl: duration('JOB_META_TTL', '168h', 'the same as a duration; JOB_META_TTL_SECONDS wins'),
};

/** The store's options, ms. */
export function storeTtls(values: EnvValues<typeof storeEnv>): {
  readonly dataTtlMs: number;
  readonly metaTtlMs: number;
} {
  return {
    dataTtlMs: values.dataTtlSeconds ?? values.dataTtl,
    metaTtlMs: values.metaTtlSeconds ?? values.metaTtl,
  };
}
