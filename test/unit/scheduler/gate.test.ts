// The gate: nothing runs without an allow of the policy in force, and what cannot be judged waits and says why.
import { create } from '@bufbuild/protobuf';
import { afterEach, describe, expect, test } from 'vitest';
import { JobStatus } from '#proto/cortex/agent/v1/job_pb.ts';
import { PolicyConstraintsSchema } from '#proto/cortex/agent/v1/safety_pb.ts';
import { redisStage } from '../../helpers/redis-job-store.ts';
import { createRig, type RigOptions, type SchedulerRig } from '../../helpers/scheduler-rig.ts';

const stage = redisStage();
let rig: SchedulerRig;
const open = async (options?: RigOptions): Promise<SchedulerRig> => (rig = await createRig(stage, options));
afterEach(() => rig.close());

const allow = 'tenants: {default: {allow_topics: ["job.*"]}}';
const deny = 'tenants: {default: {deny_topics: ["job.echo"]}}';

test('a denied job is told and counted, and no worker hears of it', async () => {
  await open();
  rig.checker.setPolicy(deny);
  const worker = await rig.worker({ id: 'w1' });
  const id = await rig.submit();
  await rig.settle();
  expect(await rig.view(id)).toMatchObject({
    ...{ state: 'DENIED', safetyDecision: 'DENY', safetyReason: 'topic denied by policy' },
    ...{ rule: 'tenants.default.deny_topics[0]', errorCode: 'permission_denied' },
  });
  expect(rig.results(id)).toMatchObject([{ status: JobStatus.DENIED, errorMessage: 'topic denied by policy' }]);
  expect(rig.announced.has(id)).toBe(true);
  expect(worker.got).toEqual([]);
  expect(rig.engine.metrics.read('cortex_scheduler_safety_denied_total{topic="job.echo"}')).toBe(1);
});

test('a topic without a pool is FAILED no_pool, and told', async () => {
  await open();
  const id = await rig.submit({ topic: 'job.unknown' });
  await rig.settle();
  expect(await rig.view(id)).toMatchObject({ state: 'FAILED', errorCode: 'no_pool' });
  expect(rig.results(id)).toMatchObject([{ status: JobStatus.FAILED, errorCode: 'no_pool' }]);
});

describe('while the kernel is away', () => {
  test('jobs wait with the reason in their record, health and an alert; then they go on within two seconds', async () => {
    await open();
    const worker = await rig.worker({ id: 'w1' });
    rig.checker.down();
    await rig.advance(1_000);
    const ids = await rig.submitMany(30);
    await rig.advance(8_000);
    for (const id of ids) {
      expect(await rig.view(id)).toMatchObject({
        state: 'PENDING',
        safetyReason: expect.stringMatching(/^waits for the safety kernel: .*does not answer/),
      });
    }
    expect(rig.engine.scheduler.troubles()).toMatchObject({ kernel: expect.stringContaining('does not answer') });
    expect(rig.told('alert')).toEqual([{ type: 'alert', part: 'kernel', code: 'kernel_away' }]);
    expect(worker.got).toEqual([]);
    // They have come, and are not counted again when they go on.
    expect(rig.engine.metrics.read('cortex_scheduler_jobs_received_total{topic="job.echo"}')).toBe(30);
    rig.checker.up();
    await rig.reach(ids, 'SUCCEEDED', 2_000);
    expect(rig.engine.scheduler.troubles()).toEqual({});
    expect(rig.told('alert').at(-1)).toMatchObject({ code: 'kernel_back' });
    expect(rig.engine.metrics.read('cortex_scheduler_jobs_received_total{topic="job.echo"}')).toBe(30);
    expect(rig.engine.logged.filter((line) => line.includes('the safety kernel does not answer'))).toHaveLength(1);
  });

  test('what was allowed before is not handed out either', async () => {
    await open();
    const ids = await rig.submitMany(5);
    await rig.settle();
    rig.checker.down();
    await rig.advance(1_200);
    const worker = await rig.worker({ id: 'w1' });
    await rig.advance(3_000);
    expect(worker.got).toEqual([]);
    rig.checker.up();
    await rig.reach(ids, 'SUCCEEDED', 300); // with its first answer, not with the next beat
  });

  test('a policy that is missing or broken is as good as none', async () => {
    await open();
    rig.checker.setPolicy('tenants: [');
    await rig.advance(1_000);
    const id = await rig.submit();
    await rig.advance(1_000);
    expect((await rig.view(id)).safetyReason).toContain('the safety policy cannot be used');
    rig.checker.setPolicy(undefined);
    await rig.advance(2_000);
    expect((await rig.view(id)).safetyReason).toContain('there is none');
    rig.checker.setPolicy(allow);
    await rig.reach(id, 'SCHEDULED', 2_000);
  });

  test('a scheduler starts, and begins to judge when the kernel comes', async () => {
    await open({ start: false });
    rig.checker.down();
    await rig.start(rig.engine);
    const id = await rig.submit();
    await rig.advance(1_000);
    expect((await rig.view(id)).safetyReason).toContain('does not answer');
    rig.checker.up();
    await rig.reach(id, 'SCHEDULED', 2_500);
  });

  test('a job still ends at its total deadline', async () => {
    await open();
    rig.checker.down();
    const id = await rig.submit({ request: { budget: { deadlineMs: 3_000n } } });
    await rig.reach(id, 'TIMEOUT', 4_500);
    expect(rig.results(id)).toMatchObject([{ status: JobStatus.TIMEOUT, errorCode: 'deadline_exceeded' }]);
  });
});

