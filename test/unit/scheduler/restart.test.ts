// Schedulers come and go: what one leaves behind the next one finds, in every state, and nobody needs to be told anything twice.
import { afterEach, expect, test } from 'vitest';
import { readSnapshot, readWorkers, snapshotKey, type WorkerSnapshot, writeWorkers } from '#core/routing/snapshot.ts';
import { redisStage } from '../../helpers/redis-job-store.ts';
import { createRig, type RigOptions, type SchedulerRig } from '../../helpers/scheduler-rig.ts';

const stage = redisStage();
let rig: SchedulerRig;
const open = async (options?: RigOptions): Promise<SchedulerRig> => (rig = await createRig(stage, options));
afterEach(() => rig.close());

test('a scheduler that dies with jobs in every state: the next one brings them all to their one end', async () => {
  await open({ timeouts: { topics: { 'job.other': { max_retries: 2 } } } });
  rig.checker.overrule(({ topic }) => (topic === 'job.slow' ? { decision: 'THROTTLE', reason: 'later' } : {}));
  const worker = await rig.worker({ id: 'w1', parallel: 3, deed: () => 'hold' });
  const running = await rig.submit();
  await rig.reach(running, 'RUNNING');
  const finished = await rig.submit(); // ends while no scheduler is there
  await rig.reach(finished, 'RUNNING');
  worker.deed = () => 'ignore';
  const dispatched = await rig.submit();
  await rig.reach(dispatched, 'DISPATCHED');
  const throttled = await rig.submit({ topic: 'job.slow' });
  await rig.reach(throttled, 'PENDING');
  const scheduled = await rig.submitMany(3);
  const elsewhere = await rig.submit({ request: { labels: { os: 'plan9' } } });
  await rig.reach([...scheduled, elsewhere], 'SCHEDULED');
  const backoff = await rig.submit({ topic: 'job.other' });
  await rig.worker({ id: 'w2', pool: 'other', deed: (_job, nth) => (nth === 1 ? 'retry' : 'succeed') });
  rig.engine.outage.mode = 'down';
  rig.engine.outage.only = ['announced'];
  const unheard = await rig.submit({ topic: 'job.unknown' });
  await rig.reach(unheard, 'FAILED');
  await rig.engine.crash();

  const orphan = await rig.submit(); // its doorbell is heard by nobody
  worker.deed = () => 'succeed';
  await worker.finish(finished);
  await rig.advance(1_000);
  rig.checker.overrule(undefined);
  await rig.start(rig.addEngine());
  await worker.finish(running);
  const all = [running, finished, dispatched, throttled, ...scheduled, backoff, orphan];
  await rig.reach(all, 'SUCCEEDED', 12_000);
  await rig.advance(4_000);
  expect(await rig.state(elsewhere)).toBe('SCHEDULED');
  for (const id of [...all, unheard]) expect(rig.announced.has(id), id).toBe(true);
  for (const id of all) expect(await rig.view(id)).toMatchObject({ losses: 0 });
  expect(await rig.path(running)).toBe('PENDING SCHEDULED DISPATCHED RUNNING SUCCEEDED');
});

test('a scheduler that is told to stop finishes what it took', async () => {
  await open();
  const worker = await rig.worker({ id: 'w1', parallel: 50 });
  await rig.settle();
  const ids = await rig.submitMany(50);
  await new Promise((resolve) => setImmediate(resolve)); // the doorbells are in its hands
  await rig.engine.scheduler.stop();
  for (const id of ids) expect(['SCHEDULED', 'DISPATCHED', 'RUNNING', 'SUCCEEDED']).toContain(await rig.state(id));
  const next = rig.addEngine();
  await rig.start(next);
  await rig.reach(ids, 'SUCCEEDED', 4_000);
  expect(worker.ran.toSorted()).toEqual(ids.toSorted());
});

test('a restart is not blind: the last snapshot tells of the workers', async () => {
  await open();
  const worker = await rig.worker({ id: 'w1' });
  await rig.advance(2_500); // its next heartbeat comes in two and a half seconds
  await rig.engine.crash();
  const next = rig.addEngine();
  await rig.start(next);
  const id = await rig.submit();
  await rig.settle();
  expect(worker.ran).toEqual([id]);
});

