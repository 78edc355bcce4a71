// Submissions: doorbells without authority, jobs that exist on the bus alone, and everything that tries to be another job.
import { afterEach, describe, expect, test } from 'vitest';
import { encodePacket, heartbeatPacket } from '#core/protocol/envelope.ts';
import { subjects, submitFor } from '#core/protocol/subjects.ts';
import { JobStatus } from '#proto/cortex/agent/v1/job_pb.ts';
import { redisStage } from '../../helpers/redis-job-store.ts';
import { createRig, type RigOptions, type SchedulerRig } from '../../helpers/scheduler-rig.ts';

const stage = redisStage();
let rig: SchedulerRig;
const open = async (options?: RigOptions): Promise<SchedulerRig> => (rig = await createRig(stage, options));
afterEach(() => rig.close());

const refusals = (): string[] => rig.told('refused').map(({ reason }) => reason);

test('a job goes from its doorbell to its announced end', async () => {
  await open();
  const worker = await rig.worker({ id: 'w1' });
  const id = await rig.submit();
  await rig.reach(id, 'SUCCEEDED');
  expect(await rig.path(id)).toBe('PENDING SCHEDULED DISPATCHED RUNNING SUCCEEDED');
  expect(worker.got[0]).toMatchObject({ id, tenant: 'default', leaseMs: 2000, constraints: '' });
  expect(rig.told('announced').map((event) => event.id)).toEqual([id]);
  const { metrics } = rig.engine;
  expect(metrics.read('cortex_scheduler_jobs_received_total{topic="job.echo"}')).toBe(1);
  expect(metrics.read('cortex_scheduler_jobs_dispatched_total{topic="job.echo"}')).toBe(1);
  expect(metrics.read('cortex_scheduler_queue_wait_seconds_count{pool="echo"}')).toBe(1);
  expect(metrics.read('cortex_scheduler_jobs_completed_total{topic="job.echo",status="JOB_STATUS_SUCCEEDED"}')).toBe(1);
  expect(metrics.read('cortex_scheduler_safety_check_seconds_count')).toBe(1);
});

test('a lost doorbell costs two seconds at most', async () => {
  await open();
  await rig.worker({ id: 'w1' });
  const ids = await rig.submitMany(20, { ring: false });
  await rig.reach(ids, 'SUCCEEDED', 2_000);
  expect(rig.engine.metrics.read('cortex_scheduler_jobs_received_total{topic="job.echo"}')).toBe(20);
});

test('everything that arrives in one turn is judged in one call', async () => {
  await open();
  const ids = await rig.submitMany(50, { ring: false });
  for (const id of ids) rig.ring(id);
  await rig.settle();
  expect(rig.engine.metrics.read('cortex_scheduler_jobs_received_total{topic="job.echo"}')).toBe(50);
  expect(rig.engine.metrics.read('cortex_scheduler_safety_check_seconds_count')).toBe(1);
  expect(rig.engine.outage.counts.get('gate')).toBe(1);
});

describe('a packet with a known id', () => {
  test('and a harmless topic does not smuggle another job through the gate', async () => {
    await open();
    rig.checker.setPolicy('tenants: {default: {allow_topics: ["job.echo"]}}');
    const worker = await rig.worker({ id: 'w1', pool: 'other' });
    const id = await rig.submit({ topic: 'job.other', ring: false });
    await rig.publish(subjects.submit, rig.packetOf(rig.request({ topic: 'job.echo' }, id)));
    await rig.settle();
    expect(refusals()).toEqual(['digest']);
    expect(await rig.state(id)).toBe('PENDING');
    const [job] = await rig.reach(id, 'DENIED');
    expect(job).toMatchObject({ topic: 'job.other', safetyReason: 'topic not allowed for tenant' });
    expect(worker.got).toEqual([]);
  });

  test.each([
    ['another tenant', { tenantId: 'acme' }],
    ['another payload', { contextPtr: 'redis://ctx:another' }],
    ['another requirement', { labels: { os: 'linux' } }],
  ])('and %s is refused and counted', async (_name, request) => {
    await open();
    const id = await rig.submit({ ring: false });
    await rig.publish(subjects.submit, rig.packetOf(rig.request({ request }, id)));
    await rig.settle();
    expect(refusals()).toEqual(['digest']);
    expect(rig.engine.metrics.read('cortex_scheduler_submissions_refused_total{reason="digest"}')).toBe(1);
    expect(await rig.state(id)).toBe('PENDING');
    expect(rig.results(id)).toEqual([]);
  });

  test('rings for a tenant that may not submit on the bus: its record is the permission', async () => {
    await open();
    await rig.worker({ id: 'w1' });
    rig.checker.setPolicy('tenants: {default: {}}');
    const id = await rig.submit({ tenant: 'acme' });
    await rig.settle();
    expect(await rig.state(id)).toBe('SUCCEEDED');
  });

  test('that has ended changes nothing', async () => {
    await open();
    await rig.worker({ id: 'w1' });
    const id = await rig.submit();
    await rig.settle();
    await rig.publish(subjects.submit, rig.packetOf(rig.request({}, id)));
    await rig.settle();
    expect(await rig.path(id)).toBe('PENDING SCHEDULED DISPATCHED RUNNING SUCCEEDED');
  });
});

