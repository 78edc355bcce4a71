// Large results: they take their time and nothing else. Redis is real, and a host has the two connections that it has in a process.
import { afterEach, expect, test } from 'vitest';
import { z } from 'zod';
import type { Commit, JobStore } from '#core/jobs/store.ts';
import { systemClock } from '#core/system.ts';
import { callTimeoutMs, gatherCalls, maxCommitBytes } from '../../../services/worker/calls.ts';
import { defineWorker } from '../../../services/worker/define.ts';
import { renewalTimeoutMs } from '../../../services/worker/leases.ts';
import { createFakeClock } from '../../helpers/clock.ts';
import { createOutage } from '../../helpers/outage.ts';
import { until } from '../../helpers/until.ts';
import { createStage, type Stage } from '../../helpers/worker-stage.ts';
import { makeStore, storeOn } from '../../helpers/worker-store.ts';
import { waiting } from '../../helpers/workers/manual.ts';

let live: Stage | undefined;
afterEach(async () => {
  await live?.close();
  live = undefined;
});

test('commits are gathered by bytes as well as by count', async () => {
  const batches: number[][] = [];
  const commit: JobStore['commit'] = async (items) => {
    batches.push(items.map((item) => item.result?.length ?? 0));
    return items.map(() => ({
      outcome: 'missing',
      state: undefined,
      end: undefined,
      reason: undefined,
    }));
  };
  const calls = gatherCalls({ commit } as Partial<JobStore> as JobStore);
  const of = (bytes: number): Commit => ({
    ...{
      id: 'j',
      tenant: 't',
      fence: '1',
      attempt: 'a',
      worker: 'w',
      status: 'SUCCEEDED',
      retryable: false,
    },
    ...{
      backoffMs: 0,
      execMs: 1,
      errorCode: '',
      errorMessage: '',
      result: 'x'.repeat(bytes),
    },
  });
  const [small, half, large] = [10, maxCommitBytes / 2, 8 * maxCommitBytes];
  await Promise.all([small, small, small, large, half, half, half, large, large].map((n) => calls.commit(of(n))));
  expect(batches).toEqual([[small, small, small], [large], [half, half], [half], [large], [large]]);
});

test('many large payloads at once come in answers of bounded size, and every job runs', async () => {
  const store = await makeStore();
  const counted: JobStore = {
    ...store,
    async accept(items) {
      const answers = await store.accept(items);
      putOff += answers.filter(({ outcome }) => outcome === 'again').length;
      answered.push(answers.reduce((sum, a) => sum + (a.outcome === 'run' ? (a.payload?.length ?? 0) : 0), 0));
      return answers;
    },
  };
  const answered: number[] = [];
  let putOff = 0;
  const lengths: number[] = [];
  const large = defineWorker({
    ...{ topic: 'job.test', pool: 'test', parallel: 32, input: z.string() },
    handle: (input) => void lengths.push(input.length),
  });
  live = await createStage({ store: counted, clock: systemClock, definitions: [large] });
  const s = live;
  const payload = 'x'.repeat(2 * 2 ** 20 - 100);
  const ids = await Promise.all(Array.from({ length: 32 }, () => s.submit({ payload })));
  // Nobody hands out anew here what a busy machine takes up too late.
  const acceptMs = 60_000;
  await Promise.all((await s.claim(32, 'w0', acceptMs)).jobs.map((job) => s.send(job, 'w0', { acceptMs })));
  for (const id of ids) await s.seen('committed', id);
  expect(lengths).toEqual(ids.map(() => payload.length));
  // Together in few calls, and no answer much above 4 MB.
  expect(Math.max(...answered)).toBeLessThan(4_000_000 + 2 ** 21);
  expect(Math.max(...answered)).toBeGreaterThan(2 ** 21);
  expect(putOff).toBeGreaterThan(0);
  expect(s.told.filter((e) => ['aborted', 'stale', 'unaccepted'].includes(e.type))).toEqual([]);
}, 60_000);

test('signs of life go by a connection of their own: what hangs on the other one costs no lease', async () => {
  const clock = createFakeClock();
  const store = await makeStore(clock);
  const leases = createOutage(store);
  const s = await createStage({
    store,
    clock,
    definitions: [waiting],
    host: { leases: leases.store },
  });
  const { id } = await s.run();
  await s.seen('started', id);
  clock.quiet = leases.quiet; // time stands still while a renewal is under way
  s.outage.mode = 'hung';
  await clock.advance(20_000);
  expect(s.told.filter((e) => e.type === 'aborted' || e.type === 'renewal_failed')).toEqual([]);
  expect(leases.counts.get('renew')).toBe(20);
  expect(s.outage.counts.get('renew')).toBeUndefined();
  expect(s.outage.counts.get('register')).toBeUndefined();
  await clock.during(s.close());
});

test('a host whose 32 handlers answer 8 MiB at once stores them all, and the leases of others are kept', async () => {
  const together = Promise.withResolvers<void>();
  const text = 'x'.repeat(8 * 2 ** 20 - 100);
  const large = defineWorker({
    ...{ topic: 'job.large', pool: 'large', parallel: 32, input: z.unknown() },
    handle: () => together.promise.then(() => text),
  });
  const store = await makeStore();
  live = await createStage({
    ...{ store, clock: systemClock, definitions: [large, waiting] },
    host: {
      store: await storeOn(callTimeoutMs),
      leases: await storeOn(renewalTimeoutMs),
    },
  });
  const s = live;
  const other = await s.run();
  await s.seen('started', other.id);
  const ids = await Promise.all(Array.from({ length: 32 }, () => s.submit({ topic: 'job.large' })));
  for (const job of (await s.claim(32)).jobs) await s.send(job);
  for (const id of ids) await s.seen('started', id);
  together.resolve();
  const count = (type: string): number => s.told.filter((e) => e.type === type).length;
  await until(() => count('committed') === 32, {
    timeout: 30_000,
    message: () => `${count('committed')} of 32 stored`,
  });
  expect(s.told.filter((e) => ['aborted', 'stale', 'uncommitted'].includes(e.type))).toEqual([]);
  expect((await s.view(other.id)).state).toBe('RUNNING');
}, 60_000);
