// Workers that speak the bus alone: one pseudo-worker per topic, a subject that may be silent, results without a fence.
import { afterEach, describe, expect, test } from 'vitest';
import { encodePacket, jobResultPacket, progressPacket } from '#core/protocol/envelope.ts';
import { subjects } from '#core/protocol/subjects.ts';
import { JobStatus } from '#proto/cortex/agent/v1/job_pb.ts';
import { redisStage } from '../../helpers/redis-job-store.ts';
import { createRig, type RigOptions, type SchedulerRig } from '../../helpers/scheduler-rig.ts';

const stage = redisStage();
let rig: SchedulerRig;
const open = async (options?: RigOptions): Promise<SchedulerRig> => (rig = await createRig(stage, options));
afterEach(() => rig.close());

const silent = { topics: { 'job.echo': 'echo' }, silent_capacity: { echo: 2 } };
const refused = (): number => rig.engine.metrics.read('cortex_fence_rejections_total{operation="foreign_result"}');
const nothing = (): [] => [];

test('a job goes out on its topic, its result is sealed, told once and counted once', async () => {
  await open();
  const cap = await rig.cap({ id: 'c1', topic: 'job.echo' });
  const id = await rig.submit();
  await rig.write('default', `res:${id}`, '{"answer":1}');
  cap.answers = () => [{ status: JobStatus.SUCCEEDED, resultPtr: `redis://res:${id}` }];
  await rig.settle();
  expect(await rig.path(id)).toBe('PENDING SCHEDULED DISPATCHED SUCCEEDED');
  expect(cap.got.map((request) => request.jobId)).toEqual([id]);
  await rig.write('default', `res:${id}`, '{"answer":2}');
  expect(await rig.store.result(id, 'default')).toBe('{"answer":1}');
  await rig.advance(4_000);
  expect(rig.results(id)).toHaveLength(1);
  expect(rig.announced.has(id)).toBe(true);
  const { metrics } = rig.engine;
  expect(metrics.read('cortex_scheduler_jobs_completed_total{topic="job.echo",status="JOB_STATUS_SUCCEEDED"}')).toBe(1);
});

test('together they hold as many as their heartbeats say, and no more', async () => {
  await open();
  const workers = [
    await rig.cap({ id: 'c1', topic: 'job.echo', parallel: 2, answers: nothing }),
    await rig.cap({ id: 'c2', topic: 'job.echo', parallel: 3, answers: nothing }),
  ];
  await rig.settle();
  const ids = await rig.submitMany(9);
  await rig.advance(3_000);
  const got = (): string[] => workers.flatMap((worker) => worker.got.map((request) => request.jobId));
  expect(got()).toHaveLength(5);
  for (const id of got()) workers[0]?.say(id, { status: JobStatus.SUCCEEDED });
  await rig.settle();
  expect(got().toSorted()).toEqual(ids.toSorted());
});

test('workers that never beat have the capacity that the configuration gives them', async () => {
  await open({ pools: silent });
  const cap = await rig.cap({ id: 'c1', topic: 'job.echo', silent: true, answers: nothing });
  await rig.submitMany(5);
  await rig.advance(3_000);
  expect(cap.got).toHaveLength(2);
});

test('without heartbeats and without such a number nothing goes out', async () => {
  await open();
  const cap = await rig.cap({ id: 'c1', topic: 'job.echo', silent: true });
  const id = await rig.submit();
  await rig.advance(3_000);
  expect(cap.got).toEqual([]);
  expect(await rig.state(id)).toBe('SCHEDULED');
});

