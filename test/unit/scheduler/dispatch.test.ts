// Hand-outs: to the least loaded that may and can, never more than there are slots, and no slot idle for long while a job waits.
import { afterEach, describe, expect, test } from 'vitest';
import { encodePacket, heartbeatPacket } from '#core/protocol/envelope.ts';
import { subjects } from '#core/protocol/subjects.ts';
import { JobPriority } from '#proto/cortex/agent/v1/job_pb.ts';
import { redisStage } from '../../helpers/redis-job-store.ts';
import { createRig, type RigOptions, type SchedulerRig } from '../../helpers/scheduler-rig.ts';

const stage = redisStage();
let rig: SchedulerRig;
const open = async (options?: RigOptions): Promise<SchedulerRig> => (rig = await createRig(stage, options));
afterEach(() => rig.close());

const claims = (): number => rig.engine.outage.counts.get('claim') ?? 0;

test('a worker holds as many as it has slots; the others wait in order', async () => {
  await open();
  const worker = await rig.worker({ id: 'w1', parallel: 3, deed: () => 'hold' });
  const ids = await rig.submitMany(8);
  await rig.settle();
  expect(worker.got).toHaveLength(3);
  await rig.advance(6_000);
  expect(worker.got).toHaveLength(3);
  expect(rig.engine.metrics.read('cortex_scheduler_queue_depth{pool="echo"}')).toBe(5);
  for (let done = 0; done < ids.length; done++) {
    const [first] = worker.holds.keys();
    await worker.finish(first ?? '');
    await rig.settle();
    // A freed slot is filled in the same turn.
    expect(worker.holds.size).toBe(Math.min(3, ids.length - done - 1));
  }
  // Oldest first; those of one millisecond in the order of their ids.
  expect(worker.got.map((job) => job.id)).toEqual(ids.toSorted());
});

test('jobs spread over the least loaded', async () => {
  await open();
  const hold = (): 'hold' => 'hold';
  const busy = await rig.worker({ id: 'busy', parallel: 10, deed: hold });
  busy.load.cpu = 90;
  busy.beat();
  const [free, other] = [
    await rig.worker({ id: 'free', parallel: 10, deed: hold }),
    await rig.worker({ id: 'other', parallel: 2, deed: hold }),
  ];
  await rig.settle();
  await rig.submitMany(11);
  await rig.settle();
  expect([busy, free, other].map((worker) => worker.got.length)).toEqual([4, 5, 2]);
});

test('one after the other they go round', async () => {
  await open();
  const workers = await Promise.all(['a', 'b', 'c'].map((id) => rig.worker({ id })));
  await rig.settle();
  for (let i = 0; i < 30; i++) {
    await rig.submit();
    await rig.settle();
  }
  for (const worker of workers) expect(worker.got.length).toBeGreaterThanOrEqual(5);
});

describe('a job goes only to who can do it', () => {
  test.each([
    ['its topic', { topic: 'job.slow' }, { topics: ['job.echo'] }, { topics: ['job.echo', 'job.slow'] }],
    [
      'what it requires',
      { request: { meta: { requires: ['gpu', 'cuda'] } } },
      { capabilities: ['gpu'] },
      { capabilities: ['cuda', 'gpu', 'x'] },
    ],
    ['its labels', { request: { labels: { os: 'linux' } } }, { labels: { os: 'mac' } }, { labels: { os: 'linux' } }],
    ['its region', { request: { labels: { region: 'eu' } } }, { region: 'us' }, { region: 'eu' }],
    ['its pool', { topic: 'job.other' }, { pool: 'echo' }, { pool: 'other' }],
  ])('%s', async (_name, spec, wrong, right) => {
    await open();
    const unable = await rig.worker({ id: 'unable', ...wrong });
    const id = await rig.submit(spec);
    await rig.advance(3_000);
    expect(await rig.state(id)).toBe('SCHEDULED');
    expect(unable.got).toEqual([]);
    const able = await rig.worker({ id: 'able', ...right });
    await rig.settle();
    expect(able.ran).toEqual([id]);
  });

  test('and hints about pool and worker ask for nothing', async () => {
    await open();
    const worker = await rig.worker({ id: 'w1' });
    const id = await rig.submit({ request: { labels: { preferred_pool: 'x', preferred_worker_id: 'y' } } });
    await rig.settle();
    expect(worker.ran).toEqual([id]);
  });

  test('a worker that learns something gets what waited for it', async () => {
    await open();
    const id = await rig.submit({ request: { meta: { requires: ['gpu'] } } });
    const before = await rig.worker({ id: 'w1' });
    await rig.settle();
    await before.die();
    await rig.advance(4_500); // its id is free again
    const after = await rig.worker({ id: 'w1', capabilities: ['gpu'] });
    await rig.settle();
    expect(after.ran).toEqual([id]);
  });
});

