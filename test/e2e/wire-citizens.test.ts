// Workers that speak only CAP over NATS, encoded by somebody else's library: honest ones, slow ones, and those who say what is not so.
// Clients of the same kind: wire-clients.test.ts.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newer, packet, Status, type Stranger, stranger, type Taken, type Work } from '../helpers/e2e/stranger.ts';
import { startSystem, type System } from '../helpers/e2e/system.ts';
import { endedOnce, path, quiet, ran } from '../helpers/e2e/truth.ts';
import { foreignRefusals } from '../helpers/e2e/metrics.ts';
import { script } from '#core/redis/redis.ts';
import { gateKey } from '../helpers/e2e/workers.ts';
import { until } from '../helpers/until.ts';

const allKeys = script('all-keys', `local k=redis.call('KEYS','*') table.sort(k) return k`);

let system: System;
let cap: Stranger;
beforeAll(async () => {
  system = await startSystem({ config: 'wire' });
  cap = await stranger(system);
  await Promise.all([system.worker('job.test.quick', 'own'), system.worker('job.test.gate', 'gate')]);
}, 60_000);
afterAll(async () => {
  await cap.close();
  await system.stop();
});

/** A worker of a topic of its own, with a heartbeat. */
const worker = async (name: string, take?: (job: Taken) => unknown, fields = {}): Promise<Work> => {
  const work = await cap.work(`job.wire.${name}`, take);
  await cap.beat(`w-${name}`, name, fields);
  return work;
};
/** Says what must not count, and waits until it was looked at. */
const spurned = async (say: () => Promise<unknown>, n = 1): Promise<void> => {
  const before = await foreignRefusals(system);
  await say();
  await until(async () => (await foreignRefusals(system)) >= before + n, { message: `${n} results to be refused` });
};
/** Whatever was published before has been looked at. */
const lookedAt = (): Promise<void> => spurned(() => cap.report(`nobody-${randomUUID()}`, Status.SUCCEEDED));
const shown = async (id: string): Promise<Record<string, unknown>> =>
  (await system.http('GET', `/api/v1/jobs/${id}`)).body as Record<string, unknown>;