describe('nobody listens on the topic', () => {
  test('the job goes back uncounted, and one at a time tries again', async () => {
    await open({ pools: silent });
    const ids = await rig.submitMany(6);
    await rig.advance(20_000);
    // Two at first, then one after one, two, four, five, five seconds.
    expect(rig.told('handed_out').length).toBeLessThanOrEqual(8);
    expect(rig.told('handed_out').length).toBeGreaterThanOrEqual(5);
    for (const id of ids) expect(await rig.view(id)).toMatchObject({ state: 'SCHEDULED', losses: 0, failures: 0 });
    const cap = await rig.cap({ id: 'c1', topic: 'job.echo', silent: true });
    await rig.reach(ids, 'SUCCEEDED', 6_000);
    expect(cap.got.map((request) => request.jobId).toSorted()).toEqual(ids.toSorted());
  });

  test('who comes with a heartbeat is found at once', async () => {
    await open({ pools: silent });
    const ids = await rig.submitMany(6);
    await rig.advance(12_000);
    await rig.cap({ id: 'c1', topic: 'job.echo' });
    await rig.reach(ids, 'SUCCEEDED', 1_200);
  });

  test('a heartbeat of another kind in the same pool proves nothing about this topic', async () => {
    await open();
    const other = await rig.cap({ id: 'c1', topic: 'job.slow' });
    const id = await rig.submit();
    const its = await rig.submit({ topic: 'job.slow' });
    await rig.reach(its, 'SUCCEEDED');
    await rig.advance(3_000);
    expect(await rig.view(id)).toMatchObject({ state: 'SCHEDULED', losses: 0 });
    expect(other.got.map((request) => request.jobId)).toEqual([its]);
  });
});

describe('a result that does not count', () => {
  test.each([
    ['RUNNING', JobStatus.RUNNING],
    ['PENDING', JobStatus.PENDING],
    ['UNSPECIFIED', JobStatus.UNSPECIFIED],
    ['a status of a newer protocol', 77 as JobStatus],
  ])('%s is on the way and ends nothing', async (_name, status) => {
    await open();
    const cap = await rig.cap({ id: 'c1', topic: 'job.echo', answers: () => [{ status }] });
    const id = await rig.submit();
    await rig.settle();
    expect(await rig.state(id)).toBe('DISPATCHED');
    expect(rig.told('foreign_result')).toMatchObject([{ outcome: 'ignored' }]);
    cap.say(id, { status: JobStatus.SUCCEEDED });
    await rig.settle();
    expect(await rig.state(id)).toBe('SUCCEEDED');
  });

  test('the same once more, and another afterwards', async () => {
    await open();
    const cap = await rig.cap({ id: 'c1', topic: 'job.echo' });
    const id = await rig.submit();
    await rig.settle();
    cap.say(id, { status: JobStatus.SUCCEEDED });
    cap.say(id, { status: JobStatus.FAILED });
    await rig.settle();
    expect(await rig.state(id)).toBe('SUCCEEDED');
    expect(refused()).toBe(2);
  });

  test('for a job of which nobody knows', async () => {
    await open();
    const cap = await rig.cap({ id: 'c1', topic: 'job.echo' });
    cap.say('no-such-job', { status: JobStatus.SUCCEEDED });
    await rig.settle();
    expect(rig.told('foreign_result')).toMatchObject([{ id: 'no-such-job', outcome: 'missing' }]);
    expect(refused()).toBe(1);
  });

  test('for a job that was not handed out, or is with a worker of ours', async () => {
    await open();
    const forger = await rig.cap({ id: 'c1', topic: 'job.nowhere', pool: 'nowhere' });
    const waiting = await rig.submit({ topic: 'job.other' });
    await rig.settle();
    forger.say(waiting, { status: JobStatus.SUCCEEDED });
    await rig.settle();
    const worker = await rig.worker({ id: 'w1', deed: () => 'hold' });
    const running = await rig.submit();
    await rig.reach(running, 'RUNNING');
    forger.say(running, { status: JobStatus.SUCCEEDED });
    await rig.settle();
    expect(await rig.state(waiting)).toBe('SCHEDULED');
    expect(await rig.state(running)).toBe('RUNNING');
    expect(refused()).toBe(2);
    await worker.finish(running);
  });

  test('with our own header: it is news, and the record says that nothing has ended', async () => {
    await open();
    const cap = await rig.cap({ id: 'c1', topic: 'job.echo', answers: nothing });
    const id = await rig.submit();
    await rig.settle();
    const packet = jobResultPacket(
      { traceId: '', senderId: 'c1', atMs: 0 },
      { jobId: id, status: JobStatus.SUCCEEDED },
    );
    await rig.publish(subjects.result, encodePacket(packet), { 'Cortex-Tenant': 'default', 'Cortex-Topic': 'forged' });
    await rig.settle();
    expect(await rig.state(id)).toBe('DISPATCHED');
    expect(rig.told('announced')).toEqual([]);
    cap.say(id, { status: JobStatus.SUCCEEDED });
    await rig.settle();
    expect(rig.announced.has(id)).toBe(true);
  });

  test('SUCCEEDED after the policy has changed', async () => {
    await open();
    const cap = await rig.cap({ id: 'c1', topic: 'job.echo', answers: nothing });
    const id = await rig.submit();
    await rig.settle();
    rig.checker.setPolicy('tenants: {default: {deny_topics: ["job.echo"]}}');
    await rig.advance(1_000);
    cap.say(id, { status: JobStatus.SUCCEEDED });
    await rig.settle();
    expect(await rig.state(id)).toBe('DISPATCHED');
    await rig.reach(id, 'DENIED', 16_000);
  });

  test('anything that is no result', async () => {
    await open();
    await rig.publish(subjects.result, new Uint8Array([9, 9, 9]));
    await rig.publish(subjects.result, rig.packetOf(rig.request({}, 'x')));
    await rig.settle();
    expect(rig.told('refused').map(({ reason }) => reason)).toEqual(['result', 'result']);
  });
});

