// Ends: every time-out that the configuration names, and each end told on the bus and counted once.
import { afterEach, describe, expect, test } from 'vitest';
import { endMessage } from '#core/protocol/end.ts';
import { script } from '#core/redis/redis.ts';
import { JobStatus } from '#proto/cortex/agent/v1/job_pb.ts';
import { redisStage } from '../../helpers/redis-job-store.ts';
import { createRig, type RigOptions, type SchedulerRig } from '../../helpers/scheduler-rig.ts';

const stage = redisStage();
let rig: SchedulerRig;
const open = async (options?: RigOptions): Promise<SchedulerRig> => (rig = await createRig(stage, options));
afterEach(() => rig.close());

const completed = (status: string, topic = 'job.echo', of = rig.engines): number =>
  of.reduce(
    (sum, engine) =>
      sum +
      engine.metrics.read(`cortex_scheduler_jobs_completed_total{topic="${topic}",status="JOB_STATUS_${status}"}`),
    0,
  );
const drop = script('drop', `return redis.call('DEL',KEYS[1])`);

describe('the total deadline', () => {
  test.each(['PENDING', 'SCHEDULED', 'DISPATCHED', 'RUNNING'] as const)('ends a job that is %s', async (state) => {
    await open();
    if (state === 'PENDING') rig.checker.overrule(() => ({ decision: 'THROTTLE' }));
    if (state === 'DISPATCHED') await rig.cap({ id: 'c1', topic: 'job.echo', answers: () => [] });
    if (state === 'RUNNING') await rig.worker({ id: 'w1', deed: () => 'hold' });
    const id = await rig.submit({ request: { budget: { deadlineMs: 5_000n } } });
    await rig.reach(id, state);
    await rig.reach(id, 'TIMEOUT', 6_500);
    const seen = await rig.view(id);
    expect(seen.errorCode).toMatch(/^(deadline_exceeded|timeout)$/);
    expect(seen.endedAt - seen.createdAt).toBeGreaterThanOrEqual(5_000);
    expect(rig.results(id)).toMatchObject([{ status: JobStatus.TIMEOUT }]);
    expect(completed('TIMEOUT')).toBe(1);
  });

  test('ends a job in its back-off', async () => {
    await open();
    const worker = await rig.worker({ id: 'w1', pool: 'other', deed: () => 'hold' });
    const id = await rig.submit({ topic: 'job.other', request: { budget: { deadlineMs: 5_000n } } });
    await rig.reach(id, 'RUNNING');
    const [job] = worker.got;
    const commit = { status: 'FAILED', retryable: true, backoffMs: 60_000, result: undefined, execMs: 1 } as const;
    await rig.store.commit([
      {
        ...{ id, tenant: 'default', fence: job?.fence ?? '', attempt: job?.attempt ?? '', worker: 'w1' },
        ...{ ...commit, errorCode: 'x', errorMessage: 'x' },
      },
    ]);
    expect(await rig.state(id)).toBe('SCHEDULED');
    await rig.reach(id, 'TIMEOUT', 6_500);
  });
});

describe('the longest run of an attempt', () => {
  test.each([
    ['of its topic', 'job.slow', 20_000],
    ['running_timeout_seconds for a topic without its own', 'job.echo', 12_000],
  ])('%s', async (_name, topic, ms) => {
    await open();
    const worker = await rig.worker({ id: 'w1', deed: () => 'hold' });
    const id = await rig.submit({ topic });
    await rig.reach(id, 'RUNNING');
    await rig.advance(ms - 1_000);
    expect(await rig.state(id)).toBe('RUNNING');
    await rig.reach(id, 'TIMEOUT', 2_500);
    expect(await rig.view(id)).toMatchObject({ errorCode: 'timeout' });
    await rig.advance(1_500);
    expect((await rig.view(id)).stoppedAt).toBeGreaterThan(0);
    expect(worker.holds.size).toBe(0);
  });

  test("of a workflow's topic is the workflow's total, and a step's time to undo what was done", async () => {
    await open({
      pools: { topics: { 'job.workflow.demo': 'workflow' } },
      timeouts: {
        workflows: { code_review_demo: { child_timeout_seconds: 5, total_timeout_seconds: 15 } },
        reconciler: { running_timeout_seconds: 5 },
      },
    });
    await rig.worker({ id: 'w1', pool: 'workflow', deed: () => 'hold' });
    const id = await rig.submit({ topic: 'job.workflow.demo' });
    await rig.reach(id, 'RUNNING');
    await rig.advance(19_000);
    expect(await rig.state(id)).toBe('RUNNING');
    await rig.reach(id, 'TIMEOUT', 2_500);
  });
});

