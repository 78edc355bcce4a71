// What comes in: never more than there is room for, and nothing under a fence that is not the current one.
import { describe, expect, test } from 'vitest';
import type { HandOut } from '#core/jobs/store.ts';
import { echo } from '../../../services/worker/echo.ts';
import { settle } from '../../helpers/clock.ts';
import { useStage } from '../../helpers/worker-rig.ts';
import { createManual, waiting } from '../../helpers/workers/manual.ts';

const setUp = useStage();

describe('slots', () => {
  test('are never exceeded: what comes on top goes back uncounted', async () => {
    const { definition, calls, most } = createManual(3);
    const s = await setUp([definition]);
    // Two schedulers that do not see each other's claims: one believes in a larger worker.
    for (let i = 0; i < 5; i++) await s.submit();
    const ours = await s.claim(3);
    expect(ours.jobs).toHaveLength(3);
    for (const job of ours.jobs) await s.send(job);
    await settle();
    await s.store.stopped([]);
    const extra = { ...(ours.jobs[0] as (typeof ours.jobs)[0]), attempt: 'another', id: 'job-unknown' };
    for (const job of ours.jobs) await s.seen('started', job.id);
    await s.send(extra);
    await s.seen('refused');
    expect(s.told.filter((e) => e.type === 'refused')).toMatchObject([{ why: 'busy' }]);
    expect([most(), s.host.workers[0]?.active]).toEqual([3, 3]);
    for (const call of calls) call.resolve(1);
    for (const job of ours.jobs) await s.seen('done', job.id);
    expect(s.host.workers[0]?.active).toBe(0);
  });

  test('a refused job is handed out again', async () => {
    const { definition, calls } = createManual(1);
    const s = await setUp([definition]);
    const first = await s.run();
    await s.seen('started', first.id);
    // The store lets a second one through when a scheduler is told of more room than there is.
    const id = await s.submit();
    await s.store.renew([
      { worker: 'w0', instance: s.host.instance, pool: 'test', capacity: 2, leaseMs: 4000, aliveMs: 4000, jobs: [] },
    ]);
    const [second] = (await s.claim(1)).jobs;
    if (second === undefined) throw new Error('nothing claimed');
    await s.send(second);
    await s.seen('refused', id);
    await settle();
    expect(await s.view(id)).toMatchObject({ state: 'SCHEDULED', attempts: 0, losses: 0, failures: 0 });
    calls[0]?.resolve(1);
    await s.seen('done', first.id);
    await s.clock.advance(200);
    await s.store.requeue([
      { id, tenant: 'default', seen: { state: 'SCHEDULED', fence: second.fence }, why: 'ready', delayMs: 0 },
    ]);
    const [third] = (await s.claim(1)).jobs;
    if (third === undefined) throw new Error('nothing claimed');
    await s.send(third);
    await s.seen('started', id);
    calls[1]?.resolve(1);
    await s.seen('committed', id);
  });

  test('the same hand-out twice runs once', async () => {
    const { definition, calls } = createManual(2);
    const s = await setUp([definition]);
    const handOut = await s.run();
    await s.send(handOut);
    await s.seen('started', handOut.id);
    await s.send(handOut);
    await settle();
    expect(calls).toHaveLength(1);
    expect(s.host.workers[0]?.active).toBe(1);
    calls[0]?.resolve(1);
    await s.seen('committed', handOut.id);
  });
});

