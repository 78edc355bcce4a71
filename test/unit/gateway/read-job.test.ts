// Reading jobs in full: one call for all that one turn asks for, and each gets its own.
import { expect, test } from 'vitest';
import { CortexError } from '#core/errors.ts';
import type { JobView } from '#core/jobs/job.ts';
import type { JobKey, Seen } from '#core/jobs/store.ts';
import { createReadJob, detailOf } from '../../../functions/gateway/read-job.ts';

const seen = ({ id, tenant }: JobKey): Seen => ({
  job: { id, tenant, state: 'SUCCEEDED' } as JobView,
  result: `"${id}"`,
});

test('what one turn asks for is one call, and each hears of its own job', async () => {
  const calls: (readonly JobKey[])[] = [];
  const readJob = createReadJob({
    look: async (jobs) => {
      calls.push(jobs);
      return jobs.map((job) => (job.id === 'b' ? undefined : seen(job)));
    },
  });
  const answers = await Promise.all([readJob('a', 't1'), readJob('b', 't1'), readJob('a', 't2')]);
  expect(calls).toEqual([
    [
      { id: 'a', tenant: 't1' },
      { id: 'b', tenant: 't1' },
      { id: 'a', tenant: 't2' },
    ],
  ]);
  expect(answers.map((one) => one && [one.job.tenant, one.result])).toEqual([['t1', '"a"'], undefined, ['t2', '"a"']]);
});

test('a store that is away is told to all who asked', async () => {
  const readJob = createReadJob({ look: () => Promise.reject(new CortexError('unavailable', 'away')) });
  const answers = await Promise.allSettled([readJob('a', 't'), readJob('b', 't')]);
  expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
});

test.each([
  ['{"n":1}', { n: 1 }],
  [null, null],
  ['no json', null],
])('the result %s', (result, shown) => {
  const { job } = seen({ id: 'a', tenant: 't' });
  const full = { ...job, createdAt: 1, startedAt: 0, endedAt: 0, stoppedAt: 0, deadlineAt: 0 };
  expect(detailOf({ job: full, result })).toMatchObject({ id: 'a', result: shown });
});