test.each([
  ['job.other', 'retry', 3, 3],
  ['job.other', 'fail', 1, 1],
  ['job.echo', 'retry', 1, 1],
] as const)('a failing %s (%s) is tried %d times', async (topic, deed, attempts, failures) => {
  await open();
  const pool = topic === 'job.other' ? 'other' : 'echo';
  const worker = await rig.worker({ id: 'w1', pool, deed: () => deed });
  const id = await rig.submit({ topic });
  await rig.reach(id, 'FAILED', 10_000);
  expect(worker.got).toHaveLength(attempts);
  expect(await rig.view(id)).toMatchObject({ attempts, failures, losses: 0 });
  expect(completed('FAILED', topic)).toBe(1);
});

describe('an end', () => {
  test('that nobody heard of is told again until it is heard, and counted once', async () => {
    await open();
    await rig.worker({ id: 'w1', parallel: 10, deed: () => 'mute' });
    const ids = await rig.submitMany(10);
    await rig.reach(ids, 'SUCCEEDED');
    expect(rig.results(ids[0] ?? '')).toEqual([]);
    await rig.advance(4_000);
    for (const id of ids) {
      expect(rig.results(id)).toHaveLength(1);
      expect(rig.announced.has(id)).toBe(true);
    }
    await rig.advance(5_000);
    expect(completed('SUCCEEDED')).toBe(10);
    expect(rig.results(ids[0] ?? '')).toHaveLength(1);
  });

  test('that is told many times is counted once', async () => {
    await open({ engines: 2 });
    await rig.worker({ id: 'w1', deed: () => 'twice' });
    const ids = await rig.submitMany(10);
    await rig.reach(ids, 'SUCCEEDED');
    const again = endMessage(
      {
        ...{ id: ids[0] ?? '', state: 'FAILED', tenant: 'default', topic: 'forged', traceId: '', worker: 'w1' },
        ...{ resultPtr: '', execMs: 0, errorCode: '', errorMessage: '', artifactPtrs: [] },
      },
      'w1',
      0,
    );
    rig.bus.post(again);
    await rig.advance(4_000);
    expect(completed('SUCCEEDED')).toBe(10);
    expect(completed('FAILED', 'forged')).toBe(0);
  });

  test('by the gateway (cancel) is heard and counted, whatever state the job was in', async () => {
    await open();
    const worker = await rig.worker({ id: 'w1', parallel: 1, deed: () => 'hold' });
    const [running = '', waiting = ''] = await rig.submitMany(2);
    await rig.settle();
    for (const id of [running, waiting]) {
      const [ended] = await rig.store.end([
        ...[{ id, tenant: 'default', to: 'CANCELLED', seen: undefined, errorCode: 'cancelled', errorMessage: '' }],
      ] as const);
      if (ended?.end !== undefined) rig.bus.post(endMessage(ended.end, 'api-gateway', rig.clock.now()));
    }
    await rig.settle();
    expect(completed('CANCELLED')).toBe(2);
    expect(rig.engine.metrics.read('cortex_fence_rejections_total{operation="foreign_result"}')).toBe(0);
    await rig.advance(1_500); // the worker asks, and stops
    expect(worker.holds.size).toBe(0);
    expect(worker.got.map((job) => job.id)).toHaveLength(1);
    const next = await rig.submit();
    await rig.reach(next, 'RUNNING');
  });
});

test('a job whose packet cannot be read any more is FAILED data_loss, and the others go on', async () => {
  await open();
  await rig.worker({ id: 'w1' });
  const [broken = '', ...others] = await rig.submitMany(5, { ring: false });
  await rig.redis.run(drop, [`job:req:${broken}`], []);
  await rig.reach(others, 'SUCCEEDED');
  await rig.reach(broken, 'FAILED');
  expect(await rig.view(broken)).toMatchObject({ errorCode: 'data_loss' });
  expect(rig.results(broken)).toHaveLength(1);
});

test('more is due than one run takes: the next one follows at once', async () => {
  await open();
  rig.checker.setPolicy('tenants: {default: {deny_topics: ["job.*"]}}');
  const ids = await rig.submitMany(2_300, { ring: false });
  await rig.reach(ids, 'DENIED', 1_200);
});

test('more is due than one call takes: it is worked off, and placing goes on beside it', async () => {
  await open();
  await rig.worker({ id: 'w1', parallel: 200, deed: () => 'mute' });
  const ids = await rig.submitMany(900, { ring: false });
  await rig.reach(ids, 'SUCCEEDED', 6_000);
  await rig.advance(6_000);
  expect(completed('SUCCEEDED')).toBe(900);
});