describe('a worker', () => {
  test('with heartbeats gets jobs of its topic, as many as it has room for, and its results count', async () => {
    const work = await worker('beat', undefined, { max_parallel_jobs: 3 });
    const ids = await Promise.all(Array.from({ length: 8 }, () => cap.job('job.wire.beat')));
    await work.count(3);
    await lookedAt();
    expect(work.taken, 'no more than it has room for').toHaveLength(3);
    for (let n = 0; n < 8; n++) await cap.succeed((await work.count(n + 1))[n]?.id ?? '', { n });
    await quiet(system);
    await endedOnce(system, ids);
    expect(work.taken.map((job) => job.id).toSorted()).toEqual(ids.toSorted());
    expect((await shown(ids[0] ?? ''))['result']).toMatchObject({ n: expect.any(Number) as number });
  });

  test('without heartbeats gets as many as silent_capacity says', async () => {
    const work = await cap.work('job.wire.silent');
    const ids = await Promise.all(Array.from({ length: 5 }, () => cap.job('job.wire.silent')));
    await work.count(2);
    await lookedAt();
    expect(work.taken).toHaveLength(2);
    for (let n = 0; n < 5; n++) await cap.succeed((await work.count(n + 1))[n]?.id ?? '');
    await system.ended(ids);
    await endedOnce(system, ids);
  });

  test('whose handler throws ends its job FAILED, with what it said', async () => {
    const said = { error_code: 'HANDLER_ERROR', error_message: 'division by zero' };
    await worker('throws', (job) => cap.report(job.id, Status.FAILED, said));
    const id = await cap.job('job.wire.throws');
    expect(await system.reach(id, 'FAILED')).toMatchObject({
      ...{ errorCode: 'HANDLER_ERROR', errorMessage: 'division by zero', worker: 'stranger', failures: 1 },
    });
    expect(await cap.result(id)).toMatchObject(said);
  });

  test('whose handler throws once gets the job again where the topic allows a retry', async () => {
    const work = await worker('retry', (job) =>
      work.taken.length === 1 ? cap.report(job.id, Status.FAILED, { error_message: 'once' }) : cap.succeed(job.id),
    );
    const id = await cap.job('job.wire.retry');
    expect(await system.reach(id, 'SUCCEEDED')).toMatchObject({ failures: 1, losses: 0 });
    await cap.result(id, Status.SUCCEEDED);
  });

  test("that answers after its job's time is over changes nothing", async () => {
    const work = await worker('late');
    const id = await cap.job('job.wire.late', { budget: { deadline_ms: 1_000 } });
    await work.count(1);
    await cap.result(id, Status.TIMEOUT);
    await quiet(system);
    const before = await system.view(id);
    expect(before).toMatchObject({ state: 'TIMEOUT', errorCode: 'deadline_exceeded' });
    await spurned(() => cap.succeed(id));
    expect(await system.view(id)).toEqual(before);
    expect((await shown(id))['result']).toBeNull();
  });

  test('that answers at the very moment of the time-out ends its job once, one way or the other', async () => {
    const work = await worker('race', undefined, { max_parallel_jobs: 40 });
    const ids = await Promise.all(
      Array.from({ length: 40 }, (_, i) => cap.job('job.wire.race', { budget: { deadline_ms: 1_000 + i * 50 } })),
    );
    await work.count(40);
    // With the first that is timed out all are answered: some after their time, some before, some at that moment.
    await until(() => cap.results.some((r) => r['status'] === Status.TIMEOUT && ids.includes(String(r['job_id']))), {
      timeout: 15_000,
      message: 'the first time-out',
    });
    await Promise.all(ids.map((id) => cap.succeed(id)));
    const views = await system.ended(ids);
    await endedOnce(system, ids, 'SUCCEEDED', 'TIMEOUT');
    for (const { id, state, resultPtr } of views) expect(resultPtr === '', id).toBe(state === 'TIMEOUT');
    expect(new Set(views.map(({ state }) => state)).size, 'some of each').toBe(2);
  });

  test('that answers after the job was handed to another: success counts, once; a failure may be of either', async () => {
    const slow = await worker('again');
    const id = await cap.job('job.wire.again');
    await slow.count(1);
    await slow.leave();
    const second = await cap.work('job.wire.again');
    await second.count(1);
    await spurned(() => cap.report(id, Status.FAILED, { worker_id: 'slow' }));
    expect((await system.view(id)).state).toBe('DISPATCHED');
    await cap.succeed(id, { from: 'slow' }, { worker_id: 'slow' });
    expect(await system.reach(id, 'SUCCEEDED')).toMatchObject({ worker: 'slow', losses: 1 });
    await spurned(() => cap.succeed(id, { from: 'second' }, { worker_id: 'second' }));
    expect((await shown(id))['result']).toEqual({ from: 'slow' });
    await endedOnce(system, [id]);
    await second.leave();
  });

  test('that answers twice is heard once, whether it says the same or the contrary', async () => {
    await worker('twice');
    const id = await cap.job('job.wire.twice');
    await system.reach(id, 'DISPATCHED');
    await cap.succeed(id, { n: 1 });
    await system.reach(id, 'SUCCEEDED');
    await quiet(system);
    const before = await system.view(id);
    await spurned(() => cap.succeed(id, { n: 1 }));
    await spurned(() => cap.succeed(id, { n: 2 }));
    await spurned(() => cap.report(id, Status.FAILED, { error_message: 'after all' }));
    expect(await system.view(id)).toEqual(before);
    expect((await shown(id))['result']).toEqual({ n: 1 });
    await endedOnce(system, [id]);
  });

  test('that dies in the middle and never answers: its job is lost, goes to the next, and in the end is FAILED', async () => {
    const dead = await worker('crash');
    const id = await cap.job('job.wire.crash');
    expect((await dead.count(4)).map((job) => job.id)).toEqual([id, id, id, id]);
    expect(await system.reach(id, 'FAILED')).toMatchObject({ errorCode: 'worker_lost', losses: 4 });
    expect(await cap.result(id)).toMatchObject({ status: Status.FAILED, error_code: 'worker_lost' });
    await endedOnce(system, [id], 'FAILED');
  });

  test('of two members in one queue group: each job goes to one of them, and both get some', async () => {
    const other = await stranger(system, 'second');
    const [one, two] = [
      await worker('group', (job) => cap.succeed(job.id), { max_parallel_jobs: 8 }),
      await other.work('job.wire.group', (job) => other.succeed(job.id)),
    ];
    const ids = await Promise.all(Array.from({ length: 60 }, () => cap.job('job.wire.group')));
    await system.ended(ids);
    await quiet(system);
    await endedOnce(system, ids);
    const taken = [...one.taken, ...two.taken].map((job) => job.id);
    expect(taken.toSorted()).toEqual(ids.toSorted());
    expect(Math.min(one.taken.length, two.taken.length)).toBeGreaterThan(0);
    await other.close();
  });

  test('that tells how far it is: the job shows it, and only while it is with such a worker', async () => {
    const work = await worker('progress');
    const tell = (fields: object, wrap = {}) =>
      cap.publish('sys.job.progress', packet('job_progress', { status: Status.RUNNING, ...fields }, wrap));
    const id = await cap.job('job.wire.progress');
    await work.count(1);
    const told = (percent: number): Promise<unknown> =>
      until(async () => (await system.view(id)).progress?.percent === percent, { message: `${percent} percent` });
    await tell({ job_id: id, percent: 40, message: 'reading' });
    await told(40);
    expect((await shown(id))['progress']).toEqual({ percent: 40, message: 'reading' });
    await tell({ job_id: id, percent: 2_000_000_000, message: 'x'.repeat(100_000) }, { inner: newer, outer: newer });
    await told(100);
    expect((await system.view(id)).progress?.message.length).toBeLessThanOrEqual(50);
    await tell({ job_id: id, percent: -5, status: Status.SUCCEEDED }); // a step's status, not the job's
    await told(0);
    expect((await system.view(id)).state).toBe('DISPATCHED');
    // Of a job that a worker of ours runs, only that worker tells.
    const ours = await system.submit('job.test.gate');
    await until(async () => (await system.view(ours)).progress?.percent === 1, { message: 'the handler to be in' });
    for (const job of [ours, 'nobody-there', '']) await tell({ job_id: job, percent: 99 });
    await cap.publish('sys.job.progress', new Uint8Array([9, 9, 9]));
    await tell({ job_id: id, percent: 60 });
    await told(60);
    expect((await system.view(ours)).progress?.percent).toBe(1);
    await system.db.set(gateKey(ours), '1');
    await cap.succeed(id);
    await system.ended([id, ours]);
  });
});

