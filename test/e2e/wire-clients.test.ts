// Clients that speak only CAP over NATS, encoded by somebody else's library, and what reaches a worker of the packets of anybody.
// Workers of the same kind: wire-citizens.test.ts. The example of docs/wire.md is run at the end.
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { childEnv, forgetChild, noteChild } from '../helpers/children.ts';
import { readMetrics } from '../helpers/e2e/metrics.ts';
import { newer, packet, read, Status, type Stranger, stranger, type Work } from '../helpers/e2e/stranger.ts';
import { startSystem, type System } from '../helpers/e2e/system.ts';
import { endedOnce, path, quiet, ran } from '../helpers/e2e/truth.ts';
import { gateKey } from '../helpers/e2e/workers.ts';
import { until } from '../helpers/until.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

let system: System;
let cap: Stranger;
let work: Work;
beforeAll(async () => {
  system = await startSystem({ config: 'wire' });
  cap = await stranger(system);
  await system.worker('job.test.gate', 'gate');
  work = await cap.work('job.wire.client', (job) => cap.succeed(job.id, { from: 'client' }));
  await cap.beat('w-client', 'client', { max_parallel_jobs: 50 });
}, 60_000);
afterAll(async () => {
  await cap.close();
  await system.stop();
});

const refusals = async (reason: string): Promise<number> => {
  const metrics = await readMetrics(system.schedulers[0]?.process as never);
  return metrics.get(`cortex_scheduler_submissions_refused_total{reason="${reason}"}`) ?? 0;
};
/** Submits what must not become a job, and waits until it was refused for that reason. */
const refused = async (reason: string, say: () => Promise<unknown>): Promise<void> => {
  const before = await refusals(reason);
  await say();
  await until(async () => (await refusals(reason)) > before, { message: `a refusal for ${reason}` });
};
const times = (id: string): number => work.taken.filter((job) => job.id === id).length;
const cancel = (id: string): Promise<unknown> => system.http('POST', `/api/v1/jobs/${id}/cancel`);
/** Waits for a job on the topic and answers its packet's bytes. */
const arrived = async (its: Work, n: number): Promise<Uint8Array> =>
  Buffer.from((await its.count(n))[n - 1]?.bytes ?? []);

