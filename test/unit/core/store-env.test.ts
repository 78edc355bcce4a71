// How long ended jobs are kept: the variables of every process that makes a store, alone and together.
import { describe, expect, test } from 'vitest';
import { parseStoreEnv, storeEnv, storeTtls } from '#core/jobs/store-env.ts';
import { EnvError } from '#core/process/env.ts';
import { text } from '#core/process/variables.ts';
import { parseGatewayConfig } from '../../../functions/gateway/config.ts';
import { parseWorkerConfig } from '../../../services/worker/config.ts';

const spec = { ...storeEnv, other: text('OTHER', undefined, 'something else', { pattern: /^x$/, type: 'x' }) };
const problems = (read: () => unknown): readonly string[] => {
  try {
    read();
  } catch (error) {
    if (error instanceof EnvError) return error.problems;
    throw error;
  }
  return [];
};

test('seconds win over durations', () => {
  const env = { JOB_META_TTL: '48h', JOB_META_TTL_SECONDS: '86400', REDIS_DATA_TTL: '30s' };
  expect(storeTtls(parseStoreEnv(spec, env))).toEqual({ metaTtlMs: 86_400_000, dataTtlMs: 30_000 });
});

describe('a record that would be gone before its result', () => {
  test.each([
    [{ JOB_META_TTL: '1h' }, 'JOB_META_TTL: 3600 s is less than the 86400 s of REDIS_DATA_TTL; '],
    [{ JOB_META_TTL_SECONDS: '5' }, 'JOB_META_TTL_SECONDS: 5 s is less than the 86400 s of REDIS_DATA_TTL; '],
    [{ REDIS_DATA_TTL: '169h' }, 'JOB_META_TTL: 604800 s is less than the 608400 s of REDIS_DATA_TTL; '],
    [
      { JOB_META_TTL: '999h', JOB_META_TTL_SECONDS: '1.5', REDIS_DATA_TTL_SECONDS: '1.501' },
      'JOB_META_TTL_SECONDS: 1.5 s is less than the 1.501 s of REDIS_DATA_TTL_SECONDS; ',
    ],
  ])('is refused by the names of both: %j', (env, begin) => {
    for (const parse of [() => parseStoreEnv(spec, env), () => parseGatewayConfig(env), () => parseWorkerConfig(env)]) {
      expect(problems(parse)).toEqual([`${begin}results would outlive the records of their jobs`]);
    }
  });

  test.each([{}, { JOB_META_TTL: '24h' }, { JOB_META_TTL_SECONDS: '2', REDIS_DATA_TTL_SECONDS: '2' }])(
    'is not one that lives as long: %j',
    (env) => expect(problems(() => parseStoreEnv(spec, env))).toEqual([]),
  );

  test('is one problem among others', () => {
    const env = { JOB_META_TTL: '1h', TENANT_ID: 'a b' };
    expect(problems(() => parseGatewayConfig(env))).toHaveLength(2);
    expect(problems(() => parseStoreEnv(spec, { JOB_META_TTL: '7d', OTHER: 'y' }))).toHaveLength(2);
  });
});