test('words without end are cut, and a time beyond all numbers can still be told', async () => {
  await open();
  const long = 'x'.repeat(100_000);
  const much = { workerId: long, errorCode: long, errorMessage: long, executionMs: 2n ** 63n - 1n };
  const cap = await rig.cap({ id: 'c1', topic: 'job.echo', answers: () => [{ status: JobStatus.FAILED, ...much }] });
  const id = await rig.submit();
  await rig.settle();
  const { worker, errorCode, errorMessage, execMs } = await rig.view(id);
  expect([worker.length, errorCode.length, errorMessage.length]).toEqual([128, 128, 500]);
  expect(execMs).toBe(Number.MAX_SAFE_INTEGER);
  // Where the truth is another than what was said it is told by us, with that number in it.
  cap.answers = () => [{ status: JobStatus.SUCCEEDED, resultPtr: 'redis://res:x', ...much }];
  const other = await rig.submit();
  await rig.settle();
  expect(rig.results(other).at(-1)).toMatchObject({ status: JobStatus.FAILED, errorCode: 'bad_result_ptr' });
  expect(rig.announced.has(other)).toBe(true);
});

describe('progress', () => {
  const tell = (id: string, percent: number, headers = {}): Promise<void> => {
    const packet = progressPacket({ traceId: '', senderId: 'c1', atMs: 0 }, { jobId: id, percent, message: 'on' });
    return rig.publish(subjects.progress, encodePacket(packet), headers);
  };

  test('of such a worker is shown on the job; what our own host says is in the store already', async () => {
    await open();
    await rig.cap({ id: 'c1', topic: 'job.echo', answers: nothing });
    const id = await rig.submit();
    await rig.settle();
    await tell(id, 20);
    await tell(id, 400);
    await rig.advance(100);
    expect((await rig.view(id)).progress).toEqual({ percent: 100, message: 'on' });
    await tell(id, 5, { 'Cortex-Recorded': '1' });
    await rig.advance(100);
    expect((await rig.view(id)).progress?.percent).toBe(100);
  });

  test('that is none, or of nobody, is dropped', async () => {
    await open();
    await rig.publish(subjects.progress, new Uint8Array([9, 9, 9]));
    await tell('no-such-job', 5);
    await rig.advance(100);
    expect(rig.told('refused').map(({ reason }) => reason)).toEqual(['progress']);
  });
});

