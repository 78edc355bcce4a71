// Waiting when things go wrong: too many, no bus, a bus that never answers, a store that fails, nonsense on the bus.
import { describe, expect, test } from 'vitest';
import { CortexError } from '#core/errors.ts';
import type { JobView } from '#core/jobs/job.ts';
import type { JobState } from '#core/jobs/state.ts';
import type { Seen } from '#core/jobs/store.ts';
import { silentLog } from '#core/log.ts';
import { createWaiters, type WaiterDeps } from '../../../functions/gateway/waiters.ts';
import { createFakeClock, settle } from '../../helpers/clock.ts';

type Handle = (data: Uint8Array) => void;

/** A store with one job, and a bus that the test speaks for. */
function scene(options: Partial<Pick<WaiterDeps, 'maxWaiters' | 'maxWaitersPerTenant' | 'subscribe'>> = {}) {
  const clock = createFakeClock();
  let state: JobState | undefined = 'RUNNING';
  let failure: Error | undefined;
  let looks = 0;
  const handles = new Set<Handle>();
  const readJob = async (): Promise<Seen | undefined> => {
    looks++;
    if (failure !== undefined) throw failure;
    return state === undefined ? undefined : { job: { id: 'j', state } as JobView, result: null };
  };
  const waiters = createWaiters({
    readJob,
    subscribe: async (_subject, handle) => {
      handles.add(handle);
      return { close: async () => void handles.delete(handle) };
    },
    clock,
    log: silentLog,
    ...options,
  });
  return {
    ...{ clock, waiters, handles },
    wait: (ms = 30_000, signal = new AbortController().signal) => waiters.wait('j', 'default', ms, signal),
    become: (next: JobState | undefined) => {
      state = next;
    },
    fail: (error: Error | undefined) => {
      failure = error;
    },
    tell: (message: unknown) => {
      const data = new TextEncoder().encode(typeof message === 'string' ? message : JSON.stringify(message));
      for (const handle of handles) handle(data);
    },
    looks: () => looks,
  };
}

const ended = [{ job: 'j', state: 'SUCCEEDED' }];

test('news of the end wakes at once', async () => {
  const { clock, wait, become, tell, handles } = scene();
  const answer = wait();
  await settle();
  become('SUCCEEDED');
  tell(ended);
  expect(await answer).toMatchObject({ job: { state: 'SUCCEEDED' } });
  expect(clock.monotonic()).toBe(0);
  expect(handles.size).toBe(0);
});

test('news of other jobs, of other steps, and nonsense wake nobody', async () => {
  const { wait, become, tell, looks } = scene();
  const answer = wait();
  await settle();
  const before = looks();
  tell([{ job: 'k', state: 'SUCCEEDED' }, { job: 'j', state: 'RUNNING' }, { job: 'j', state: 'GONE' }, null, 5, 'j']);
  for (const nonsense of ['', 'not json', '5', 'null', '{"job":"j"}', '[[]]', '{"__proto__":[]}']) tell(nonsense);
  await settle();
  expect(looks()).toBe(before);
  become('FAILED');
  tell(ended);
  expect(await answer).toMatchObject({ job: { state: 'FAILED' } });
});

test('an end between the look and the sleep is not missed', async () => {
  const { wait, become, tell, handles } = scene();
  const answer = wait();
  // As soon as it listens, before it has looked.
  while (handles.size === 0) await Promise.resolve();
  tell(ended);
  become('SUCCEEDED');
  expect(await answer).toMatchObject({ job: { state: 'SUCCEEDED' } });
});

test('a job that is gone is undefined, also when it goes meanwhile', async () => {
  const { clock, wait, become } = scene();
  const answer = wait();
  await settle();
  become(undefined);
  await clock.advance(2_000);
  expect(await answer).toBeUndefined();
});

test('the time is kept, whatever the news', async () => {
  const { clock, wait, tell, waiters } = scene();
  const answer = wait(5_000);
  for (let i = 0; i < 4; i++) {
    await clock.advance(1_000);
    tell(ended); // it has not, says the store
  }
  expect(waiters.waiting).toBe(1);
  await clock.advance(1_000);
  expect(await answer).toMatchObject({ job: { state: 'RUNNING' } });
  expect(waiters.waiting).toBe(0);
});

test("one too many learns how things are now, and takes nobody's place", async () => {
  const { clock, wait, become, tell, waiters, handles } = scene({ maxWaiters: 3 });
  const three = [wait(), wait(), wait()];
  await settle();
  expect(await wait()).toMatchObject({ job: { state: 'RUNNING' } });
  expect(clock.monotonic()).toBe(0);
  expect(waiters.waiting).toBe(3);
  expect(handles.size).toBe(1);
  become('SUCCEEDED');
  tell(ended);
  await Promise.all(three);
  expect(await wait()).toMatchObject({ job: { state: 'SUCCEEDED' } });
});

test('a tenant that takes all its places leaves room for others', async () => {
  const { wait, become, tell, waiters } = scene({ maxWaiters: 5, maxWaitersPerTenant: 2 });
  const two = [wait(), wait()];
  await settle();
  expect(await wait()).toMatchObject({ job: { state: 'RUNNING' } });
  const other = waiters.wait('j', 'other', 30_000, new AbortController().signal);
  await settle();
  expect(waiters.waiting).toBe(3);
  become('SUCCEEDED');
  tell(ended);
  for (const job of await Promise.all([...two, other])) expect(job).toMatchObject({ job: { state: 'SUCCEEDED' } });
  expect(waiters.waiting).toBe(0);
});

describe.each([
  ['there is no bus', undefined],
  ['the bus refuses', () => Promise.reject(new CortexError('unavailable', 'no bus'))],
  ['the bus never answers', () => new Promise<never>(() => undefined)],
])('when %s', (_, subscribe) => {
  test('the store is looked at every two seconds', async () => {
    const { clock, wait, become, looks } = scene({ subscribe });
    const answer = wait();
    await clock.advance(6_500);
    expect(looks()).toBeGreaterThanOrEqual(3);
    expect(looks()).toBeLessThanOrEqual(5);
    become('TIMEOUT');
    await clock.advance(2_000);
    expect(await answer).toMatchObject({ job: { state: 'TIMEOUT' } });
  });

  test('the time is kept', async () => {
    const { clock, wait } = scene({ subscribe });
    const answer = wait(1_000);
    await clock.advance(1_000);
    expect(await answer).toMatchObject({ job: { state: 'RUNNING' } });
  });
});

test('what the store throws is thrown, and nothing stays behind', async () => {
  const { wait, fail, waiters, handles, clock } = scene();
  fail(new CortexError('unavailable', 'no store'));
  await expect(wait()).rejects.toMatchObject({ code: 'unavailable' });
  await settle();
  expect([waiters.waiting, waiters.subscriptions, handles.size, clock.waiting]).toEqual([0, 0, 0, 0]);
});

test('a client that has left, and a gateway that stops, end the wait', async () => {
  const { wait, waiters, handles, clock } = scene();
  const left = new AbortController();
  const [first, second] = [wait(30_000, left.signal), wait()];
  await settle();
  left.abort();
  await expect(first).rejects.toMatchObject({ code: 'canceled' });
  waiters.stop();
  await expect(second).rejects.toMatchObject({ code: 'unavailable' });
  await expect(wait()).rejects.toMatchObject({ code: 'unavailable' });
  await settle();
  expect([waiters.waiting, handles.size, clock.waiting]).toEqual([0, 0, 0]);
});