test('a job waits for its pool, and runs when a worker arrives', async () => {
  await open();
  const id = await rig.submit();
  await rig.advance(60_000);
  expect(await rig.state(id)).toBe('SCHEDULED');
  await rig.worker({ id: 'w1' });
  await rig.settle();
  expect(await rig.path(id)).toBe('PENDING SCHEDULED DISPATCHED RUNNING SUCCEEDED');
});

test('critical before interactive before batch, and tenants in turn', async () => {
  await open({ pools: { topics: { 'job.echo': 'echo' }, bus: { tenants: ['default', 'a', 'b'] } } });
  rig.checker.setPolicy('tenants: {default: {}}');
  await rig.advance(1_000);
  const many = (n: number, tenant: string, priority: JobPriority) =>
    rig.submitMany(n, { tenant, request: { priority } });
  await many(2, 'a', JobPriority.BATCH);
  await many(4, 'a', JobPriority.INTERACTIVE);
  await rig.advance(1);
  await many(2, 'b', JobPriority.INTERACTIVE);
  await many(1, 'b', JobPriority.CRITICAL);
  await rig.settle();
  const worker = await rig.worker({ id: 'w1', parallel: 1 });
  await rig.advance(1_000);
  const order = worker.got.map(({ tenant, request }) => `${tenant}${request.priority}`);
  expect(order).toHaveLength(9);
  expect(order[0]).toBe('b3');
  // What was served at another priority counts as well: after six, each tenant had three.
  expect(order.slice(1, 6).toSorted()).toEqual(['a1', 'a1', 'a1', 'b1', 'b1']);
  expect(order.slice(6)).toEqual(['a1', 'a2', 'a2']);
});