describe('a job that exists on the bus alone', () => {
  test('gets a record and runs', async () => {
    await open();
    const worker = await rig.worker({ id: 'w1' });
    const id = await rig.submitOnBus({ payload: '{"prompt":"hello"}' });
    await rig.settle();
    expect(await rig.path(id)).toBe('PENDING SCHEDULED DISPATCHED RUNNING SUCCEEDED');
    expect(worker.ran).toEqual([id]);
    expect(await rig.view(id)).toMatchObject({ tenant: 'default', traceId: `t-${id}` });
  });

  test('the same twice is one job, another body under the same id is refused', async () => {
    await open();
    const worker = await rig.worker({ id: 'w1' });
    const id = await rig.submitOnBus({ payload: '{}' });
    await rig.submitOnBus({ id });
    await rig.settle();
    await rig.submitOnBus({ id });
    await rig.submitOnBus({ id, topic: 'job.other' });
    await rig.settle();
    expect(worker.ran).toEqual([id]);
    expect(refusals()).toEqual(['digest']);
    expect(await rig.view(id)).toMatchObject({ topic: 'job.echo', state: 'SUCCEEDED' });
  });

  test('twice in one turn under the same id: one of them becomes the job', async () => {
    await open();
    const worker = await rig.worker({ id: 'w1' });
    const id = rig.ids.random();
    await rig.write('default', `ctx:${id}`, '{}');
    rig.bus.post({ subject: subjects.submit, data: rig.packetOf(rig.request({}, id)) });
    rig.bus.post({ subject: subjects.submit, data: rig.packetOf(rig.request({ topic: 'job.other' }, id)) });
    await rig.settle();
    expect(worker.ran).toEqual([id]);
    expect(refusals()).toEqual(['digest']);
  });

  test.each([
    ['tenant_id', { tenantId: 'acme' }],
    ['meta.tenant_id', { tenantId: '', meta: { tenantId: 'acme' } }],
    ['env', { tenantId: '', env: { tenant_id: 'acme' } }],
  ])('names its tenant in %s, and an unlisted one is refused on the open subject', async (_name, request) => {
    await open();
    const id = await rig.submitOnBus({ payload: '{}', request });
    await rig.settle();
    expect(refusals()).toEqual(['tenant']);
    expect(await rig.store.view(id, undefined)).toBeUndefined();
  });

  test('a listed tenant is believed, and default is not listed by itself then', async () => {
    await open({ pools: { topics: { 'job.echo': 'echo' }, bus: { tenants: ['acme'] } } });
    const id = await rig.submitOnBus({ tenant: 'acme', payload: '{}' });
    const other = await rig.submitOnBus({ payload: '{}' });
    await rig.settle();
    expect(await rig.view(id)).toMatchObject({ tenant: 'acme', state: 'SCHEDULED' });
    expect(await rig.store.view(other, undefined)).toBeUndefined();
    expect(refusals()).toEqual(['tenant']);
  });

  test('is of the tenant that its subject binds, whatever subject that is', async () => {
    await open();
    const bare = await rig.submitOnBus({ payload: '{}', request: { tenantId: '' } }, submitFor('acme'));
    const named = await rig.submitOnBus({ payload: '{}', tenant: 'a.b' }, submitFor('a.b'));
    const lying = await rig.submitOnBus({ payload: '{}', tenant: 'other' }, submitFor('acme'));
    await rig.settle();
    expect((await rig.view(bare)).tenant).toBe('acme');
    expect((await rig.view(named)).tenant).toBe('a.b');
    expect(await rig.store.view(lying, undefined)).toBeUndefined();
    expect(refusals()).toEqual(['tenant']);
  });

  test('may come without a payload', async () => {
    await open();
    await rig.worker({ id: 'w1' });
    const id = await rig.submitOnBus({ request: { contextPtr: '' } });
    await rig.settle();
    expect(await rig.state(id)).toBe('SUCCEEDED');
  });

  test('may name its payload with a slash', async () => {
    await open();
    await rig.worker({ id: 'w1' });
    const id = await rig.submitOnBus({ id: 'slashed', payload: '{}', request: { contextPtr: 'redis://ctx/slashed' } });
    await rig.settle();
    expect(await rig.state(id)).toBe('SUCCEEDED');
  });

  test.each([
    ['principal_id', { principalId: 'p'.repeat(129) }],
    ['parent_job_id', { parentJobId: 'p'.repeat(100_000) }],
  ])('with a %s without end becomes no job, and is told', async (field, request) => {
    await open();
    const id = await rig.submitOnBus({ id: 'x', payload: '{}', request });
    await rig.settle();
    expect(refusals()).toEqual(['too_long']);
    expect(await rig.store.view(id, undefined)).toBeUndefined();
    expect(rig.results(id)).toMatchObject([
      { status: JobStatus.FAILED, errorMessage: `${field}: must be at most 128 characters long` },
    ]);
  });

  test.each([['redis://ctx:somebody-elses'], ['redis://res:x'], ['redis://'], ['s3://bucket/x'], ['ctx:x']])(
    'with the payload %s becomes no job, and is told',
    async (contextPtr) => {
      await open();
      const id = await rig.submitOnBus({ id: 'x', payload: '{}', request: { contextPtr } });
      await rig.settle();
      expect(refusals()).toEqual(['context_ptr']);
      expect(await rig.store.view(id, undefined)).toBeUndefined();
      expect(rig.results(id)).toMatchObject([
        {
          status: JobStatus.FAILED,
          errorCode: 'invalid_argument',
          errorMessage: expect.stringMatching(/^context_ptr: /),
        },
      ]);
      // What we said ourselves is no foreign result.
      expect(rig.told('foreign_result')).toEqual([]);
    },
  );

  test('whose payload is missing is FAILED payload_missing, and told', async () => {
    await open();
    const worker = await rig.worker({ id: 'w1' });
    const id = await rig.submitOnBus();
    await rig.settle();
    expect(await rig.view(id)).toMatchObject({ state: 'FAILED', errorCode: 'payload_missing' });
    expect(rig.results(id)).toMatchObject([{ status: JobStatus.FAILED, errorCode: 'payload_missing' }]);
    // No gate sees it, and yet it came.
    expect(rig.engine.metrics.read('cortex_scheduler_jobs_received_total{topic="job.echo"}')).toBe(1);
    expect(worker.got).toEqual([]);
    expect(rig.announced.has(id)).toBe(true);
  });
});

