// How a host ends: nothing new, what runs may finish, the rest goes back.
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineWorker } from '../../../services/worker/define.ts';
import { settle } from '../../helpers/clock.ts';
import { useStage } from '../../helpers/worker-rig.ts';
import type { Stage } from '../../helpers/worker-stage.ts';

type How = 'heeds' | 'ignores' | 'finishes when told';

/** The input says how the handler takes being told to stop; `finish` ends all that run. */
function createWorker(parallel = 2) {
  const finish: ((value: string) => void)[] = [];
  const definition = defineWorker({
    topic: 'job.test',
    pool: 'test',
    parallel,
    input: z.custom<How>(),
    handle: (how, { signal }) =>
      new Promise((resolve, reject) => {
        finish.push(resolve);
        signal.addEventListener('abort', () => {
          if (how === 'heeds') reject(signal.reason);
          if (how === 'finishes when told') resolve('just in time');
        });
      }),
  });
  return { definition, finish: () => finish.forEach((done) => done('finished')) };
}

const stageOf = useStage();
let finishAll: () => void = () => undefined;

function setUp() {
  const { definition, finish } = createWorker();
  finishAll = finish;
  return stageOf([definition]);
}

const capacities = (s: Stage): number[] =>
  s.news.flatMap((p) => (p.payload.case === 'heartbeat' ? [p.payload.value.maxParallelJobs] : []));

describe('a drain', () => {
  test('without work ends at once and frees the id', async () => {
    const s = await setUp();
    const before = s.clock.monotonic();
    await s.host.drain({ finishMs: 25_000 });
    expect(s.clock.monotonic()).toBe(before);
    await settle();
    expect(capacities(s).at(-1)).toBe(0);
    const next = { worker: 'w0', instance: 'next', pool: 'test', capacity: 1, aliveMs: 1000 };
    expect((await s.store.register(next)).outcome).toBe('ok');
  });

  test('says that there is no room before anything else', async () => {
    const s = await setUp();
    await settle();
    const before = capacities(s).length;
    s.outage.only = ['renew'];
    s.outage.mode = 'hung';
    const drained = s.host.drain({ finishMs: 1000 });
    await settle(); // the clock stands still
    expect(capacities(s).slice(before)).toEqual([0]);
    s.outage.mode = 'up';
    s.outage.release();
    await s.clock.during(drained);
  });

  test('lets what runs finish', async () => {
    const s = await setUp();
    const { id } = await s.run({ payload: 'heeds' });
    await s.seen('started', id);
    const drained = s.host.drain({ finishMs: 25_000 });
    await s.clock.advance(20_000);
    expect((await s.view(id)).state).toBe('RUNNING'); // its lease is still kept
    finishAll();
    await s.clock.during(drained);
    expect(await s.view(id)).toMatchObject({ state: 'SUCCEEDED', attempts: 1 });
    expect(s.told.at(-1)).toEqual({ type: 'drained', handedBack: 0 });
  });

  test('claims nothing more, and gives back what was on its way', async () => {
    const s = await setUp();
    const { id } = await s.run({ payload: 'heeds' });
    await s.seen('started', id);
    const late = await s.submit();
    const [onItsWay] = (await s.claim()).jobs;
    if (onItsWay === undefined) throw new Error('nothing claimed');
    const drained = s.host.drain({ finishMs: 5000 });
    await s.clock.advance(0);
    await s.send(onItsWay);
    expect(await s.seen('refused', late)).toMatchObject({ why: 'drained' });
    await s.clock.advance(0);
    expect(await s.view(late)).toMatchObject({ state: 'SCHEDULED', attempts: 0, losses: 0 });
    expect((await s.claim()).jobs).toEqual([]);
    // Whoever has room does not get it at once either: a scheduler that believes in us would send it back and forth.
    const other = { worker: 'w9', instance: 'another', pool: 'test', capacity: 1, aliveMs: 60_000 };
    await s.store.register(other);
    const ask = { ...other, n: 1, lanes: ['job.test'], acceptMs: 2000, policy: { sequence: 1, hash: 'p' } };
    expect((await s.store.claim([ask]))[0]?.jobs).toEqual([]);
    finishAll();
    await s.clock.during(drained);
  });

  test.each([
    ['heeds', 'SCHEDULED'],
    ['ignores', 'SCHEDULED'],
    ['finishes when told', 'SUCCEEDED'],
  ])('hands back what does not finish in time, counted as nothing (%s)', async (how, state) => {
    const s = await setUp();
    const { id, fence } = await s.run({ payload: how });
    await s.seen('started', id);
    const drained = s.host.drain({ finishMs: 5000 });
    await s.clock.advance(4900);
    expect(s.told.some((e) => e.type === 'aborted')).toBe(false);
    await s.clock.during(drained);
    expect(s.told).toContainEqual(expect.objectContaining({ type: 'aborted', job: id, cause: 'shutdown' }));
    expect(await s.view(id)).toMatchObject({ state, losses: 0, failures: 0, fence });
    expect(s.told.at(-1)).toEqual({ type: 'drained', handedBack: state === 'SCHEDULED' ? 1 : 0 });
    finishAll();
    await s.clock.advance(0);
    await s.seen('done', id);
    expect((await s.view(id)).state).toBe(state);
  });

  test('is cut short by its signal', async () => {
    const s = await setUp();
    const { id } = await s.run({ payload: 'heeds' });
    await s.seen('started', id);
    const cut = new AbortController();
    const drained = s.host.drain({ finishMs: 25_000, signal: cut.signal });
    await s.clock.advance(100);
    cut.abort();
    await drained;
    expect(s.clock.monotonic()).toBeLessThan(1000);
    expect((await s.view(id)).state).toBe('SCHEDULED');
  });

  test('ends even if the store is away', async () => {
    const s = await setUp();
    const { id } = await s.run({ payload: 'heeds' });
    await s.seen('started', id);
    s.outage.mode = 'down';
    await s.clock.during(s.host.drain({ finishMs: 1000 }));
    expect(s.told.at(-1)?.type).toBe('drained');
    s.outage.mode = 'up';
  });
});