describe('beliefs that went stale', () => {
  test('a slot that nobody told was freed is found within a second', async () => {
    await open();
    const worker = await rig.worker({ id: 'w1', parallel: 1, deed: () => 'mute' });
    const ids = await rig.submitMany(4, { ring: false });
    for (const id of ids) rig.ring(id);
    await rig.settle();
    await rig.advance(4_000);
    expect(worker.ran).toHaveLength(4);
  });

  test('a retry that nobody told of is found within a second', async () => {
    await open();
    const worker = await rig.worker({ id: 'w1', pool: 'other', deed: (_job, nth) => (nth < 3 ? 'retry' : 'succeed') });
    const id = await rig.submit({ topic: 'job.other' });
    await rig.reach(id, 'SUCCEEDED', 3_000);
    expect(worker.ran).toEqual([id, id, id]);
    expect(await rig.view(id)).toMatchObject({ attempts: 3, failures: 2, losses: 0 });
  });

  test('the store says that a worker has no slots: it is asked once a second, not over and over', async () => {
    await open();
    const worker = await rig.worker({ id: 'w1', parallel: 4 });
    worker.capacity.store = 0; // its handlers do not end, or it is on its way out
    await worker.renew();
    const ids = await rig.submitMany(10);
    const before = claims();
    await rig.advance(5_000);
    expect(worker.got).toEqual([]);
    expect(claims() - before).toBeLessThanOrEqual(8);
    worker.capacity.store = 4;
    await rig.reach(ids, 'SUCCEEDED', 2_500);
  });

  test('a worker that is gone from the store is not asked again before it beats again', async () => {
    await open();
    const worker = await rig.worker({ id: 'w1' });
    await rig.settle();
    await rig.store.unregister('w1', 'i-w1');
    const ids = await rig.submitMany(10);
    await rig.settle();
    const before = claims();
    expect(before).toBe(1);
    expect(rig.told('worker').at(-1)).toMatchObject({ id: 'w1', is: 'suspected' });
    expect(worker.got).toEqual([]);
    await rig.reach(ids, 'SUCCEEDED', 6_000); // it renews, and beats
  });

  test('more is believed to wait than does: one claim tells', async () => {
    await open({ engines: 2 });
    const worker = await rig.worker({ id: 'w1', parallel: 2 });
    const ids = await rig.submitMany(20);
    await rig.reach(ids, 'SUCCEEDED', 3_000);
    const before = claims() + (rig.engines[1]?.outage.counts.get('claim') ?? 0);
    await rig.advance(10_000);
    expect(claims() + (rig.engines[1]?.outage.counts.get('claim') ?? 0) - before).toBeLessThanOrEqual(2);
    expect(worker.ran).toHaveLength(20);
  });
});

describe('a worker that does not take up what it is handed', () => {
  test('loses it after two seconds, uncounted, and gets nothing more until it beats again', async () => {
    await open();
    const deaf = await rig.worker({ id: 'deaf', deed: () => 'ignore' });
    const id = await rig.submit();
    await rig.settle();
    expect(await rig.state(id)).toBe('DISPATCHED');
    const good = await rig.worker({ id: 'good' });
    good.load.cpu = 100;
    await rig.reach(id, 'SUCCEEDED', 3_500);
    expect(deaf.got.length).toBe(1);
    expect(good.ran).toEqual([id]);
    expect(await rig.view(id)).toMatchObject({ losses: 0, failures: 0, attempts: 1 });
    expect(rig.engine.metrics.read('cortex_scheduler_lease_expiries_total{pool="echo"}')).toBe(1);
    expect(rig.told('worker').filter((event) => event.is === 'suspected')).toMatchObject([{ id: 'deaf' }]);
  });

  test('for too long: the job is TIMEOUT dispatch_timeout', async () => {
    await open();
    await rig.worker({ id: 'deaf', deed: () => 'ignore' });
    const id = await rig.submit();
    await rig.reach(id, 'TIMEOUT', 20_000);
    const seen = await rig.view(id);
    expect(seen).toMatchObject({ errorCode: 'dispatch_timeout', attempts: 0, losses: 0 });
    expect(seen.endedAt - seen.createdAt).toBeGreaterThanOrEqual(10_000);
    expect(rig.announced.has(id)).toBe(true);
  });

  test('because it says that it is busy: the job goes to another, uncounted', async () => {
    await open();
    const busy = await rig.worker({ id: 'busy', parallel: 1, deed: () => 'busy' });
    const id = await rig.submit();
    await rig.settle();
    expect(busy.got).toHaveLength(1);
    await rig.worker({ id: 'good' });
    await rig.reach(id, 'SUCCEEDED', 15_000);
    expect(await rig.view(id)).toMatchObject({ losses: 0, failures: 0 });
    expect(rig.engine.metrics.read('cortex_scheduler_lease_expiries_total{pool="echo"}')).toBe(0);
  });
});