describe("a result for another's job", () => {
  test('one that waits, one that our own host runs, one of another tenant: nothing changes', async () => {
    await worker('others');
    const soonOver = { budget: { deadline_ms: 3_000 } };
    const waiting = await cap.job('job.test.idle', soonOver);
    const acme = await cap.job('job.test.idle', { tenant_id: 'acme', ...soonOver });
    const ours = await system.submit('job.test.gate');
    await Promise.all([system.reach(waiting, 'SCHEDULED'), system.reach(acme, 'SCHEDULED')]);
    await system.reach(ours, 'RUNNING');
    for (const id of [waiting, acme, ours]) {
      const before = await system.view(id);
      await spurned(() => cap.succeed(id, { forged: true }));
      await spurned(() => cap.report(id, Status.FAILED, { worker_id: 'gate' }));
      expect(await system.view(id)).toEqual(before);
    }
    await system.db.set(gateKey(ours), '1');
    await system.reach(ours, 'SUCCEEDED');
    expect((await shown(ours))['result']).toMatchObject({ job_id: ours, worker: 'gate' });
    await endedOnce(system, [ours]);
  });

  test('one that nobody knows, with a wrong id or without any: no key is left behind', async () => {
    const keys = async (): Promise<unknown> => system.db.run(allKeys, [], []);
    await lookedAt();
    const before = await keys();
    for (const id of ['no-such-job', 'no:such|job', 'a b', '*', 'x'.repeat(200), '']) await cap.report(id, 5);
    await cap.publish('sys.job.result', packet('job_result', { status: 5 }));
    await lookedAt();
    expect(await keys()).toEqual(before);
  });

  test("with a pointer to another job's key is FAILED, and nothing of it is seen", async () => {
    const secret = await system.submit('job.test.quick');
    await system.reach(secret, 'SUCCEEDED');
    await worker('pointer');
    for (const resultPtr of [`redis://res:${secret}`, `redis://ctx:${secret}`, 'redis://config:keys', 'http://x']) {
      const id = await cap.job('job.wire.pointer');
      await system.reach(id, 'DISPATCHED');
      const artifacts = [`redis://res:${secret}`, `redis://res:${id}-log`];
      await cap.report(id, Status.SUCCEEDED, { result_ptr: resultPtr, artifact_ptrs: artifacts });
      expect(await system.reach(id, 'FAILED')).toMatchObject({ errorCode: 'bad_result_ptr', resultPtr: '' });
      await cap.result(id, Status.FAILED);
      expect(JSON.stringify(await shown(id))).not.toContain(secret);
    }
  });
});

