// How long the store keeps what has ended: the variables of the original's later versions. Every process that may end a job reads
// them, because the script that ends it sets the times.
import { type Env, EnvError, type EnvSpec, type EnvValues, readEnv } from '#core/process/env.ts';
import { duration, seconds } from '#core/process/variables.ts';

export const storeEnv = {
  dataTtlSeconds: seconds('REDIS_DATA_TTL_SECONDS', undefined, 'how long payloads and results are kept after the end', {
    min: 1,
  }),
  dataTtl: duration('REDIS_DATA_TTL', '24h', 'the same as a duration; REDIS_DATA_TTL_SECONDS wins'),
  metaTtlSeconds: seconds(
    'JOB_META_TTL_SECONDS',
    undefined,
    'how long the record of a job is kept after the end; at least as long as its payload and result',
    {
      min: 1,
    },
  ),
  metaTtl: duration('JOB_META_TTL', '168h', 'the same as a duration; JOB_META_TTL_SECONDS wins'),
};

type StoreValues = EnvValues<typeof storeEnv>;

/** What is wrong with the values together: a result that outlives its record belongs to nobody, so no tenant can be checked. */
export function storeProblems(values: StoreValues): readonly string[] {
  const { dataTtlMs, metaTtlMs } = storeTtls(values);
  if (metaTtlMs >= dataTtlMs) return [];
  const metaName = (values.metaTtlSeconds === undefined ? storeEnv.metaTtl : storeEnv.metaTtlSeconds).name;
  const dataName = (values.dataTtlSeconds === undefined ? storeEnv.dataTtl : storeEnv.dataTtlSeconds).name;
  const [meta, data] = [`${metaTtlMs / 1000} s`, `${dataTtlMs / 1000} s`];
  return [
    `${metaName}: ${meta} is less than the ${data} of ${dataName}; results would outlive the records of their jobs`,
  ];
}

/** As parseEnv, for a process that makes a store. Throws EnvError with every problem. */
export function parseStoreEnv<S extends EnvSpec & typeof storeEnv>(spec: S, env: Env): EnvValues<S> {
  const read = readEnv(spec, env);
  const problems = read.ok ? storeProblems(read.value) : read.error;
  if (!read.ok || problems.length > 0) throw new EnvError(problems);
  return read.value;
}

/** The store's options, ms. */
export function storeTtls(values: StoreValues): {
  readonly dataTtlMs: number;
  readonly metaTtlMs: number;
} {
  return {
    dataTtlMs: values.dataTtlSeconds ?? values.dataTtl,
    metaTtlMs: values.metaTtlSeconds ?? values.metaTtl,
  };
}