describe('a worker that dies', () => {
  test('in the middle of a job: another gets it when the lease is over, under a new fence', async () => {
    await open();
    const doomed = await rig.worker({ id: 'doomed', deed: () => 'vanish' });
    const id = await rig.submit();
    await rig.reach(id, 'RUNNING');
    await doomed.die();
    const heir = await rig.worker({ id: 'heir' });
    await rig.reach(id, 'SUCCEEDED', 6_000);
    expect(await rig.view(id)).toMatchObject({ worker: 'heir', losses: 1, attempts: 2 });
    expect(Number(heir.got[0]?.fence)).toBeGreaterThan(Number(doomed.got[0]?.fence));
    expect(await doomed.late(id)).toMatchObject({ outcome: 'stale' });
    expect(JSON.parse((await rig.store.result(id, 'default')) ?? '')).toMatchObject({ by: 'heir' });
  });

  test('again and again: the fourth loss is FAILED worker_lost', async () => {
    await open();
    const worker = await rig.worker({ id: 'w1', deed: () => 'vanish' });
    const id = await rig.submit();
    await rig.reach(id, 'FAILED', 40_000);
    expect(worker.got).toHaveLength(4);
    expect(await rig.view(id)).toMatchObject({ errorCode: 'worker_lost', losses: 4, failures: 0 });
    expect(rig.results(id)).toMatchObject([{ errorCode: 'worker_lost' }]);
  });

  test('is forgotten after fifteen seconds', async () => {
    await open();
    const worker = await rig.worker({ id: 'w1' });
    await rig.settle();
    expect(rig.engine.metrics.read('cortex_scheduler_workers{pool="echo"}')).toBe(1);
    await worker.die();
    await rig.advance(17_000);
    expect(rig.told('worker').map((event) => event.is)).toContain('gone');
    expect(rig.engine.metrics.read('cortex_scheduler_workers{pool="echo"}')).toBe(0);
  });
});

test.each([
  [
    'an id that no subject can carry',
    { workerId: 'a..b', labels: { 'cortex.dispatch': 'direct', 'cortex.instance': 'i' } },
  ],
  ['no instance', { workerId: 'x', labels: { 'cortex.dispatch': 'direct' } }],
  ['nine kilobytes of labels', { workerId: 'x', labels: { filler: 'x'.repeat(9_000) } }],
])('a heartbeat with %s is not believed, and harms nobody', async (_name, beat) => {
  await open();
  const packet = heartbeatPacket(
    { traceId: '', senderId: 'x', atMs: 0 },
    { pool: 'echo', maxParallelJobs: 9, ...beat },
  );
  await rig.publish(subjects.heartbeat, encodePacket(packet));
  await rig.publish(subjects.heartbeat, new Uint8Array([255, 1]));
  await rig.worker({ id: 'good' });
  const ids = await rig.submitMany(3);
  await rig.settle();
  expect(rig.told('refused').map(({ reason }) => reason)).toEqual(['heartbeat', 'heartbeat']);
  for (const id of ids) expect(await rig.state(id)).toBe('SUCCEEDED');
});

test('lanes that nobody serves cost those that are served nothing', async () => {
  await open();
  const strange = await rig.submitMany(1);
  for (let i = 0; i < 300; i++) {
    strange.push(...(await rig.submitMany(1, { request: { labels: { [`only-${i}`]: 'here' } } })));
  }
  await rig.settle();
  const worker = await rig.worker({ id: 'w1', parallel: 100 });
  const ids = await rig.submitMany(50);
  await rig.settle();
  expect(worker.ran).toHaveLength(51);
  expect(ids.every((id) => worker.ran.includes(id))).toBe(true);
  expect(await rig.state(strange[7] ?? '')).toBe('SCHEDULED');
});

test('more lanes than one claim looks at all have their turn', async () => {
  await open();
  const ids: string[] = [];
  const capabilities = Array.from({ length: 150 }, (_, i) => `c${i}`);
  for (const requires of capabilities)
    ids.push(...(await rig.submitMany(1, { request: { meta: { requires: [requires] } } })));
  await rig.settle();
  await rig.worker({ id: 'w1', parallel: 10, capabilities });
  await rig.reach(ids, 'SUCCEEDED', 3_000);
});