describe('when the policy changes', () => {
  test('jobs in the ready queue go back to the gate and are judged anew', async () => {
    await open();
    const ids = await rig.submitMany(20);
    const other = await rig.submit({ topic: 'job.slow' });
    await rig.reach([...ids, other], 'SCHEDULED');
    rig.checker.setPolicy(deny);
    await rig.advance(1_000);
    const worker = await rig.worker({ id: 'w1' });
    await rig.settle();
    // The first of them at once, with the claim that found them out.
    expect((await Promise.all(ids.map(rig.state))).filter((state) => state === 'DENIED').length).toBeGreaterThan(3);
    await rig.reach(ids, 'DENIED', 2_500);
    await rig.reach(other, 'SUCCEEDED', 2_500);
    expect(worker.ran).toEqual([other]);
    expect(await rig.path(other)).toBe('PENDING SCHEDULED PENDING SCHEDULED DISPATCHED RUNNING SUCCEEDED');
    // Judged twice, received once.
    expect(rig.engine.metrics.read('cortex_scheduler_jobs_received_total{topic="job.echo"}')).toBe(20);
  });

  test('more of them than are judged at once still come through', async () => {
    await open();
    const ids = await rig.submitMany(1_200, { ring: false });
    await rig.reach(ids, 'SCHEDULED');
    rig.checker.setPolicy(`${allow} # another`);
    await rig.advance(1_000);
    await rig.worker({ id: 'w1', parallel: 50 });
    await rig.reach(ids, 'SUCCEEDED', 8_000);
  });

  test('and back again, jobs judged under the same text go out at once', async () => {
    await open();
    rig.checker.setPolicy(allow);
    await rig.advance(1_000);
    const id = await rig.submit();
    await rig.reach(id, 'SCHEDULED');
    rig.checker.setPolicy(deny);
    await rig.advance(1_000);
    rig.checker.setPolicy(allow);
    await rig.advance(1_000);
    await rig.worker({ id: 'w1' });
    await rig.settle();
    expect(await rig.path(id)).toBe('PENDING SCHEDULED DISPATCHED RUNNING SUCCEEDED');
  });

  test('nothing is handed out by a version older than a second', async () => {
    await open();
    const id = await rig.submit();
    await rig.reach(id, 'SCHEDULED');
    rig.checker.setPolicy(deny);
    rig.checker.down();
    await rig.advance(1_100);
    const worker = await rig.worker({ id: 'w1' });
    await rig.advance(2_000);
    expect(worker.got).toEqual([]);
    rig.checker.up();
    await rig.reach(id, 'DENIED', 2_500);
    expect(worker.got).toEqual([]);
  });

  test('a verdict of an older policy than the one in force holds the job for a moment, and turns nothing in circles', async () => {
    await open();
    rig.checker.setPolicy(allow);
    await rig.advance(1_000);
    rig.checker.overrule(() => ({ policy: { sequence: 1, hash: 'old' } }));
    await rig.worker({ id: 'w1' });
    const id = await rig.submit();
    const gates = rig.engine.outage.counts.get('gate') ?? 0;
    await rig.advance(3_000);
    expect(await rig.view(id)).toMatchObject({
      state: 'PENDING',
      safetyReason: expect.stringContaining('older policy'),
    });
    expect((rig.engine.outage.counts.get('gate') ?? 0) - gates).toBeLessThanOrEqual(5);
    rig.checker.overrule(undefined);
    await rig.reach(id, 'SUCCEEDED', 2_000);
  });
});

