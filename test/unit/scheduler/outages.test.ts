// What the scheduler leans on goes away and comes back: nothing is lost, nothing runs twice, and it says so.
import { afterEach, describe, expect, test } from 'vitest';
import { redisStage } from '../../helpers/redis-job-store.ts';
import { createRig, type RigOptions, type SchedulerRig } from '../../helpers/scheduler-rig.ts';

const stage = redisStage();
let rig: SchedulerRig;
const open = async (options?: RigOptions): Promise<SchedulerRig> => (rig = await createRig(stage, options));
afterEach(() => rig.close());

const alerts = (): string[] =>
  rig.news.flatMap(({ packet: { payload } }) =>
    payload.case === 'alert' ? [`${payload.value.level} ${payload.value.component} ${payload.value.code}`] : [],
  );

describe('the store', () => {
  test.each(['down', 'deaf'] as const)('is %s for eight seconds', async (mode) => {
    await open();
    const worker = await rig.worker({ id: 'w1', parallel: 20 });
    await rig.settle();
    rig.engine.outage.mode = mode;
    const ids = await rig.submitMany(20);
    await rig.advance(8_000);
    if (mode === 'down') expect(worker.got).toEqual([]);
    expect(rig.engine.scheduler.troubles()).toMatchObject({ store: expect.stringContaining('away') });
    expect(alerts()).toEqual(['CRITICAL store store_away']);
    expect(rig.engine.logged.filter((line) => line.includes('"level":"warn"')).length).toBeLessThanOrEqual(2);
    rig.engine.outage.mode = 'up';
    await rig.reach(ids, 'SUCCEEDED', 5_000);
    await rig.advance(3_000);
    expect(worker.ran.toSorted()).toEqual(ids.toSorted());
    expect(alerts()).toEqual(['CRITICAL store store_away', 'INFO store store_back']);
    expect(rig.engine.scheduler.troubles()).toEqual({});
  });

  test('is away for a moment: nobody is alarmed', async () => {
    await open();
    rig.engine.outage.mode = 'down';
    await rig.advance(4_000);
    rig.engine.outage.mode = 'up';
    await rig.advance(4_000);
    expect(alerts()).toEqual([]);
  });

  test('loses the answer of a claim: its jobs go out again when nobody took them up', async () => {
    await open();
    const worker = await rig.worker({ id: 'w1' });
    await rig.settle();
    rig.engine.outage.mode = 'deaf';
    rig.engine.outage.only = ['claim'];
    const id = await rig.submit();
    await rig.settle();
    rig.engine.outage.mode = 'up';
    expect(await rig.state(id)).toBe('DISPATCHED');
    expect(worker.got).toEqual([]);
    await rig.reach(id, 'SUCCEEDED', 4_500);
    expect(await rig.view(id)).toMatchObject({ losses: 0, attempts: 1 });
    // The worker is not to blame.
    expect(rig.told('worker').some((event) => event.is === 'suspected')).toBe(false);
  });

  test('fails a batch of submissions: their records are due, and they run', async () => {
    await open();
    await rig.worker({ id: 'w1' });
    rig.engine.outage.mode = 'down';
    rig.engine.outage.only = ['gate'];
    const ids = await rig.submitMany(10);
    await rig.settle();
    rig.engine.outage.mode = 'up';
    await rig.reach(ids, 'SUCCEEDED', 3_000);
  });

  test('cannot note that ends were heard: they are told again, and counted once', async () => {
    await open();
    await rig.worker({ id: 'w1' });
    rig.engine.outage.mode = 'down';
    rig.engine.outage.only = ['announced'];
    const ids = await rig.submitMany(5);
    await rig.reach(ids, 'SUCCEEDED');
    rig.engine.outage.mode = 'up';
    await rig.advance(5_000);
    const series = 'cortex_scheduler_jobs_completed_total{topic="job.echo",status="JOB_STATUS_SUCCEEDED"}';
    expect(rig.engine.metrics.read(series)).toBe(5);
    for (const id of ids) expect(rig.results(id)).toHaveLength(2);
  });
});

describe('the bus', () => {
  test('is down: nothing is claimed; what was accepted goes out when it is back', async () => {
    await open();
    const worker = await rig.worker({ id: 'w1', parallel: 30 });
    await rig.settle();
    rig.engine.bus.disconnect();
    const ids = await rig.submitMany(25);
    await rig.advance(8_000);
    for (const id of ids) expect(await rig.state(id)).toBe('SCHEDULED'); // the reconciler went on
    expect(worker.got).toEqual([]);
    expect(rig.engine.scheduler.troubles()).toEqual({ bus: 'the connection is down' });
    rig.engine.bus.reconnect();
    await rig.settle();
    for (const id of ids) expect(await rig.state(id)).toBe('SUCCEEDED');
    expect(alerts()).toEqual(['INFO bus bus_back']);
  });

  test('loses hand-outs when it breaks: they go out again, and no worker is blamed', async () => {
    await open();
    const worker = await rig.worker({ id: 'w1', parallel: 10 });
    await rig.settle();
    // The claim has happened, the packet goes nowhere.
    rig.engine.outage.mode = 'slow';
    rig.engine.outage.only = ['claim'];
    const ids = await rig.submitMany(10);
    await rig.settle();
    rig.engine.bus.disconnect();
    rig.engine.outage.mode = 'up';
    rig.engine.outage.release();
    await rig.settle();
    rig.engine.bus.reconnect();
    await rig.reach(ids, 'SUCCEEDED', 4_000);
    expect(worker.ran).toHaveLength(10);
    expect(rig.told('worker').some((event) => event.is === 'suspected')).toBe(false);
  });

  test('loses the news of ends: they are told when it is back', async () => {
    await open();
    const worker = await rig.worker({ id: 'w1', deed: () => 'hold' });
    const id = await rig.submit();
    await rig.reach(id, 'RUNNING');
    rig.engine.bus.disconnect();
    worker.deed = () => 'mute';
    await worker.finish(id);
    await rig.advance(6_000);
    expect(rig.announced.has(id)).toBe(false);
    rig.engine.bus.reconnect();
    await rig.advance(2_500);
    expect(rig.announced.has(id)).toBe(true);
  });
});

describe('a stream that captures hand-outs', () => {
  test.each([
    [{ JOBS: ['job.>'] }, 'JOBS'],
    [{ W: ['worker.*.jobs'] }, 'W'],
    [{ ALL: ['>'] }, 'ALL'],
    [{ ONE: ['job.echo'] }, 'ONE'],
  ])('%j is an error at start that names it', async (streams, name) => {
    await open({ streams, start: false });
    await expect(rig.engine.scheduler.start()).rejects.toMatchObject({
      code: 'failed_precondition',
      message: expect.stringContaining(name),
    });
  });

  test('and comes later is an alert at the next scan', async () => {
    const streams: Record<string, string[]> = {};
    await open({ streams });
    await rig.advance(10_000);
    streams['LATE'] = ['job.>'];
    await rig.advance(27_000);
    expect(rig.engine.scheduler.troubles()).toMatchObject({ stream: expect.stringContaining('LATE') });
    expect(alerts()).toEqual(['CRITICAL stream stream_away']);
    delete streams['LATE'];
    await rig.advance(31_000);
    expect(rig.engine.scheduler.troubles()).toEqual({});
  });

  test('of news is none of our business', async () => {
    await open({ streams: { SYS: ['sys.>'] } });
    const id = await rig.submit();
    await rig.settle();
    expect(await rig.state(id)).toBe('SCHEDULED');
  });
});