describe('a client', () => {
  test('submits on the bus, and reads the result through its pointer', async () => {
    const id = await cap.submit('job.wire.client');
    const result = await cap.result(id);
    expect(result).toMatchObject({ status: Status.SUCCEEDED, result_ptr: `redis://res:${id}` });
    expect(await system.db.get(`res:${id}`)).toBe('{"from":"client"}');
    await quiet(system);
    await endedOnce(system, [id]);
  });

  test('is of the tenant that it names, in each of the three places, or of the default one', async () => {
    const named = [
      [{}, 'default'],
      [{ tenant_id: 'acme' }, 'acme'],
      [{ meta: { tenant_id: 'acme' } }, 'acme'],
      [{ env: { tenant_id: 'acme' } }, 'acme'],
      [{ tenant_id: 'acme', env: { tenant_id: 'default' } }, 'acme'],
    ] as const;
    for (const [fields, tenant] of named) {
      const id = await cap.submit('job.wire.client', fields);
      await cap.result(id);
      expect((await system.view(id)).tenant).toBe(tenant);
      const status = tenant === 'default' ? 200 : 404;
      expect((await system.http('GET', `/api/v1/jobs/${id}`)).status, 'seen by the default tenant').toBe(status);
    }
  });

  test('of a tenant that is not listed is refused on the open subject, and taken on the subject of its own', async () => {
    const id = randomUUID();
    const request = { job_id: id, topic: 'job.wire.client', tenant_id: 'umbrella' };
    await refused('tenant', () => cap.publish('sys.job.submit', packet('job_request', request)));
    expect(await system.store.view(id, undefined)).toBeUndefined();
    await refused('tenant', () => cap.publish('sys.job.submit.acme', packet('job_request', request)));
    await cap.publish('sys.job.submit.umbrella', packet('job_request', request));
    await cap.result(id);
    expect((await system.view(id)).tenant).toBe('umbrella');
  });

  test('that submits the same id again has one job; with another request it is refused, and nothing changes', async () => {
    const id = randomUUID();
    await system.db.set(`ctx:${id}`, '{}');
    const request = { job_id: id, topic: 'job.wire.client', context_ptr: `redis://ctx:${id}`, env: { b: '1', a: '2' } };
    const same = { ...request, env: { a: '2', b: '1' } }; // as a map in Go: in any order
    await Promise.all(
      [request, same, same].map((its) => cap.publish('sys.job.submit', packet('job_request', its))), // other trace, other time
    );
    await cap.result(id);
    await cap.publish('sys.job.submit', packet('job_request', same));
    const before = await system.view(id);
    const others = [{ env: { a: '3' } }, { topic: 'job.test.idle' }, { tenant_id: 'acme' }, { priority: 3 }];
    for (const other of others) {
      await refused('digest', () => cap.publish('sys.job.submit', packet('job_request', { ...request, ...other })));
    }
    await quiet(system);
    expect(times(id)).toBe(1);
    expect(await system.view(id)).toEqual(before);
    await endedOnce(system, [id]);
  });

  test('without a payload runs; with one that is not there, or not its own, is FAILED and told why', async () => {
    const none = await cap.submit('job.wire.client', { context_ptr: '' });
    expect(await cap.result(none)).toMatchObject({ status: Status.SUCCEEDED });
    const gone = randomUUID();
    await cap.submit('job.wire.client', { job_id: gone, context_ptr: `redis://ctx:${gone}` });
    expect(await cap.result(gone)).toMatchObject({ status: Status.FAILED, error_code: 'payload_missing' });
    const slash = randomUUID();
    await system.db.set(`ctx:${slash}`, '{}');
    await cap.submit('job.wire.client', { job_id: slash, context_ptr: `redis://ctx/${slash}` }); // as CAP's examples write it
    expect(await cap.result(slash)).toMatchObject({ status: Status.SUCCEEDED });
    for (const pointer of [`redis://ctx:${slash}`, `redis://res:${slash}`, 'http://x', 'redis://']) {
      const id = await cap.submit('job.wire.client', { context_ptr: pointer });
      expect(await cap.result(id)).toMatchObject({ status: Status.FAILED, error_code: 'invalid_argument' });
      expect(await system.store.view(id, undefined)).toBeUndefined();
      expect(times(id)).toBe(0);
    }
  });

  test('with a wrong id, a wrong topic, another payload kind or garbage is refused', async () => {
    const request = { job_id: randomUUID(), topic: 'job.wire.client' };
    for (const id of ['', 'a b', 'a:b', '*', 'x'.repeat(129)]) {
      await refused('undecodable', () =>
        cap.publish('sys.job.submit', packet('job_request', { ...request, job_id: id })),
      );
    }
    for (const topic of ['', 'sys.job.result', 'worker.gate.jobs', 'job.>', 'job.a b', 'job']) {
      await refused('topic', () => cap.publish('sys.job.submit', packet('job_request', { ...request, topic })));
    }
    await refused('not_a_request', () => cap.publish('sys.job.submit', packet('heartbeat', { worker_id: 'w' })));
    await refused('undecodable', () => cap.publish('sys.job.submit', Buffer.from('garbage')));
    expect(await system.store.view(request.job_id, undefined)).toBeUndefined();
  });

  test('with a trace id, a principal or a parent without end is refused; a trace id of any kind is kept', async () => {
    const long = 'x'.repeat(200_000);
    for (const [fields, wrap] of [
      [{}, { head: { trace_id: long } }],
      [{ principal_id: long }, {}],
      [{ parent_job_id: long }, {}],
    ] as const) {
      const id = await cap.submit('job.wire.client', fields, wrap);
      const result = await cap.result(id);
      expect(result).toMatchObject({ status: Status.FAILED, error_code: 'invalid_argument' });
      expect(result['error_message']).toMatch(/^(trace_id|principal_id|parent_job_id): must be at most 128 /);
      expect(await system.store.view(id, undefined)).toBeUndefined();
    }
    for (const trace of ['', 'a trace: of | any kind ✓', 'job:meta:x']) {
      const id = await cap.submit('job.wire.client', {}, { head: { trace_id: trace } });
      expect(await cap.result(id)).toMatchObject({ status: Status.SUCCEEDED });
      expect((await system.view(id)).traceId).toBe(trace);
    }
  });

  test('with a packet that would not fit through the bus with our headers beside it is refused', async () => {
    const size = 1024 * 1024;
    const filled = (n: number) => ({ topic: 'job.test.gate', job_id: randomUUID(), env: { filler: 'x'.repeat(n) } });
    const request = filled(size - 200);
    await cap.publish('sys.job.submit', packet('job_request', request));
    expect(await cap.result(request.job_id)).toMatchObject({ status: Status.FAILED, error_code: 'invalid_argument' });
    const fits = filled(size - 64 * 1024);
    await cap.publish('sys.job.submit', packet('job_request', fits));
    await system.db.set(gateKey(fits.job_id), '1');
    expect(await cap.result(fits.job_id)).toMatchObject({ status: Status.SUCCEEDED, worker_id: 'gate' });
  });

  test('with labels waits for a worker that carries them; preferences are hints', async () => {
    const labels = { gpu: 'a100', 'with space|and=bar': 'ü,ö' };
    const id = await cap.job('job.wire.labels', { labels });
    const preferred = { labels: { preferred_pool: 'nowhere', preferred_worker_id: 'nobody' } };
    const its = await cap.work('job.wire.labels', (job) => cap.succeed(job.id));
    await cap.beat('w-plain', 'labels');
    await cap.result(await cap.submit('job.wire.labels', preferred));
    expect((await system.view(id)).state).toBe('SCHEDULED');
    await cap.beat('w-plain', 'labels', { labels: { ...labels, more: 'x' } });
    await cap.result(id, Status.SUCCEEDED);
    expect(its.taken.at(-1)?.request['labels']).toEqual(labels);
  });

  test('is served by its priority, an unknown one as INTERACTIVE', async () => {
    const ids: string[] = [];
    for (const priority of [2, 0, 55, 1, 3]) ids.push(await cap.job('job.wire.order', { priority }));
    for (const id of ids) await system.reach(id, 'SCHEDULED');
    const its = await cap.work('job.wire.order', (job) => cap.succeed(job.id));
    await cap.beat('w-order', 'order', { max_parallel_jobs: 1 });
    await system.ended(ids);
    const [batch, none, unknown, interactive, critical] = ids;
    expect(its.taken.map((job) => job.id)).toEqual([critical, none, unknown, interactive, batch]);
  });

  test('whose deadline is over is DENIED; one that comes is kept, as a time and as a duration', async () => {
    const past = await cap.submit('job.wire.client', { budget: { deadline_ms: String(Date.now() - 1_000) } });
    expect(await cap.result(past)).toMatchObject({ status: Status.DENIED, error_code: 'permission_denied' });
    const negative = await cap.submit('job.wire.client', { budget: { deadline_ms: -5 } });
    expect(await cap.result(negative)).toMatchObject({ status: Status.DENIED });
    expect(times(past) + times(negative)).toBe(0);
    const time = await cap.submit('job.test.idle', { budget: { deadline_ms: String(Date.now() + 1_000) } });
    expect(await cap.result(time)).toMatchObject({ status: Status.TIMEOUT });
  });

  test('with newer fields, enums and actors is understood, and the worker gets all of it', async () => {
    const wrap = { inner: newer, outer: newer };
    const id = await cap.submit('job.wire.client', { priority: 55, meta: { actor_type: 44, requires: [] } }, wrap);
    await cap.result(id);
    const bytes = Buffer.from(work.taken.find((job) => job.id === id)?.bytes ?? []);
    const its = Buffer.from(newer);
    expect(bytes.includes(its)).toBe(true);
    expect(bytes.indexOf(its)).not.toBe(bytes.lastIndexOf(its));
  });

  test('hears a cancel, but its own cancel packet is news alone: it stops nothing', async () => {
    const heard: string[] = [];
    cap.nats.subscribe('sys.job.cancel', {
      callback: (_error, { data }) => void heard.push(String(read(data).job_cancel?.['job_id'])),
    });
    await cap.nats.flush();
    const waiting = await cap.job('job.test.idle');
    const ours = await system.submit('job.test.gate');
    await system.reach(ours, 'RUNNING');
    for (const id of [waiting, ours, 'nobody']) {
      await cap.publish('sys.job.cancel', packet('job_cancel', { job_id: id, requested_by: 'me' }));
    }
    await cap.result(await cap.submit('job.wire.client')); // whoever listens has looked at them by now
    expect(await path(system, waiting)).not.toContain('CANCELLED');
    await cancel(waiting);
    await cap.result(waiting, Status.CANCELLED);
    await system.db.set(gateKey(ours), '1');
    await system.reach(ours, 'SUCCEEDED');
    expect(await ran(system, ours)).toHaveLength(2);
    await until(() => heard.filter((id) => id === waiting).length === 2, { message: 'the cancel on the bus' });
  });
});