describe('what a worker says', () => {
  test('of a job on the way ends nothing: UNSPECIFIED, PENDING, SCHEDULED, DISPATCHED, RUNNING, a newer one', async () => {
    await worker('transit');
    const id = await cap.job('job.wire.transit');
    await system.reach(id, 'DISPATCHED');
    for (const status of [0, 1, 2, 3, 4, 77, -1]) await cap.report(id, status, { result_ptr: `redis://res:${id}` });
    await lookedAt();
    expect(await path(system, id)).toEqual(['PENDING', 'SCHEDULED', 'DISPATCHED']);
    await cap.succeed(id);
    await system.reach(id, 'SUCCEEDED');
  });

  test('with newer fields is understood; a newer kind of packet and garbage are not, and do no harm', async () => {
    const work = await cap.work('job.wire.newer');
    await cap.beat('w-newer', 'newer', {}, { inner: newer, outer: newer });
    const kind = Buffer.from([0x8a, 0x01, 2, 8, 1]); // field 17, a message
    for (const subject of ['sys.heartbeat', 'sys.job.submit', 'sys.job.result', 'sys.job.progress', 'sys.job.cancel']) {
      for (const bytes of [kind, new Uint8Array(), new Uint8Array([255, 255, 255]), Buffer.from('{"json":true}')]) {
        await cap.publish(subject, bytes);
      }
    }
    const wrap = { inner: newer, outer: newer };
    const id = await cap.job('job.wire.newer', { priority: 55, meta: { actor_type: 44 } }, wrap);
    await work.count(1);
    await system.db.set(`res:${id}`, '1');
    await cap.report(id, Status.SUCCEEDED, { result_ptr: `redis://res/${id}` }, wrap);
    await system.reach(id, 'SUCCEEDED');
    expect((await shown(id))['result']).toBe(1);
  });

  test('too much of it is cut: messages, codes, names, numbers', async () => {
    await worker('words');
    const long = 'é|'.repeat(60_000);
    const much = { worker_id: long, error_code: long, error_message: long, execution_ms: '9223372036854775807' };
    const id = await cap.job('job.wire.words');
    await system.reach(id, 'DISPATCHED');
    await cap.report(id, Status.FAILED, { ...much, artifact_ptrs: [`redis://res:${id}-${long.slice(0, 5_000)}`] });
    const view = await system.reach(id, 'FAILED');
    for (const text of [view.worker, view.errorCode]) expect(text.length).toBeLessThanOrEqual(128);
    expect(view.errorMessage.length).toBeLessThanOrEqual(500);
    expect(view.artifactPtrs).toEqual([]);
    expect(view.execMs).toBeLessThanOrEqual(Number.MAX_SAFE_INTEGER);
    // What is said otherwise has to be said again by us, with that number in it.
    const other = await cap.job('job.wire.words');
    await system.reach(other, 'DISPATCHED');
    await cap.report(other, Status.SUCCEEDED, { ...much, result_ptr: 'redis://res:nobody' });
    await cap.result(other, Status.FAILED);
    await quiet(system);
    expect((await system.http('GET', '/api/v1/jobs')).status).toBe(200);
  });
});

