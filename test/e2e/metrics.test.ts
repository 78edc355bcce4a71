// The metrics of every process after a load that is known to the job, with their labels: the original's names, and ours.
import { create } from '@bufbuild/protobuf';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectBus } from '#core/bus/nats-tcp.node.ts';
import { encodePacket, jobResultPacket } from '#core/protocol/envelope.ts';
import { subjects } from '#core/protocol/subjects.ts';
import { JobResultSchema, JobStatus } from '#proto/cortex/agent/v1/job_pb.ts';
import { readMetrics } from '../helpers/e2e/metrics.ts';
import { startSystem, type System } from '../helpers/e2e/system.ts';
import { quiet, ran } from '../helpers/e2e/truth.ts';
import { gateKey } from '../helpers/e2e/workers.ts';
import type { ServiceProcess } from '../helpers/service-process.ts';
import { until } from '../helpers/until.ts';

let system: System;
let worker: ServiceProcess;
let scheduler: ReadonlyMap<string, number>;
let gateway: ReadonlyMap<string, number>;

beforeAll(async () => {
  system = await startSystem();
  worker = await system.worker('job.test.quick', 'counted');
  const ids = await system.submitMany('job.test.quick', 7);
  await system.ended(ids);
  for (const topic of ['job.test.denied', 'job.test.denied', 'job.test.unknown']) {
    await system.ended([await system.submit(topic)]);
  }
  const cancelled = await system.submit('job.test.nobody');
  await system.reach(cancelled, 'SCHEDULED');
  await system.http('POST', `/api/v1/jobs/${cancelled}/cancel`);
  // One lease that runs out, and the job finished by another.
  const doomed = await system.worker('job.test.gate', 'doomed', 1);
  const lost = await system.submit('job.test.gate');
  await until(async () => (await ran(system, lost)).length > 0, { message: 'the handler to begin' });
  await doomed.kill();
  const heir = await system.worker('job.test.gate', 'heir', 1);
  await system.db.set(gateKey(lost), '1');
  await system.ended([lost], 15_000);
  // Somebody claims a result that is not theirs.
  const bus = await connectBus({ url: system.nats.url, name: 'stranger', onError: () => undefined });
  const forged = create(JobResultSchema, { jobId: ids[0] ?? '', status: JobStatus.FAILED, workerId: 'stranger' });
  const head = { traceId: 't', senderId: 'stranger', atMs: Date.now() };
  await bus.publish([{ subject: subjects.result, data: encodePacket(jobResultPacket(head, forged)) }]);
  await bus.publish([{ subject: subjects.submit, data: new TextEncoder().encode('not a packet') }]);
  await bus.close();
  await system.http('GET', `/api/v1/jobs/${ids[0]}`);
  await system.http('GET', '/api/v1/jobs/no-such-job');
  await quiet(system);
  const read = async (): Promise<boolean> => {
    scheduler = await readMetrics(system.schedulers[0]?.process as ServiceProcess);
    return (
      (scheduler.get('cortex_fence_rejections_total{operation="foreign_result"}') ?? 0) > 0 &&
      (scheduler.get('cortex_scheduler_submissions_refused_total{reason="undecodable"}') ?? 0) > 0
    );
  };
  await until(read, { message: 'the stranger to be counted' });
  gateway = await readMetrics(system.gateway.process);
  await heir.stop();
}, 60_000);
afterAll(() => system.stop());

test.each([
  ['cortex_scheduler_jobs_received_total{topic="job.test.quick"}', 7],
  ['cortex_scheduler_jobs_received_total{topic="job.test.denied"}', 2],
  ['cortex_scheduler_jobs_dispatched_total{topic="job.test.quick"}', 7],
  ['cortex_scheduler_safety_denied_total{topic="job.test.denied"}', 2],
  ['cortex_scheduler_jobs_completed_total{status="JOB_STATUS_SUCCEEDED",topic="job.test.quick"}', 7],
  ['cortex_scheduler_jobs_completed_total{status="JOB_STATUS_SUCCEEDED",topic="job.test.gate"}', 1],
  ['cortex_scheduler_jobs_completed_total{status="JOB_STATUS_DENIED",topic="job.test.denied"}', 2],
  ['cortex_scheduler_jobs_completed_total{status="JOB_STATUS_FAILED",topic="job.test.unknown"}', 1],
  ['cortex_scheduler_jobs_completed_total{status="JOB_STATUS_CANCELLED",topic="job.test.nobody"}', 1],
  ['cortex_scheduler_lease_expiries_total{pool="test"}', 1],
  ['cortex_scheduler_queue_depth{pool="nobody"}', 0],
  ['cortex_scheduler_queue_wait_seconds_count{pool="test"}', 9],
])('scheduler: %s is %d', (series, value) => {
  expect(scheduler.get(series)).toBe(value);
});

test('scheduler: every job that was judged cost a part of a call', () => {
  const calls = scheduler.get('cortex_scheduler_safety_check_seconds_count') ?? 0;
  expect(calls).toBeGreaterThan(0);
  expect(calls).toBeLessThanOrEqual(12);
});

test.each([
  ['cortex_api_gateway_http_requests_total{method="POST",route="/api/v1/jobs",status="202"}', 12],
  ['cortex_api_gateway_http_requests_total{method="POST",route="/api/v1/jobs/{id}/cancel",status="200"}', 1],
  ['cortex_api_gateway_http_requests_total{method="GET",route="/api/v1/jobs/{id}",status="200"}', 1],
  ['cortex_api_gateway_http_requests_total{method="GET",route="/api/v1/jobs/{id}",status="404"}', 1],
  ['cortex_api_gateway_http_request_duration_seconds_count{method="POST",route="/api/v1/jobs"}', 12],
])('gateway: %s is %d', (series, value) => {
  expect(gateway.get(series)).toBe(value);
});