describe('a hand-out for another process under the same worker id', () => {
  test('is neither taken nor given back, whether this one has heard of the other yet or not', async () => {
    const { definition, calls } = createManual(2);
    const s = await setUp([definition, waiting]);
    const mine = await s.run();
    await s.seen('started', mine.id);
    // This process slept through its liveness; another one started under the id of its first worker.
    await s.store.unregister('w0', s.host.instance);
    const other = { worker: 'w0', instance: 'another', pool: 'test', capacity: 4, aliveMs: 60_000 };
    expect((await s.store.register(other)).outcome).toBe('ok');
    const ids = [mine.id, await s.submit(), await s.submit()];
    const [claimed] = await s.store.claim([
      {
        ...{ pool: 'test', worker: 'w0', instance: 'another', n: 3, capacity: 4, lanes: ['job.test'], acceptMs: 2000 },
        policy: { sequence: 1, hash: 'p' },
      },
    ]);
    const theirs = claimed?.jobs ?? [];
    expect(theirs.map((job) => job.id).toSorted()).toEqual(ids.toSorted());
    const [first, second, third] = theirs as [HandOut, HandOut, HandOut];
    await s.send(first, 'w0', { instance: 'another' }); // it has not heard yet
    await s.seen('dropped');
    await s.clock.advance(1000);
    await s.seen('replaced');
    await s.send(second, 'w0', { instance: 'another' });
    void s.host.drain({ finishMs: 0 }); // as the process would
    await s.send(third, 'w0', { instance: 'another' });
    await s.clock.advance(0);
    expect(calls).toHaveLength(1);
    expect(s.told.filter((e) => e.type === 'refused')).toEqual([]);
    for (const id of ids) expect((await s.view(id)).state).toBe('DISPATCHED');
  });
});

describe('a fence that is not the current one', () => {
  test('does not start the handler', async () => {
    const { definition, calls } = createManual();
    const s = await setUp([definition]);
    const id = await s.submit();
    const [old] = (await s.claim()).jobs;
    if (old === undefined) throw new Error('nothing claimed');
    await s.store.requeue([
      { id, tenant: 'default', seen: { state: 'DISPATCHED', fence: old.fence }, why: 'unaccepted', delayMs: 0 },
    ]);
    await s.send(old);
    expect(await s.seen('stale', id)).toMatchObject({ step: 'accept', reason: 'lost' });
    await s.seen('done', id);
    expect(calls).toEqual([]);
    expect(s.host.workers[0]?.active).toBe(0);
  });

  test.each([
    'Cortex-Fence',
    'Cortex-Attempt',
    'Cortex-Instance',
    'Cortex-Tenant',
    'Cortex-Lease-Ms',
    'Cortex-Deadline',
  ])('a packet without %s never gets past the door', async (omit) => {
    const { definition, calls } = createManual();
    const s = await setUp([definition]);
    await s.submit();
    const [job] = (await s.claim()).jobs;
    if (job === undefined) throw new Error('nothing claimed');
    await s.send(job, 'w0', { omit });
    expect((await s.seen('dropped')).problem).toContain(omit);
    await s.send({ ...job, packet: Uint8Array.of(1, 2, 3) });
    await settle();
    expect(s.told.filter((e) => e.type === 'dropped')).toHaveLength(2);
    expect(calls).toEqual([]);
  });

  test('a packet of another topic is not taken', async () => {
    const s = await setUp([waiting, echo]);
    await s.submit({ topic: 'job.echo' });
    const [job] = (await s.claim(1, 'w1')).jobs;
    if (job === undefined) throw new Error('nothing claimed');
    await s.send(job, 'w0');
    expect((await s.seen('dropped')).problem).toBe('job_request.topic: is job.echo, this worker takes job.test');
  });

  test('an outcome under it is refused, and the next attempt counts', async () => {
    const { definition, calls } = createManual();
    const s = await setUp([definition]);
    const first = await s.run();
    await s.seen('started', first.id);
    await s.store.requeue([
      { id: first.id, tenant: 'default', seen: { state: 'RUNNING', fence: first.fence }, why: 'lost', delayMs: 0 },
    ]);
    calls[0]?.resolve('old');
    expect(await s.seen('stale', first.id)).toMatchObject({ step: 'commit', reason: 'lost' });
    await s.seen('done', first.id);
    const [second] = (await s.claim()).jobs;
    if (second === undefined) throw new Error('nothing claimed');
    await s.send(second);
    while (calls.length < 2) await settle();
    calls[1]?.resolve('new');
    await s.seen('committed', first.id);
    expect(await s.store.result(first.id, 'default')).toBe('"new"');
  });
});
