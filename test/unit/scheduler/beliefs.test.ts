// What the dispatcher believes: hints that heal, and that cannot make it turn in circles, whatever the store answers.
import { create } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRegistry } from '#core/routing/registry.ts';
import type { Claimed, HandOut } from '#core/jobs/store.ts';
import { HeartbeatSchema } from '#proto/cortex/agent/v1/heartbeat_pb.ts';
import { type Beliefs, createBeliefs, type Planned } from '../../../services/scheduler/beliefs.ts';

const pools = {
  topics: new Map([['job.a', 'p']]),
  silentCapacity: new Map<string, number>(),
  busTenants: new Set<string>(),
};

function open(workers: Readonly<Record<string, number>>, allowed = Number.POSITIVE_INFINITY) {
  const registry = createRegistry(pools);
  const beat = (id: string, capacity: number, topics = 'job.a') => {
    const labels = { 'cortex.dispatch': 'direct', 'cortex.instance': 'i', 'cortex.topics': topics };
    registry.beat(create(HeartbeatSchema, { workerId: id, pool: 'p', maxParallelJobs: capacity, labels }), 0);
  };
  for (const [id, capacity] of Object.entries(workers)) beat(id, capacity);
  return { registry, beat, beliefs: createBeliefs(registry, () => allowed) };
}
const claimed = (taken: number, used: number, capacity: number, more: Partial<Claimed> = {}): Claimed => ({
  ...{ outcome: 'ok', used, capacity, regate: [], jobs: Array.from({ length: taken }, () => ({}) as HandOut) },
  ...more,
});
const asked = (planned: readonly Planned[]): Record<string, number> =>
  Object.fromEntries(planned.map(({ worker, n }) => [worker.id, n]));
const waitFor = (beliefs: Beliefs, n: number, lane = 'job.a'): void => {
  for (let i = 0; i < n; i++) beliefs.ready('p', lane);
};

test('asks for what waits, as far as there is room', () => {
  const { beliefs } = open({ a: 3, b: 10 });
  expect(beliefs.plan(100)).toEqual([]);
  waitFor(beliefs, 20);
  expect(asked(beliefs.plan(100))).toEqual({ a: 3, b: 10 });
  expect(beliefs.plan(5).reduce((sum, { n }) => sum + n, 0)).toBe(5);
});

test('what was taken waits no more, and fills slots', () => {
  const { beliefs } = open({ a: 3 });
  waitFor(beliefs, 5);
  const [planned] = beliefs.plan(100);
  beliefs.learn(planned as Planned, claimed(3, 3, 3));
  expect(beliefs.waits).toBe(true);
  expect(beliefs.plan(100)).toEqual([]);
  beliefs.freed('a');
  expect(asked(beliefs.plan(100))).toEqual({ a: 1 });
});

test.each([
  ['less than there was room for: the lane is empty', claimed(1, 1, 3), false],
  ['nothing, with room: the lane is empty', claimed(0, 0, 3), false],
  ['nothing, without room: it still waits', claimed(0, 3, 3), true],
  ['all that there was room for: the rest still waits', claimed(2, 3, 3), true],
  ['jobs that go back to the gate do not wait', claimed(1, 3, 3, { regate: [{} as never, {} as never] }), true],
])('a claim takes %s', (_name, answer, waits) => {
  const { beliefs } = open({ a: 3 });
  waitFor(beliefs, 5);
  const [planned] = beliefs.plan(100);
  beliefs.learn(planned as Planned, answer);
  expect(beliefs.waits).toBe(waits);
});

test("the store's word about capacity holds until the next heartbeat", () => {
  const { beliefs } = open({ a: 4 });
  waitFor(beliefs, 9);
  const [planned] = beliefs.plan(100);
  beliefs.learn(planned as Planned, claimed(1, 1, 1));
  expect(beliefs.plan(100)).toEqual([]);
  beliefs.beat('a', 1, 4);
  expect(asked(beliefs.plan(100))).toEqual({ a: 3 });
});

test('a worker that nobody knows cannot be freed into room', () => {
  const { beliefs } = open({ a: 1 });
  waitFor(beliefs, 2);
  beliefs.learn(beliefs.plan(9)[0] as Planned, claimed(1, 1, 1));
  beliefs.freed('stranger');
  beliefs.freed('a');
  beliefs.freed('a');
  expect(asked(beliefs.plan(100))).toEqual({ a: 1 });
});

test('only so many as are allowed just now', () => {
  const { beliefs } = open({ a: 9 }, 1);
  waitFor(beliefs, 5);
  expect(asked(beliefs.plan(100))).toEqual({ a: 1 });
  expect(open({ a: 9 }, 0).beliefs.plan(100)).toEqual([]);
});