describe('a packet reaches the worker byte for byte', () => {
  test('signed, with fields that nobody knows, in an order of its own, also when it is handed out again', async () => {
    const its = await cap.work('job.wire.bytes');
    await cap.beat('w-bytes', 'bytes');
    const id = randomUUID();
    await system.db.set(`ctx:${id}`, '{}');
    const request = { job_id: id, topic: 'job.wire.bytes', context_ptr: `redis://ctx:${id}`, env: { z: '1', a: '2' } };
    const signature = Buffer.from('3045022100deadbeef00ff', 'hex');
    // As CAP's SDK for Node signs: an empty signature field first, an explicit zero for nanoseconds.
    const odd = Buffer.concat([
      packet('job_request', request, { head: { signature, sender_id: 'signer' }, inner: newer, outer: newer }),
      Buffer.from([0x72, 0x00, 0x72, 0x02, 0xca, 0xfe]),
    ]);
    await cap.publish('sys.job.submit', odd);
    expect(await arrived(its, 1)).toEqual(odd);
    // The same request in another packet is the same job: what goes out is what was accepted.
    await cap.publish('sys.job.submit', packet('job_request', request, { inner: newer, head: { sender_id: 'other' } }));
    expect(await arrived(its, 2), 'after the first hand-out was lost').toEqual(odd);
    await cap.succeed(id);
    await system.reach(id, 'SUCCEEDED');
    await its.leave();
  });

  test("our gateway's, and our own worker gets the same bytes as one on the bus", async () => {
    const bells: Uint8Array[] = [];
    const tap = cap.nats.subscribe('sys.job.submit', { callback: (_error, { data }) => void bells.push(data) });
    const toOurs: Uint8Array[] = [];
    const tapOfOurs = cap.nats.subscribe('worker.gate.jobs', {
      callback: (_error, { data }) => void toOurs.push(data),
    });
    await cap.nats.flush();
    const id = await system.submit('job.wire.client');
    await cap.result(id);
    const bell = (of: string) =>
      until(() => bells.find((bytes) => read(bytes).job_request?.['job_id'] === of), { message: 'the doorbell' });
    const got = work.taken.find((job) => job.id === id);
    expect(Buffer.from(got?.bytes ?? [])).toEqual(Buffer.from(await bell(id)));
    expect(read(got?.bytes ?? new Uint8Array())).toMatchObject({ sender_id: 'api-gateway-http', protocol_version: 1 });
    const signed = await cap.job('job.test.gate', {}, { head: { signature: Buffer.from('cafe') }, outer: newer });
    const handedOut = await until(() => toOurs.find((bytes) => read(bytes).job_request?.['job_id'] === signed), {
      message: 'the hand-out',
    });
    expect(Buffer.from(handedOut)).toEqual(Buffer.from(await bell(signed)));
    await system.db.set(gateKey(signed), '1');
    await cap.result(signed, Status.SUCCEEDED);
    tap.unsubscribe();
    tapOfOurs.unsubscribe();
  });
});

