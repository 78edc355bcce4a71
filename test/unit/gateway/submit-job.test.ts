// The use case by itself: what it says of each answer of the store, and that the bus is never in its way.
import { describe, expect, test } from 'vitest';
import type { Publication } from '#core/bus/bus.ts';
import { CortexError } from '#core/errors.ts';
import type { NewJob } from '#core/jobs/job.ts';
import { createKeys } from '#core/jobs/keys.ts';
import type { Created, JobStore } from '#core/jobs/store.ts';
import { silentLog } from '#core/log.ts';
import { systemIds } from '#core/system.ts';
import { createSubmitJob, rfc3339, type SubmitJob } from '../../../functions/gateway/submit-job.ts';
import { createFakeClock } from '../../helpers/clock.ts';

const job: SubmitJob = {
  ...{ tenant: 'acme', principal: 'ann', sender: 'test', idempotencyKey: '', fingerprint: () => '{}' },
  build: (id) => ({ request: { topic: 'job.echo' }, payload: { id } }),
};

function scene(answer: (job: NewJob) => Created | Error, partitions = 1) {
  const clock = createFakeClock();
  const posted: Publication[] = [];
  const calls: (readonly NewJob[])[] = [];
  const submit = createSubmitJob({
    store: {
      async create(jobs: readonly NewJob[]) {
        calls.push(jobs);
        return jobs.map((one) => {
          const created = answer(one);
          if (created instanceof Error) throw created;
          return created;
        });
      },
    } as unknown as JobStore,
    post: (message) => posted.push(message),
    ...{ clock, ids: systemIds(clock), log: silentLog, keys: createKeys(partitions) },
  });
  return { submit, posted, calls };
}

const created = ({ id, traceId }: NewJob): Created => ({ outcome: 'created', id, traceId, state: 'PENDING' });

test('submissions of one turn are one call to the store', async () => {
  const { submit, calls, posted } = scene(created);
  const all = await Promise.all(Array.from({ length: 20 }, () => submit(job)));
  expect(calls.map((jobs) => jobs.length)).toEqual([20]);
  expect(new Set(all.map(({ jobId }) => jobId)).size).toBe(20);
  expect(new Set(all.map(({ traceId }) => traceId)).size).toBe(20);
  expect(posted).toHaveLength(20);
  // The record is there: the bell says so.
  for (const { subject, headers } of posted) {
    expect([subject, headers]).toEqual(['sys.job.submit', { 'Cortex-Recorded': '1' }]);
  }
});

test('who wants to know the id learns it before there is a record', async () => {
  const { submit, calls } = scene(created);
  const told: [string, number][] = [];
  const { jobId } = await submit({ ...job, onId: (id) => void told.push([id, calls.length]) });
  expect(told).toEqual([[jobId, 0]]);
});

test('who prepared something for the id learns when there is no job of it', async () => {
  const none: string[] = [];
  const onNone = async (id: string): Promise<void> => Promise.resolve(void none.push(id));
  await scene(created).submit({ ...job, onNone });
  expect(none).toEqual([]);
  const tried: string[] = [];
  const onId = (id: string): void => void tried.push(id);
  const existing = (): Created => ({ outcome: 'existing', id: 'first', traceId: 't', state: 'RUNNING' });
  expect(await scene(existing).submit({ ...job, onId, onNone })).toMatchObject({ jobId: 'first', replayed: true });
  const other = (): Created => ({ outcome: 'idempotency_conflict', id: 'first' });
  await expect(scene(other).submit({ ...job, onId, onNone })).rejects.toMatchObject({ status: 422 });
  expect(none).toEqual(tried);
});

test('the id names the partition of the tenant', async () => {
  const keys = createKeys(16);
  const { submit } = scene(created, 16);
  for (const tenant of ['a', 'b', 'c', 'd']) {
    const { jobId } = await submit({ ...job, tenant });
    expect(Number.parseInt(jobId.slice(-2), 16)).toBe(keys.ofTenant(tenant));
  }
});

test('the same job stored before, under the id just minted, is no replay: the doorbell rings', async () => {
  const { submit, posted } = scene(({ id, traceId }) => ({ outcome: 'existing', id, traceId, state: 'PENDING' }));
  expect(await submit(job)).toMatchObject({ replayed: false });
  expect(posted).toHaveLength(1);
});

test('another job under the same key is a replay: its ids, and no doorbell', async () => {
  const { submit, posted } = scene(() => ({ outcome: 'existing', id: 'first', traceId: 't1', state: 'RUNNING' }));
  expect(await submit(job)).toEqual({ jobId: 'first', traceId: 't1', replayed: true });
  expect(posted).toEqual([]);
});

describe.each([
  ['an id that is taken', { outcome: 'conflict' } as const, { code: 'already_exists' }],
  ['a key of another body', { outcome: 'idempotency_conflict', id: 'x' } as const, { status: 422 }],
  ['a store that is away', new CortexError('unavailable', 'no store'), { code: 'unavailable' }],
])('%s', (_, answer, error) => {
  test('is an error, and nobody hears of a job', async () => {
    const { submit, posted } = scene(() => answer);
    await expect(submit(job)).rejects.toMatchObject(error);
    expect(posted).toEqual([]);
  });
});

test.each([
  [0, '1970-01-01T00:00:00Z'],
  [1_767_323_045_999, '2026-01-02T03:04:05Z'],
])('%i ms is %s', (ms, text) => {
  expect(rfc3339(ms)).toBe(text);
});