test.each([
  ['undecodable', new Uint8Array([1, 2, 3, 255])],
  ['undecodable', new Uint8Array()],
  ['not_a_request', encodePacket(heartbeatPacket({ traceId: '', senderId: 'x', atMs: 0 }, { workerId: 'x' }))],
])('%s bytes are refused, and the next packet is taken', async (reason, bytes) => {
  await open();
  await rig.publish(subjects.submit, bytes);
  const id = await rig.submit();
  await rig.settle();
  expect(refusals()).toEqual([reason]);
  expect(await rig.state(id)).toBe('SCHEDULED');
});

test.each([['sys.job.submit'], ['job.'], ['job.*'], ['job.a b'], [''], ['worker.w1.jobs']])(
  'the topic %j is none',
  async (topic) => {
    await open();
    await rig.submitOnBus({ topic, payload: '{}' });
    await rig.settle();
    expect(refusals()).toEqual(['topic']);
  },
);

test('a flood of refusals is counted whole and logged once a second', async () => {
  await open();
  for (let i = 0; i < 500; i++) rig.bus.post({ subject: subjects.submit, data: new Uint8Array([255]) });
  await rig.settle();
  expect(rig.engine.metrics.read('cortex_scheduler_submissions_refused_total{reason="undecodable"}')).toBe(500);
  expect(rig.engine.logged.filter((line) => line.includes('"level":"warn"'))).toHaveLength(1);
});