describe('a result that names a key', () => {
  test.each([
    ["of another job's", 'redis://res:another', 'bad_result_ptr'],
    ['of a payload', 'redis://ctx:x', 'bad_result_ptr'],
    ['that cannot be read', 'http://x', 'bad_result_ptr'],
  ])('%s is FAILED, and the truth is told', async (_name, resultPtr, errorCode) => {
    await open();
    await rig.cap({ id: 'c1', topic: 'job.echo', answers: () => [{ status: JobStatus.SUCCEEDED, resultPtr }] });
    const id = await rig.submit();
    await rig.settle();
    expect(await rig.view(id)).toMatchObject({ state: 'FAILED', errorCode });
    expect(rig.results(id).at(-1)).toMatchObject({ status: JobStatus.FAILED, errorCode });
    expect(rig.announced.has(id)).toBe(true);
  });
});

test.each([
  [JobStatus.FAILED, 'FAILED'],
  [JobStatus.CANCELLED, 'CANCELLED'],
  [JobStatus.TIMEOUT, 'TIMEOUT'],
  [JobStatus.DENIED, 'DENIED'],
])('status %d ends the job as %s after the only hand-out', async (status, state) => {
  await open();
  await rig.cap({ id: 'c1', topic: 'job.echo', answers: () => [{ status, errorMessage: 'no luck' }] });
  const id = await rig.submit();
  await rig.settle();
  expect(await rig.view(id)).toMatchObject({ state, errorMessage: 'no luck', worker: 'c1' });
});

test('FAILED is tried again as often as the topic allows', async () => {
  await open();
  const cap = await rig.cap({
    ...{ id: 'c1', topic: 'job.other', pool: 'other' },
    answers: () => [{ status: JobStatus.FAILED }],
  });
  const id = await rig.submit({ topic: 'job.other' });
  await rig.reach(id, 'FAILED', 10_000);
  expect(cap.got).toHaveLength(3);
  expect(await rig.view(id)).toMatchObject({ failures: 3, losses: 0 });
});

test("a job without a result is lost at its topic's time-out; the fourth loss is FAILED worker_lost", async () => {
  await open();
  const cap = await rig.cap({ id: 'c1', topic: 'job.echo', answers: nothing });
  const id = await rig.submit();
  await rig.advance(11_000);
  expect(await rig.state(id)).toBe('DISPATCHED');
  await rig.reach(id, 'FAILED', 45_000);
  expect(cap.got).toHaveLength(4);
  expect(await rig.view(id)).toMatchObject({ errorCode: 'worker_lost', losses: 4 });
});

test('SUCCEEDED of the first hand-out counts while the second is out', async () => {
  await open();
  const cap = await rig.cap({ id: 'c1', topic: 'job.echo', answers: nothing });
  const id = await rig.submit();
  await rig.advance(14_000);
  expect(cap.got).toHaveLength(2);
  cap.say(id, { status: JobStatus.FAILED }); // of which of the two? nobody knows
  await rig.settle();
  expect(await rig.state(id)).toBe('DISPATCHED');
  cap.say(id, { status: JobStatus.SUCCEEDED });
  await rig.settle();
  expect(await rig.state(id)).toBe('SUCCEEDED');
});

test('a worker of ours and theirs share a topic, and each job runs once', async () => {
  await open();
  const cap = await rig.cap({ id: 'c1', topic: 'job.echo' });
  const worker = await rig.worker({ id: 'w1' });
  await rig.settle();
  const ids = await rig.submitMany(20);
  await rig.reach(ids, 'SUCCEEDED');
  expect(cap.got.length + worker.got.length).toBe(20);
  expect(cap.got.length).toBeGreaterThan(0);
  expect(worker.got.length).toBeGreaterThan(0);
});