describe('a recount', () => {
  test('replaces what was believed to wait, and keeps what became ready meanwhile', async () => {
    const { beliefs } = open({ a: 100 });
    waitFor(beliefs, 50);
    await beliefs.recount(async () => {
      await Promise.resolve();
      waitFor(beliefs, 2);
      return [{ pool: 'p', lane: 'job.a', waiting: 3 }];
    });
    expect(asked(beliefs.plan(100))).toEqual({ a: 5 });
    await beliefs.recount(async () => []);
    expect(beliefs.waits).toBe(false);
  });

  test('offers one slot of each worker that is believed to be full, and forgets who is gone', async () => {
    const { beliefs, registry } = open({ a: 4, b: 4, gone: 4 });
    for (const id of ['a', 'gone']) beliefs.beat(id, 4, 4);
    beliefs.beat('b', 1, 4);
    registry.suspect('gone');
    await beliefs.recount(async () => [{ pool: 'p', lane: 'job.a', waiting: 50 }]);
    expect(asked(beliefs.plan(100))).toEqual({ a: 1, b: 3 });
  });

  test('that fails leaves nothing believed, which the next one mends', async () => {
    const { beliefs } = open({ a: 4 });
    waitFor(beliefs, 3);
    await expect(beliefs.recount(() => Promise.reject(new Error('away')))).rejects.toThrow('away');
    expect(beliefs.waits).toBe(false);
    await beliefs.recount(async () => [{ pool: 'p', lane: 'job.a', waiting: 3 }]);
    expect(asked(beliefs.plan(100))).toEqual({ a: 3 });
  });
});

describe('a lane that nobody serves', () => {
  test('is not planned with, until somebody comes', () => {
    const { beliefs, beat } = open({ a: 4 });
    expect(beliefs.ready('p', 'job.b')).toBe(false);
    expect(beliefs.ready('p', 'job.b')).toBe(false);
    expect(beliefs.waits).toBe(false);
    beat('b', 4, 'job.b');
    beliefs.reopen('p');
    expect(asked(beliefs.plan(100))).toEqual({ b: 2 });
    expect(beliefs.ready('p', 'job.b')).toBe(true);
  });

  test('takes no room from lanes that somebody serves, however many such lanes one tenant makes', async () => {
    const { beliefs } = open({ a: 1 });
    const junk = Array.from({ length: 20_000 }, (_, i) => `job.a|l:of=${i}`);
    for (const lane of junk) beliefs.ready('p', lane);
    expect(beliefs.ready('p', 'job.a')).toBe(true);
    expect(asked(beliefs.plan(100))).toEqual({ a: 1 });
    // Also where the queues are read anew, in whatever order.
    await beliefs.recount(async () => [...junk, 'job.a'].map((lane) => ({ pool: 'p', lane, waiting: 1 })));
    expect(asked(beliefs.plan(100))).toEqual({ a: 1 });
  });

  test('is remembered within a bound', async () => {
    const { beliefs, beat } = open({ a: 4 });
    for (let i = 0; i < 25_000; i++) beliefs.ready('p', `job.a|l:x=${i}`);
    beliefs.ready('p', 'job.b');
    beat('b', 4, 'job.b');
    beliefs.reopen('p');
    expect(beliefs.waits).toBe(false); // the next recount finds it
    await beliefs.recount(async () => [{ pool: 'p', lane: 'job.b', waiting: 1 }]);
    expect(asked(beliefs.plan(100))).toEqual({ b: 1 });
  });
});

test('pools have their turn when one call cannot ask for all', () => {
  const two = {
    ...pools,
    topics: new Map([
      ['job.a', 'p'],
      ['job.q', 'q'],
    ]),
  };
  const registry = createRegistry(two);
  for (const pool of ['p', 'q']) {
    const labels = { 'cortex.dispatch': 'direct', 'cortex.instance': 'i' };
    registry.beat(create(HeartbeatSchema, { workerId: pool, pool, maxParallelJobs: 500, labels }), 0);
  }
  const beliefs = createBeliefs(registry, () => 500);
  for (let i = 0; i < 300; i++) {
    beliefs.ready('p', 'job.a');
    beliefs.ready('q', 'job.q');
  }
  const first = new Set([0, 1].map(() => beliefs.plan(100)[0]?.pool));
  expect(first).toEqual(new Set(['p', 'q']));
});

test('whatever the store answers, planning comes to an end', () => {
  const answer = fc.record({
    taken: fc.integer({ min: 0, max: 6 }),
    used: fc.integer({ min: 0, max: 8 }),
    capacity: fc.integer({ min: 0, max: 8 }),
    regate: fc.integer({ min: 0, max: 3 }),
  });
  fc.assert(
    fc.property(
      fc.array(answer, { minLength: 1, maxLength: 20 }),
      fc.integer({ min: 1, max: 30 }),
      fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 0, max: 6 }), { minKeys: 1 }),
      (answers, waiting, workers) => {
        const { beliefs } = open(workers);
        waitFor(beliefs, waiting);
        let calls = 0;
        for (;;) {
          const planned = beliefs.plan(100);
          if (planned.length === 0) break;
          for (const its of planned) {
            const { taken, used, capacity, regate } = answers[calls++ % answers.length] as never as Record<
              string,
              number
            >;
            const n = Math.min(taken ?? 0, its.n);
            const after = Math.max(used ?? 0, n); // what it took is among what is used
            beliefs.learn(
              its,
              claimed(n, after, capacity ?? 0, { regate: Array.from({ length: regate ?? 0 }, () => ({}) as never) }),
            );
          }
          expect(calls).toBeLessThan(4 * waiting + 40);
        }
      },
    ),
  );
});