test('worker: jobs by topic and status, time in the handler', async () => {
  const seen = await readMetrics(worker);
  expect(seen.get('cortex_worker_jobs_total{status="JOB_STATUS_SUCCEEDED",topic="job.test.quick"}')).toBe(7);
  expect(seen.get('cortex_worker_job_seconds_count{topic="job.test.quick"}')).toBe(7);
  expect(seen.get('cortex_worker_active_jobs{topic="job.test.quick"}')).toBe(0);
});

test('safety: checks by decision', async () => {
  const seen = await readMetrics(system.safety.process);
  expect(seen.get('cortex_safety_checks_total{decision="DENY"}')).toBe(2);
  expect(seen.get('cortex_safety_checks_total{decision="ALLOW"}')).toBe(10);
  // The scheduler's questions after the policy in force are no checks, and its own counts have names of their own.
  expect(seen.get('cortex_safety_check_seconds_count')).toBe(
    scheduler.get('cortex_scheduler_safety_check_seconds_count'),
  );
  expect([...scheduler.keys()].filter((series) => series.startsWith('cortex_safety_'))).toEqual([]);
});

test('worker: handlers told to stop, one that does not, and renewals that did not reach the store', {
  timeout: 60_000,
}, async () => {
  const deaf = await system.worker('job.test.deaf', 'deaf', 2);
  const id = await system.submit('job.test.deaf');
  await until(async () => (await ran(system, id)).length > 0, { message: 'the handler to begin' });
  await system.http('POST', `/api/v1/jobs/${id}/cancel`);
  const aborts = 'cortex_worker_aborts_total{cause="cancelled",topic="job.test.deaf"}';
  const unresponsive = 'cortex_worker_unresponsive_total{topic="job.test.deaf"}';
  const failed = 'cortex_worker_renewals_failed_total';
  const read = async (series: string): Promise<number> => (await readMetrics(deaf)).get(series) ?? 0;
  await until(async () => (await read(aborts)) === 1, { message: 'the handler to be told' });
  expect([await read(unresponsive), await read(failed)]).toEqual([0, 0]);
  await system.redis.pause();
  await until(async () => (await read(failed)) > 0, { timeout: 10_000, message: 'a renewal to fail' });
  system.redis.resume();
  // Ten seconds after it was told it still runs.
  await until(async () => (await read(unresponsive)) === 1, { timeout: 15_000, message: 'the handler to be given up' });
  await system.db.set(gateKey(id), '1');
  await until(async () => (await system.view(id)).stoppedAt > 0, { message: 'it to stop' });
  const told = Array.from(await readMetrics(deaf)).filter(([series]) =>
    series.startsWith('cortex_worker_aborts_total'),
  );
  expect(told).toEqual([[aborts, 1]]);
  expect(await read(unresponsive)).toBe(1);
  // Who is alive: the first worker and this one. Those that died or left are forgotten within fifteen seconds.
  const alive = async (pool: string): Promise<number | undefined> =>
    (await readMetrics(system.schedulers[0]?.process as ServiceProcess)).get(
      `cortex_scheduler_workers{pool="${pool}"}`,
    );
  await until(async () => (await alive('test')) === 2, { timeout: 25_000, message: 'two workers to be alive' });
  expect(await alive('nobody')).toBe(0);
  await deaf.stop();
});

test('scheduler: topics that a submitter makes up do not push ours out', async () => {
  const invented = Array.from({ length: 230 }, (_, i) => system.submit(`job.invented${i}`));
  await system.ended(await Promise.all(invented));
  const slow = await system.submit('job.test.late'); // for the first time here
  await system.http('POST', `/api/v1/jobs/${slow}/cancel`);
  await system.ended([slow]);
  await quiet(system);
  const seen = await readMetrics(system.schedulers[0]?.process as ServiceProcess);
  expect(seen.get('cortex_scheduler_jobs_received_total{topic="other"}')).toBeGreaterThan(30);
  expect(seen.get('cortex_scheduler_jobs_completed_total{status="JOB_STATUS_CANCELLED",topic="job.test.late"}')).toBe(
    1,
  );
});

test('gateway: a submission is one call of the store, and two pieces of news that a bus that is away drops', {
  timeout: 30_000,
}, async () => {
  await system.nats.kill();
  const connected = async (): Promise<boolean> =>
    ((await system.http('GET', '/health')).body as { nats: { ok: boolean } }).nats.ok;
  await until(async () => !(await connected()), { message: 'the gateway to notice' });
  const counted = async (dropped: number): Promise<number> => {
    const seen = await until(
      async () => {
        const now = await readMetrics(system.gateway.process);
        return (now.get('cortex_bus_dropped_total') ?? 0) >= dropped ? now : undefined;
      },
      { message: `${dropped} pieces of news to be counted as dropped` },
    );
    expect(seen.get('cortex_bus_dropped_total')).toBe(dropped);
    return seen.get('cortex_redis_calls_total') ?? 0;
  };
  // The doorbell and the event. Both counters are looked at together, so what is seen belongs together.
  await system.submit('job.test.late');
  const before = await counted(2);
  for (let i = 0; i < 5; i++) await system.submit('job.test.late');
  expect((await counted(12)) - before).toBe(5);
});