describe('a kernel that neither allows nor denies', () => {
  test.each([
    ['REQUIRE_HUMAN', 'ask Ada'],
    ['THROTTLE', 'too many'],
    ['REQUIRE_HUMAN', ''],
  ] as const)(
    '%s (%j) holds the job in PENDING with the reason, and it goes on afterwards',
    async (decision, reason) => {
      await open();
      await rig.worker({ id: 'w1' });
      rig.checker.overrule(() => ({ decision, reason }));
      const id = await rig.submit();
      await rig.advance(12_000);
      const seen = await rig.view(id);
      expect(seen).toMatchObject({ state: 'PENDING', safetyDecision: decision });
      expect(seen.safetyReason).toMatch(reason === '' ? /^waits: / : reason);
      expect(rig.results(id)).toEqual([]);
      expect(rig.engine.metrics.read('cortex_scheduler_safety_check_seconds_count')).toBeLessThanOrEqual(4);
      rig.checker.overrule(undefined);
      await rig.reach(id, 'SUCCEEDED', 6_000);
      expect(rig.engine.metrics.read('cortex_scheduler_jobs_received_total{topic="job.echo"}')).toBe(1);
    },
  );

  test('a payload that the policy wants replaced is not run as it is', async () => {
    await open();
    const worker = await rig.worker({ id: 'w1' });
    rig.checker.overrule(() => ({ redactedContextPtr: 'redis://ctx:somewhere' }));
    const id = await rig.submit();
    await rig.advance(3_000);
    expect(await rig.view(id)).toMatchObject({
      state: 'PENDING',
      safetyReason: expect.stringContaining('another payload'),
    });
    expect(worker.got).toEqual([]);
  });

  test.each([':', '-'])(
    'a payload redacted to ctx:<id>%s... is waited for, and then what a worker of ours runs',
    async (mark) => {
      await open();
      rig.checker.overrule(({ jobId }) => ({ redactedContextPtr: `redis://ctx:${jobId}${mark}redacted` }));
      const cap = await rig.cap({ id: 'c1', topic: 'job.echo' });
      const worker = await rig.worker({ id: 'w1' });
      const id = await rig.submit({ payload: '{"prompt":"secret"}' });
      await rig.advance(3_000);
      expect(await rig.view(id)).toMatchObject({
        state: 'PENDING',
        safetyReason: expect.stringContaining('is not there'),
      });
      expect(rig.engine.metrics.read('cortex_scheduler_jobs_received_total{topic="job.echo"}')).toBe(1);
      await rig.write('default', `ctx:${id}${mark}redacted`, '{"prompt":"***"}');
      await rig.reach(id, 'SUCCEEDED', 8_000);
      expect(worker.payloads).toEqual(['{"prompt":"***"}']);
      expect(cap.got).toEqual([]);
      expect(rig.engine.metrics.read('cortex_scheduler_jobs_received_total{topic="job.echo"}')).toBe(1);
    },
  );
});

test('constraints are stored before the hand-out and go along with it, to workers of ours alone', async () => {
  await open();
  const constraints = create(PolicyConstraintsSchema, { budgets: { maxRuntimeMs: 1_500n }, redactionLevel: 'high' });
  rig.checker.overrule(() => ({ decision: 'ALLOW_WITH_CONSTRAINTS', constraints }));
  const cap = await rig.cap({ id: 'c1', topic: 'job.echo' });
  const id = await rig.submit();
  await rig.advance(2_000);
  expect(await rig.state(id)).toBe('SCHEDULED');
  const worker = await rig.worker({ id: 'w1', deed: () => 'hold' });
  await rig.reach(id, 'RUNNING');
  expect(JSON.parse(worker.got[0]?.constraints ?? '')).toEqual({
    budgets: { maxRuntimeMs: '1500' },
    redactionLevel: 'high',
  });
  expect(cap.got).toEqual([]);
  // The constraint shortens the run.
  await rig.reach(id, 'TIMEOUT', 4_000);
  expect(await rig.view(id)).toMatchObject({ errorCode: 'timeout', safetyDecision: 'ALLOW_WITH_CONSTRAINTS' });
});
