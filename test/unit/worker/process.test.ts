// The worker as a process: it comes up healthy, does its work on real servers, and ends in order.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { create } from '@bufbuild/protobuf';
import { connectBus } from '#core/bus/nats-tcp.node.ts';
import type { BusConnection } from '#core/bus/bus.ts';
import { createKeys } from '#core/jobs/keys.ts';
import { createRedisStore } from '#core/jobs/redis-store.ts';
import type { JobStore } from '#core/jobs/store.ts';
import { newJob } from '#core/jobs/submission.ts';
import { decodePacket } from '#core/protocol/envelope.ts';
import { writeHandOut } from '#core/protocol/hand-out.ts';
import { subjects, workerJobs } from '#core/protocol/subjects.ts';
import { connectRedis } from '#core/redis/ioredis.node.ts';
import type { RedisConnection } from '#core/redis/redis.ts';
import { systemIds } from '#core/system.ts';
import type { Heartbeat } from '#proto/cortex/agent/v1/heartbeat_pb.ts';
import { JobRequestSchema } from '#proto/cortex/agent/v1/job_pb.ts';
import { startNats, startRedis, type TestServer } from '../../helpers/servers.ts';
import { startService } from '../../helpers/service-process.ts';
import { until } from '../../helpers/until.ts';

let servers: TestServer[] = [];
let bus: BusConnection;
let redis: RedisConnection;
let store: JobStore;
const beats: Heartbeat[] = [];
const ids = systemIds();

beforeAll(async () => {
  servers = await Promise.all([startNats(), startRedis()]);
  const [nats, db] = servers as [TestServer, TestServer];
  const onError = (): void => undefined;
  bus = await connectBus({ url: nats.url, name: 'test', onError });
  redis = await connectRedis({ url: db.url, name: 'test', onError });
  const random = (): string => ids.random().replaceAll('-', '');
  store = createRedisStore({ redis, keys: createKeys(1), random });
  await bus.subscribe(subjects.heartbeat, ({ data }) => {
    const packet = decodePacket(data);
    if (packet.ok && packet.value.payload.case === 'heartbeat') beats.push(packet.value.payload.value);
  });
});
afterAll(async () => {
  await bus.close();
  await redis.close();
  await Promise.all(servers.map((server) => server.stop()));
});

const beatOf = (worker: string): Promise<Heartbeat> =>
  until(() => beats.findLast((b) => b.workerId === worker), { message: `a heartbeat of ${worker}`, timeout: 10_000 });

/** Plays gateway, gate and scheduler for one echo job. */
async function handOut(worker: string, payload: string): Promise<string> {
  const id = ids.job();
  const request = create(JobRequestSchema, { jobId: id, topic: 'job.echo', contextPtr: `redis://ctx:${id}` });
  const who = { tenant: 'default', principal: 'p', traceId: 't-1', sender: 'test' };
  const job = newJob({ request, ...who, now: Date.now(), payload });
  const policy = { sequence: 1, hash: 'p' };
  await store.create([job]);
  await store.gate([
    {
      ...{
        id,
        tenant: 'default',
        digest: job.digest,
        to: 'SCHEDULED',
        decision: 'ALLOW',
        reason: '',
        rule: '',
        policy,
      },
      ...{ constraints: '', pool: 'echo', lane: 'job.echo', timeoutMs: 60_000, maxRetries: 0, holdMs: 0 },
      ...{ errorCode: '', errorMessage: '' },
    },
  ]);
  const instance = (await beatOf(worker)).labels['cortex.instance'] ?? '';
  const lanes = ['job.echo'];
  const [claimed] = await store.claim([
    { pool: 'echo', worker, instance, n: 1, capacity: 1, lanes, acceptMs: 2000, policy },
  ]);
  const [given] = claimed?.jobs ?? [];
  if (given?.id !== id) throw new Error(`claimed ${given?.id ?? 'nothing'}: ${claimed?.outcome}`);
  const headers = writeHandOut({ ...given, instance, leaseMs: 2000 });
  await bus.publish([{ subject: workerJobs(worker), data: given.packet, headers }]);
  return id;
}