describe('a heartbeat', () => {
  test('of nobody, of nowhere, or with numbers that are none harms nobody', async () => {
    const work = await worker('odd', (job) => cap.succeed(job.id));
    const odd = [
      ['', 'odd', {}],
      ['a b', 'odd', {}],
      ['w-x', 'no-such-pool', { max_parallel_jobs: 9 }],
      ['w-nan', 'odd', { cpu_load: Number.NaN, gpu_utilization: Number.POSITIVE_INFINITY, active_jobs: -7 }],
      ['w-minus', 'odd', { max_parallel_jobs: -2_147_483_648, active_jobs: 2_147_483_647, cpu_load: -1 }],
      ['w-labels', 'odd', { labels: { 'cortex.dispatch': 'direct' } }], // says that it is ours, and names no instance
      ['w-ghost', 'odd', { labels: { 'cortex.dispatch': 'direct', 'cortex.instance': 'nobody' } }],
    ] as const;
    for (const [id, pool, fields] of odd) await cap.beat(id, pool, fields);
    const ids = await Promise.all(Array.from({ length: 10 }, () => cap.job('job.wire.odd')));
    await system.ended(ids);
    await endedOnce(system, ids);
    expect(work.taken).toHaveLength(10);
    const workers = JSON.stringify((await system.http('GET', '/api/v1/workers')).body);
    expect(workers).toContain('w-nan');
    expect(workers).not.toContain('w-labels');
  });

  test('with room for nothing brings nothing; with room for everything brings everything', async () => {
    const none = await worker('zero', undefined, { max_parallel_jobs: 0 });
    const id = await cap.job('job.wire.zero');
    const all = await worker('huge', (job) => cap.succeed(job.id), { max_parallel_jobs: 2_147_483_647 });
    await cap.beat('w-huge-2', 'huge', { max_parallel_jobs: 2_147_483_647 });
    const ids = await Promise.all(Array.from({ length: 200 }, () => cap.job('job.wire.huge')));
    await system.ended(ids);
    await endedOnce(system, ids);
    expect(all.taken).toHaveLength(200);
    expect(none.taken).toEqual([]);
    expect((await system.view(id)).state).toBe('SCHEDULED');
    await system.http('POST', `/api/v1/jobs/${id}/cancel`);
  });

  test('with other labels than the job asks for does not bring it', async () => {
    const work = await worker('labels', (job) => cap.succeed(job.id), { labels: { os: 'mac' }, capabilities: ['cpu'] });
    const linux = await cap.job('job.wire.labels', { labels: { os: 'linux' } });
    const gpu = await cap.job('job.wire.labels', { meta: { requires: ['gpu'] } });
    const plain = await cap.job('job.wire.labels', { labels: { os: 'mac' } });
    await cap.result(plain);
    expect(work.taken.map((job) => job.id)).toEqual([plain]);
    await cap.beat('w-labels', 'labels', { labels: { os: 'linux' }, capabilities: ['gpu'] }); // it has changed
    await system.ended([linux, gpu]);
    expect(work.taken).toHaveLength(3);
  });

  test('under the id of one of our own hosts does not take its place', async () => {
    const own = await system.worker('job.test.quick', 'mine', 2);
    await until(async () => JSON.stringify((await system.http('GET', '/api/v1/workers')).body).includes('"mine"'), {
      message: 'our worker to be seen',
    });
    await cap.beat('mine', 'same', { max_parallel_jobs: 50 });
    await cap.beat('mine', 'test', { max_parallel_jobs: 50 });
    const ids = await system.submitMany('job.test.quick', 40);
    const views = await system.ended(ids);
    await endedOnce(system, ids);
    expect(new Set(views.map((view) => view.worker))).toEqual(new Set(['own', 'mine']));
    await own.stop();
  });
});

test('our own worker beside a bus-only one in one pool: each of 500 jobs runs once, and both work', async () => {
  const work = await cap.work('job.test.quick', (job) => cap.succeed(job.id), 'workers-quick');
  await cap.beat('w-beside', 'test', { max_parallel_jobs: 8 });
  const ids = await system.submitMany('job.test.quick', 500, { outstanding: 40 });
  await system.ended(ids);
  await quiet(system);
  await endedOnce(system, ids);
  const byCap = work.taken.map((job) => job.id);
  const byOwn = await Promise.all(ids.map(async (id) => (await ran(system, id)).length));
  expect(byOwn.map((times, i) => times + byCap.filter((id) => id === ids[i]).length)).toEqual(ids.map(() => 1));
  expect(byCap.length).toBeGreaterThan(20);
  expect(byCap.length).toBeLessThan(480);
  await work.leave();
});

test('a bus-only worker that answers after one of ours has done its job does not replace the result', async () => {
  const work = await cap.work('job.test.deaf');
  await cap.beat('w-beside', 'test');
  const id = await cap.job('job.test.deaf');
  await work.count(1);
  await work.leave();
  await system.db.set(gateKey(id), '1');
  await system.worker('job.test.deaf', 'deaf');
  await system.reach(id, 'SUCCEEDED');
  await spurned(() => cap.succeed(id, { from: 'late' }));
  expect((await shown(id))['result']).toMatchObject({ worker: 'deaf' });
  await endedOnce(system, [id]);
});
