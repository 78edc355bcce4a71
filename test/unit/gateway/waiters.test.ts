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

describe('who enters before there is a job', () => {
  const never = (): AbortSignal => new AbortController().signal;
  /** A tenant that is listened to already, because somebody else waits: its job is `k`. */
  async function listened(options: Parameters<typeof scene>[0] = {}) {
    const here = scene(options);
    const other = here.waiters.wait('k', 'default', 60_000, never());
    await settle();
    const looked = here.looks();
    return { ...here, other, since: () => here.looks() - looked };
  }

  test('looks once, when the end is told', async () => {
    const { waiters, become, tell, since, clock } = await listened();
    const place = waiters.enter('default');
    place.expect('j');
    const answer = place.wait('j', 30_000, never());
    await clock.advance(1_900);
    expect(since()).toBe(0);
    become('SUCCEEDED');
    tell(ended);
    expect(await answer).toMatchObject({ job: { state: 'SUCCEEDED' } });
    expect(since()).toBe(1);
    place.leave();
    expect(waiters.waiting).toBe(1);
  });

  test('does not miss an end that was told before it waited', async () => {
    const { waiters, become, tell, since, clock } = await listened();
    const place = waiters.enter('default');
    place.expect('j');
    become('SUCCEEDED');
    tell(ended);
    expect(await place.wait('j', 30_000, never())).toMatchObject({ job: { state: 'SUCCEEDED' } });
    expect([since(), clock.monotonic()]).toEqual([1, 0]);
    place.leave();
  });

  test('looks every two seconds all the same, and when the time is over', async () => {
    const { waiters, become, since, clock } = await listened();
    const place = waiters.enter('default');
    place.expect('j');
    const short = waiters.enter('default');
    short.expect('j2');
    const soon = short.wait('j2', 1_000, never());
    const answer = place.wait('j', 30_000, never());
    await clock.advance(1_000);
    expect(await soon).toMatchObject({ job: { state: 'RUNNING' } });
    become('FAILED');
    await clock.advance(1_000);
    expect(await answer).toMatchObject({ job: { state: 'FAILED' } });
    expect(since()).toBe(3); // the other one's look among them
    for (const one of [place, short]) one.leave();
  });

  test('looks at once at a job that is not the expected one: it may have ended long ago', async () => {
    const { waiters, become, clock } = await listened();
    const place = waiters.enter('default');
    place.expect('j');
    become('SUCCEEDED');
    expect(await place.wait('before', 30_000, never())).toMatchObject({ job: { state: 'SUCCEEDED' } });
    expect(clock.monotonic()).toBe(0);
    place.leave();
  });

  test('looks as soon as the bus is listened to when it was not yet, and without a bus after two seconds', async () => {
    let open: (() => void) | undefined;
    const { waiters, looks, clock } = scene({
      subscribe: () => new Promise((resolve) => (open = () => resolve({ close: async () => undefined }))),
    });
    const place = waiters.enter('default');
    place.expect('j');
    const answer = place.wait('j', 3_000, never());
    await settle();
    expect(looks()).toBe(0);
    open?.();
    await settle();
    expect(looks()).toBe(1);
    await clock.advance(3_000);
    expect(await answer).toMatchObject({ job: { state: 'RUNNING' } });
    place.leave();
    await settle();
    expect([waiters.waiting, waiters.subscriptions, clock.waiting]).toEqual([0, 0, 0]);
  });

  test('takes one of the places, and gives it back', async () => {
    const { waiters, looks } = scene({ maxWaiters: 2 });
    const places = [waiters.enter('default'), waiters.enter('default')];
    const tooMany = waiters.enter('default');
    tooMany.expect('j');
    expect(await tooMany.wait('j', 30_000, never())).toMatchObject({ job: { state: 'RUNNING' } });
    tooMany.leave();
    expect([waiters.waiting, looks()]).toEqual([2, 1]);
    for (const place of places) place.leave();
    await settle();
    expect([waiters.waiting, waiters.subscriptions]).toEqual([0, 0]);
  });

  test('is told when the gateway stops meanwhile, or the client leaves', async () => {
    const { waiters, other } = await listened();
    const [first, second] = [waiters.enter('default'), waiters.enter('default')];
    first.expect('j');
    waiters.stop();
    const left = AbortSignal.abort();
    await expect(first.wait('j', 30_000, never())).rejects.toMatchObject({ code: 'unavailable' });
    await expect(second.wait('j', 30_000, left)).rejects.toMatchObject({ code: 'canceled' });
    await expect(other).rejects.toMatchObject({ code: 'unavailable' });
    for (const place of [first, second]) place.leave();
    expect(waiters.waiting).toBe(0);
  });
});