test('works, tells its health and metrics, and ends in order', async () => {
  const [nats, db] = servers as [TestServer, TestServer];
  const env = { NATS_URL: nats.url, REDIS_URL: db.url, WORKERS: 'echo,chat', WORKER_ID: 'proc' };
  const worker = await startService('services/worker/node.ts', env, ['metrics']);
  const url = worker.urls['metrics'] ?? '';
  const health = async (): Promise<{ status: number; body: Record<string, unknown> }> => {
    const response = await fetch(`${url}/health`);
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  await until(async () => (await health()).status === 200, { message: 'a healthy worker', timeout: 10_000 });
  expect((await health()).body).toMatchObject({ status: 'ok', workers: { ok: true, ids: ['proc-echo', 'proc-chat'] } });

  const beat = await beatOf('proc-echo');
  expect(beat).toMatchObject({ pool: 'echo', capabilities: ['echo'], region: 'local', type: 'cpu' });
  expect(beat.labels).toMatchObject({ 'cortex.dispatch': 'direct', 'cortex.topics': 'job.echo' });
  expect(beat.cpuLoad).toBeGreaterThan(0);
  expect(beat.cpuLoad).toBeLessThanOrEqual(100);
  expect((await beatOf('proc-chat')).pool).toBe('chat-simple');

  const id = await handOut('proc-echo', '{"a":1}');
  await until(async () => (await store.view(id, 'default'))?.state === 'SUCCEEDED', {
    message: () => `the echo: ${JSON.stringify(worker.log)}`,
  });
  expect(JSON.parse((await store.result(id, 'default')) ?? '')).toMatchObject({
    job_id: id,
    received_ctx: { a: 1 },
    processed_by: 'proc-echo',
  });
  const metrics = await (await fetch(`${url}/metrics`)).text();
  expect(metrics).toContain('cortex_worker_jobs_total{topic="job.echo",status="JOB_STATUS_SUCCEEDED"} 1');
  expect(metrics).toContain('cortex_worker_active_jobs{topic="job.echo"} 0');
  expect(metrics).toMatch(/cortex_scheduler_dispatch_latency_seconds_count\{pool="echo"\} 1/);
  expect(metrics).toMatch(/cortex_worker_job_seconds_count\{topic="job.echo"\} 1/);

  expect(metrics).toMatch(/^cortex_redis_calls_total [1-9]/m);
  expect(metrics).toMatch(/^cortex_bus_dropped_total 0$/m);

  expect(await worker.stop()).toBe(0);
  expect(worker.stderr).toEqual([]);
  expect(worker.log.filter((line) => line.level === 'error' || line.level === 'warn')).toEqual([]);
  await until(() => beats.findLast((b) => b.workerId === 'proc-echo')?.maxParallelJobs === 0, { message: 'goodbye' });
  const next = { worker: 'proc-echo', instance: 'next', pool: 'echo', capacity: 1, aliveMs: 1000 };
  expect((await store.register(next)).outcome).toBe('ok'); // the id is free at once
});

test('the orchestrator tells of its connections too', async () => {
  const [nats, db] = servers as [TestServer, TestServer];
  const env = { NATS_URL: nats.url, REDIS_URL: db.url };
  const orchestrator = await startService('services/orchestrator/node.ts', env, ['metrics']);
  const read = async (): Promise<string> => (await fetch(`${orchestrator.urls['metrics']}/metrics`)).text();
  await until(async () => /^cortex_redis_calls_total [1-9]/m.test(await read()), { message: 'calls to be counted' });
  expect(await read()).toMatch(/^cortex_bus_dropped_total 0$/m);
  expect(await orchestrator.stop()).toBe(0);
});

test('told to stop while it waits for a server that is not there, ends at once and calls that no failure', async () => {
  const [, db] = servers as [TestServer, TestServer];
  // A Redis says nothing to who waits for the first word of a NATS.
  const env = { NATS_URL: db.url.replace('redis:', 'nats:'), REDIS_URL: db.url };
  const worker = await startService('services/worker/node.ts', env, ['metrics']);
  const began = performance.now();
  expect(await worker.stop()).toBe(0);
  expect(performance.now() - began).toBeLessThan(5_000); // of the 10 s that the driver waits
  expect(worker.log.filter(({ level }) => level === 'error')).toEqual([]);
});

test('says what is wrong with its environment, all at once', async () => {
  const env = { WORKERS: 'echo,painter', WORKER_PARALLEL: 'many' };
  await expect(startService('services/worker/node.ts', env, ['metrics'])).rejects.toThrow(
    /WORKERS: "echo,painter" names "painter"; there are echo, [^]*WORKER_PARALLEL/,
  );
});