test('every end is heard on the bus: SUCCEEDED, FAILED, CANCELLED, TIMEOUT, DENIED, and why', async () => {
  const succeeded = await cap.submit('job.wire.client');
  const denied = await cap.submit('job.test.denied');
  const unplaced = await cap.submit('job.test.unknown');
  const cancelled = await cap.job('job.test.idle');
  const late = await cap.submit('job.test.idle', { budget: { deadline_ms: 1_000 } });
  await cancel(cancelled);
  const told = await Promise.all([succeeded, denied, unplaced, cancelled, late].map((id) => cap.result(id)));
  expect(told).toMatchObject([
    { status: Status.SUCCEEDED, result_ptr: `redis://res:${succeeded}`, error_code: '' },
    { status: Status.DENIED, error_code: 'permission_denied' },
    { status: Status.FAILED, error_code: 'no_pool' },
    { status: Status.CANCELLED, error_code: 'cancelled' },
    { status: Status.TIMEOUT, error_code: 'deadline_exceeded' },
  ]);
  for (const result of told.slice(1)) expect(result['error_message']).not.toBe('');
  await quiet(system);
  for (const [i, id] of [succeeded, denied, unplaced, cancelled, late].entries()) {
    await endedOnce(system, [id], (['SUCCEEDED', 'DENIED', 'FAILED', 'CANCELLED', 'TIMEOUT'] as const)[i] ?? 'FAILED');
  }
});

test('the worker of docs/wire.md is one', async () => {
  const page = readFileSync(`${root}docs/wire.md`, 'utf8');
  const code = /```js\n([^]*?)```/.exec(page)?.[1] ?? '';
  const env = { ...childEnv(), NATS_URL: system.nats.url, REDIS_URL: system.redis.url };
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { cwd: root, env, stdio: 'inherit' });
  noteChild('docs/wire.md', child.pid as number);
  const exited = once(child, 'exit');
  try {
    const id = await cap.job('job.echo');
    expect(await cap.result(id)).toMatchObject({ status: Status.SUCCEEDED, worker_id: 'my-worker' });
    await system.reach(id, 'SUCCEEDED');
    expect(await system.db.get(`res:${id}`)).toBe('{"echo":{"prompt":"hello"}}');
  } finally {
    child.kill('SIGKILL');
    await exited;
    forgetChild(child.pid as number);
  }
});