test('a scheduler that is told to stop waits for what is under way', async () => {
  await open();
  rig.engine.outage.mode = 'slow';
  rig.engine.outage.only = ['gate'];
  const id = await rig.submit();
  await rig.settle();
  const state = { stopped: false };
  const stopping = rig.engine.scheduler.stop().then(() => (state.stopped = true));
  await rig.settle();
  expect(state.stopped).toBe(false);
  rig.engine.outage.release();
  await stopping;
  expect(await rig.state(id)).toBe('SCHEDULED');
  expect(rig.told('gated')).toHaveLength(1);
});

test('who was seen too long ago in the snapshot is not believed to be there', async () => {
  await open({ start: false });
  const worker = await rig.worker({ id: 'w1' }); // its first heartbeat is heard by nobody
  const seen = (ms: number): WorkerSnapshot => ({
    ...{ worker_id: 'w1', region: '', type: 'cpu', cpu_load: 0, gpu_utilization: 0, active_jobs: 0, capabilities: [] },
    ...{ pool: 'echo', max_parallel_jobs: 4, labels: { 'cortex.dispatch': 'direct', 'cortex.instance': 'i-w1' } },
    last_seen: rig.clock.now() + ms,
  });
  await writeWorkers(rig.redis, [seen(-15_000)], rig.clock.now());
  await rig.start(rig.engine);
  const id = await rig.submit();
  await rig.settle();
  expect(rig.told('worker')).toEqual([]);
  expect(worker.got).toEqual([]);
  await rig.reach(id, 'SUCCEEDED', 6_000); // with its next heartbeat
});

test('a snapshot that cannot be read is written anew', async () => {
  await open({ start: false });
  await rig.redis.set(snapshotKey, '{"ts": 1, "workers": "all"}');
  await rig.start(rig.engine);
  await rig.worker({ id: 'w1' });
  await rig.advance(1_000);
  expect((await readWorkers(rig.redis)).map((worker) => worker.worker_id)).toEqual(['w1']);
});

test('the snapshot follows who comes, goes and works', async () => {
  await open();
  const begun = rig.clock.now();
  const worker = await rig.worker({ id: 'w1', capabilities: ['gpu'], labels: { os: 'linux' }, deed: () => 'hold' });
  await rig.cap({ id: 'c1', topic: 'job.echo', parallel: 7 });
  await rig.settle();
  const [cap, direct] = await readWorkers(rig.redis);
  expect(cap).toMatchObject({
    worker_id: 'c1',
    pool: 'echo',
    max_parallel_jobs: 7,
    labels: {},
    last_seen: begun,
  });
  expect(direct).toMatchObject({ worker_id: 'w1', capabilities: ['gpu'], active_jobs: 0, labels: { os: 'linux' } });
  await rig.submitMany(4, { request: { meta: { requires: ['gpu'] } } });
  await rig.advance(7_000);
  expect((await readWorkers(rig.redis))[1]).toMatchObject({ active_jobs: 4, last_seen: begun + 5_000 });
  await worker.die();
  await rig.advance(20_000);
  // Also when nothing changes it is written again, before it counts as old.
  expect(readSnapshot((await rig.redis.get(snapshotKey)) ?? '').ts).toBeGreaterThanOrEqual(rig.clock.now() - 6_000);
  expect((await readWorkers(rig.redis)).map((its) => its.worker_id)).toEqual(['c1']);
});

test('a scheduler that starts beside another does not hide the workers from readers', async () => {
  await open();
  await rig.worker({ id: 'w1' });
  await rig.advance(1_000);
  await rig.start(rig.addEngine());
  await rig.settle();
  expect((await readWorkers(rig.redis)).map((worker) => worker.worker_id)).toEqual(['w1']);
});

test('a job that one scheduler gated another may hand out', async () => {
  await open({ engines: 2 });
  const [one, two] = rig.engines;
  const ids = await rig.submitMany(10);
  await rig.settle();
  const gatedBy = (engine = one): number => rig.told('gated', engine).length;
  expect(gatedBy(one)).toBeGreaterThan(0);
  expect(gatedBy(two)).toBeGreaterThan(0);
  await one?.crash();
  await rig.worker({ id: 'w1', parallel: 10 });
  await rig.reach(ids, 'SUCCEEDED', 1_500);
});
