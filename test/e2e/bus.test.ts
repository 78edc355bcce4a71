// Clients and workers that speak CAP over NATS alone, as those of the original do, and strangers who say what is not so: what the
// store holds of them afterwards. With somebody else's encoder, and each of their ways by name: wire-citizens and wire-clients.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CapPeer, capPeer, JobStatus } from '../helpers/e2e/cap.ts';
import { startSystem, type System } from '../helpers/e2e/system.ts';
import { endedOnce, path, quiet, ran } from '../helpers/e2e/truth.ts';
import { until } from '../helpers/until.ts';

let system: System;
let cap: CapPeer;
beforeAll(async () => {
  system = await startSystem();
  cap = await capPeer(system);
  await system.worker('job.test.quick', 'own');
}, 60_000);
afterAll(async () => {
  await cap.close();
  await system.stop();
});

test('a submission that exists only on the bus becomes a job and runs', async () => {
  const id = await cap.submit('job.test.quick');
  const result = await cap.result(id);
  expect(result).toMatchObject({ status: JobStatus.SUCCEEDED, resultPtr: `redis://res:${id}`, workerId: 'own' });
  await quiet(system);
  await endedOnce(system, [id]);
});

test('the same submission five times is one job, and runs once', async () => {
  const id = await cap.submit('job.test.quick');
  await Promise.all(Array.from({ length: 4 }, () => cap.again(id)));
  await cap.result(id);
  await cap.again(id);
  await quiet(system);
  await endedOnce(system, [id]);
  expect(await ran(system, id)).toHaveLength(1);
});

test('another job under the same id is refused, and changes nothing', async () => {
  const id = await cap.submit('job.test.nobody');
  await until(async () => (await system.store.view(id, 'default'))?.state === 'SCHEDULED', {
    message: 'the first to wait',
  });
  await cap.submit('job.test.quick', { jobId: id });
  const other = await cap.submit('job.test.quick'); // whatever comes later has been looked at, so has what came before
  await cap.result(other);
  expect(await system.view(id)).toMatchObject({ topic: 'job.test.nobody', state: 'SCHEDULED' });
  expect(await ran(system, id)).toEqual([]);
  await system.http('POST', `/api/v1/jobs/${id}/cancel`);
});

test('a harmless topic under a known id does not smuggle another job through the gate', async () => {
  await system.safety.kill();
  const id = await system.submit('job.test.denied');
  await cap.submit('job.test.quick', { jobId: id });
  await system.safety.start();
  await system.reach(id, 'DENIED');
  expect(await path(system, id)).toEqual(['PENDING', 'DENIED']);
  expect(await ran(system, id)).toEqual([]);
});

test('a payload that is not there fails the job, and says so', async () => {
  const id = 'no-payload-1';
  await cap.submit('job.test.quick', { jobId: id, contextPtr: `redis://ctx/${id}` });
  expect(await cap.result(id)).toMatchObject({ status: JobStatus.FAILED, errorCode: 'payload_missing' });
});

test("a pointer to another job's payload is refused, and no record is made", async () => {
  const id = await cap.submit('job.test.quick', { contextPtr: 'redis://ctx:somebody-elses' });
  expect(await cap.result(id)).toMatchObject({ status: JobStatus.FAILED, errorCode: 'invalid_argument' });
  expect(await system.store.view(id, undefined)).toBeUndefined();
});

test('results for unknown jobs leave no key behind, and late ones change nothing', async () => {
  const id = await cap.submit('job.test.quick');
  await cap.result(id);
  await quiet(system);
  const before = await system.view(id);
  await cap.report('never-heard-of', JobStatus.SUCCEEDED, { resultPtr: 'redis://res:never-heard-of' });
  await cap.report(id, JobStatus.FAILED, { resultPtr: 'redis://res:never-heard-of', workerId: 'stranger' });
  const next = await cap.submit('job.test.quick');
  await cap.result(next);
  await quiet(system);
  expect(await system.view(id)).toEqual(before);
  expect(await system.store.view('never-heard-of', undefined)).toBeUndefined();
});

test('a worker that speaks the bus alone: heartbeat, job on the topic, result by pointer', {
  timeout: 30_000,
}, async () => {
  const taken: string[] = [];
  const work = await cap.work('job.test.nobody', 'workers-nobody', (request) => {
    taken.push(request.jobId);
    system.db
      .set(`res:${request.jobId}`, '{"from":"cap"}')
      .then(() => cap.report(request.jobId, JobStatus.RUNNING)) // on the way: ends nothing
      .then(() =>
        cap.report(request.jobId, JobStatus.SUCCEEDED, {
          resultPtr: `redis://res/${request.jobId}`,
          workerId: 'w-cap',
        }),
      )
      .catch((error: unknown) => taken.push(String(error)));
  });
  cap.heartbeat('w-cap', 'nobody', 2);
  const ids = await Promise.all(Array.from({ length: 6 }, () => system.submit('job.test.nobody')));
  const views = await system.ended(ids);
  expect(new Set(views.map((view) => view.state))).toEqual(new Set(['SUCCEEDED']));
  expect(taken.toSorted()).toEqual(ids.toSorted());
  await quiet(system);
  await endedOnce(system, ids);
  // The result is the worker's, sealed: what it writes afterwards is not seen.
  const [id = ''] = ids;
  await system.db.set(`res:${id}`, '{"from":"later"}');
  expect(await system.store.result(id, 'default')).toBe('{"from":"cap"}');
  await work.close();
});
