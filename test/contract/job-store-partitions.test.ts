// What goes over the wire, read from MONITOR: every step is one script and nothing is read outside of one; with four partitions all keys
// of a script carry one hash tag. A real cluster would not notice an undeclared key of a slot that the same node owns.
import { Redis as Client } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mostSwept } from '#core/jobs/scripts/create.ts';
import { mostDepths } from '#core/jobs/scripts/read.ts';
import type { Metered } from '#core/jobs/store.ts';
import { dayOf } from '#core/jobs/usage.ts';
import { script } from '#core/redis/redis.ts';
import { redisStage } from '../helpers/redis-job-store.ts';
import { until } from '../helpers/until.ts';
import { createRig, type Rig, type Subject } from './job-store/rig.ts';

const stage = redisStage();
let admin: Client;
beforeAll(() => {
  admin = new Client(stage.server().port);
});
afterAll(() => admin.disconnect());

interface Call {
  readonly sent: readonly string[];
  /** Commands of its script. */
  readonly inner: (readonly string[])[];
}

/** All that the stores' connections send while `work` runs, each call with what its script did. */
async function watch(work: () => Promise<unknown>): Promise<readonly Call[]> {
  const addresses = String(await admin.client('LIST'))
    .split('\n')
    .flatMap((line) => (/ name=(one|two) /.test(line) ? (/ addr=(\S+) /.exec(line)?.[1] ?? []) : []));
  // Nothing else may happen at that moment: what comes in one packet with the OK of MONITOR, ioredis does not understand.
  const monitor = await new Client({ port: stage.server().port, lazyConnect: true }).monitor();
  const calls: Call[] = [];
  let end = false;
  monitor.on('monitor', (_: string, args: string[], source: string) => {
    if (args[0]?.toUpperCase() === 'ECHO') end = true;
    else if (source === 'lua') calls.at(-1)?.inner.push(args);
    else if (addresses.includes(source)) calls.push({ sent: args, inner: [] });
  });
  await work();
  await admin.echo('done');
  await until(() => end, { message: 'MONITOR to come to the end' });
  monitor.disconnect();
  return calls;
}

/** The keys of a command inside a script. */
function keysOf([name = '', ...args]: readonly string[]): readonly string[] {
  switch (name.toUpperCase()) {
    case 'TIME':
      return [];
    case 'EXISTS':
    case 'DEL':
      return args;
    case 'COPY':
    case 'RENAME':
      return args.slice(0, 2);
    default:
      if (!known.has(name.toUpperCase())) throw new Error(`where are the keys of ${name}?`);
      return args.slice(0, 1);
  }
}
const known = new Set(
  'GET SET GETBIT SETBIT HEXISTS STRLEN APPEND GETRANGE TYPE PERSIST PEXPIRE PTTL HSET HGET HMGET HGETALL HINCRBY HDEL HLEN HKEYS ZADD ZREM ZRANGE ZREVRANGE ZREVRANGEBYSCORE ZREVRANK ZCARD ZCOUNT ZSCORE ZMSCORE ZPOPMIN ZREMRANGEBYRANK ZREMRANGEBYSCORE SADD SCARD SPOP SRANDMEMBER RPUSH LTRIM LRANGE XADD XRANGE XREVRANGE'.split(
    ' ',
  ),
);

function meteredOf({ id, tenant, handOut }: Subject, number: number): Metered {
  const usage = { inputTokens: 1, outputTokens: 1 };
  return { ...{ id, tenant, attempt: handOut?.attempt ?? '', number }, model: 'm', usage, cost: 1 };
}

/** Something of every operation, by jobs of several tenants in each call. */
async function everything(rig: Rig): Promise<void> {
  const { raw } = rig;
  const tenants = Array.from({ length: 8 }, (_, i) => `tenant${i}`);
  const all = (make: (tenant: string, i: number) => Subject): Subject[] => tenants.map(make);
  const jobs = all((tenant, i) =>
    rig.subject({
      tenant,
      pool: 'p',
      maxRetries: 1,
      ...(i % 2 === 0 ? { id: `outside-${i}` } : {}),
      idempotency: { key: 'k', digest: 'd' },
    }),
  );
  const worker = { worker: 'w1', instance: 'i1', pool: 'p', capacity: 100, aliveMs: 600_000 };
  await raw.register(worker);
  await raw.create(jobs.map((job) => job.new));
  await raw.gate(jobs.map((job) => rig.gateOf(job)));
  const take = async (): Promise<void> => {
    const [claimed] = await raw.claim([{ ...rig.claimOf(jobs[0] as Subject), ...worker, n: 50 }]);
    for (const handOut of claimed?.jobs ?? []) {
      const job = jobs.find(({ id }) => id === handOut.id);
      if (job !== undefined) Object.assign(job, { handOut, worker: 'w1', instance: 'i1' });
    }
  };
  await take();
  await raw.requeue(jobs.slice(0, 4).map((job) => rig.requeueOf(job, 'DISPATCHED', 'no_responders', 10)));
  rig.advance(10);
  await raw.requeue(jobs.slice(0, 4).map((job) => rig.requeueOf(job, 'SCHEDULED', 'ready')));
  await take();
  await raw.accept(jobs.map(rig.acceptOf));
  await raw.renew([{ ...worker, leaseMs: 4000, jobs: jobs.map(rig.keyOf) }]);
  await raw.progress(jobs.map((job) => ({ ...rig.keyOf(job), percent: 1, message: '' })));
  for (const at of [0, 6]) await raw.output(jobs.map((job) => ({ ...rig.keyOf(job), at, text: 'a word' })));
  await raw.meter(jobs.map((job, i) => meteredOf(job, i + 1)));
  for (const job of jobs) await raw.artifact({ ...rig.keyOf(job), name: 'exchanges', bytes: Uint8Array.of(49) });
  await raw.commit(jobs.slice(0, 3).map((job) => rig.commitOf(job)));
  await raw.commit(jobs.slice(3, 5).map((job) => rig.commitOf(job, 'FAILED', { retryable: true })));
  await raw.end(jobs.map((job) => rig.endOf(job, 'CANCELLED', { tenant: undefined })));
  await raw.stopped(jobs.map((job) => ({ ...rig.keyOf(job), worker: 'w1' })));
  await raw.due(100, 1000);
  await raw.announced(jobs);
  await raw.register({ ...worker, instance: 'another' });
  await raw.unregister('w1', 'i1');
  const bus = all((tenant) => rig.subject({ tenant, topic: 'job.bus', pool: 'b', foreign: true }));
  await raw.create(bus.map((job) => job.new));
  await raw.gate(bus.map((job) => rig.gateOf(job)));
  await raw.claim([rig.claimOf(bus[0] as Subject, { n: 50, capacity: 50 })]);
  await raw.progressForeign(bus.map(({ id }) => ({ id, percent: 1, message: '' })));
  for (const { tenant, id } of bus) await rig.driver.write(tenant, `res:${id}`, '1');
  await raw.commitForeign(bus.map((job) => rig.foreignOf(job, 'SUCCEEDED', { artifactKeys: [`res:${job.id}-x`] })));
  for (const { id, tenant } of [...jobs, ...bus]) {
    await raw.view(id, tenant);
    await raw.view(id, undefined);
    await raw.transitions(id, tenant);
    await raw.result(id, tenant);
    await raw.recording(id, tenant);
    await raw.readOutput({ id, tenant, fence: '', at: 0 });
  }
  await raw.look([...jobs, ...bus]);
  for (const tenant of tenants) {
    const query = { tenant, limit: 1, state: undefined, topic: undefined, traceId: undefined };
    const page = await raw.page({ ...query, cursor: undefined, updatedAfter: undefined, updatedBefore: undefined });
    await raw.page({ ...query, cursor: page.nextCursor, updatedAfter: undefined, updatedBefore: undefined });
    await raw.trace('t', tenant);
    await raw.events(tenant, '', 10);
    await raw.usage(tenant, [dayOf(rig.now()), dayOf(rig.now() + 86_400_000)]);
    await raw.standing(
      tenant,
      jobs.map(({ id }) => ({ id, packet: true, path: true })),
    );
  }
  await raw.depths();
  const human = all((tenant) => rig.subject({ tenant, pool: 'h' }));
  await raw.create(human.map((job) => job.new));
  await raw.gate(human.map((job) => rig.gateOf(job, 'AWAITING_APPROVAL')));
  await raw.approve(human.map((job) => rig.approveOf(job)));
  for (const { tenant, id } of human) await rig.driver.write(tenant, `ctx:${id}-r`, '1');
  const redacted = (job: Subject) => ({ redactedKey: `ctx:${job.id}-r`, lane: 'job.echo|d' });
  const asked = { decision: 'REQUIRE_HUMAN' };
  await raw.gate(human.map((job) => rig.gateOf(job, 'SCHEDULED', { ...asked, ...redacted(job) })));
  await raw.end(human.map((job) => rig.endOf(job, 'CANCELLED')));
}

describe('on the wire', () => {
  test('with one partition every step is one script, under the plain names of the keys', async () => {
    const rig = await createRig(stage.make, 1);
    const calls = await watch(() => everything(rig));
    const sent = calls.map(({ sent: [name = '', sub = ''] }) =>
      (name.toUpperCase() === 'SCRIPT' ? `SCRIPT ${sub}` : name).toUpperCase(),
    );
    // `SET res:` is the worker that speaks the bus alone, `SET ctx:` the kernel.
    const ours = sent.filter((_, i) => !/^(res|ctx):/.test(calls[i]?.sent[1] ?? ''));
    expect(new Set(ours)).toEqual(new Set(['EVALSHA', 'SCRIPT LOAD']));
    const keys = calls.flatMap(({ inner }) => inner.flatMap(keysOf));
    expect(keys.length).toBeGreaterThan(500);
    expect(keys.filter((key) => key.startsWith('{'))).toEqual([]);
    expect(calls.flatMap(({ inner }) => inner.map(([name = '']) => name.toUpperCase()))).not.toContain('KEYS');
  });

  test('with four partitions all keys of a script carry one tag; what is global is one key in its command', async () => {
    const rig = await createRig(stage.make, 4);
    const calls = await watch(() => everything(rig));
    const tags = new Set<string>();
    for (const { sent, inner } of calls) {
      const [name = '', ...args] = sent;
      if (
        name.toUpperCase() === 'SCRIPT' ||
        (name.toUpperCase() === 'SET' && /^\{0[0-3]\}(res|ctx):/.test(args[0] ?? ''))
      )
        continue;
      if (name.toUpperCase() === 'GET') {
        expect(args).toEqual([expect.stringMatching(/^where:/)]);
        continue;
      }
      expect(name.toUpperCase()).toBe('EVALSHA');
      const declared = args.slice(2, 2 + Number(args[1]));
      expect(declared).toHaveLength(1);
      const touched = new Set([...declared, ...inner.flatMap(keysOf)]);
      const tag = /^\{[0-9a-f]{2}\}/.exec(declared[0] ?? '')?.[0];
      if (tag === undefined) {
        expect(declared[0]).toMatch(/^(w|where):/);
        expect(touched.size).toBe(1);
      } else {
        tags.add(tag);
        expect(Array.from(touched).filter((key) => !key.startsWith(tag))).toEqual([]);
      }
    }
    expect(tags.size).toBe(4);
  });
});

describe('ids across partitions', () => {
  test('an id from outside that looks like a minted one is found where it is, whatever it names', async () => {
    const rig = await createRig(stage.make, 4);
    const home = rig.keys.ofTenant('t1');
    for (let named = 0; named < 6; named++) {
      const id = `01a2047b-b819-7a0e-b194-af9757ebd4${named.toString(16).padStart(2, '0')}`;
      const job = await rig.dispatched({ id, foreign: true });
      expect(await rig.store.view(id, undefined), `named ${named}, lives in ${home}`).toMatchObject({
        id,
        tenant: 't1',
      });
      expect(rig.one(await rig.store.commitForeign([rig.foreignOf(job, 'CANCELLED')]))).toMatchObject({
        outcome: 'committed',
      });
      expect(rig.one(await rig.store.end([rig.endOf(job, 'DENIED', { tenant: undefined })]))).toMatchObject({
        outcome: 'already',
      });
    }
  });

  test('an id from outside that is used again is found for as long as its last job is there', async () => {
    const rig = await createRig(stage.make, 4);
    const job = rig.newJob({ id: 'used-again', tenant: 'someone' });
    await rig.raw.create([job]);
    const life = await admin.pttl('where:used-again');
    // The record of the first job is gone, and the note is about to go.
    const p = rig.keys.prefix(rig.keys.ofTenant(job.tenant));
    for (const key of ['job:meta:', 'job:req:', 'job:events:', 'ctx:']) await admin.del(`${p}${key}used-again`);
    await admin.pexpire('where:used-again', 60_000);
    expect(await rig.raw.create([job])).toMatchObject([{ outcome: 'created' }]);
    expect(await admin.pttl('where:used-again')).toBeGreaterThan(life - 60_000);
  });

  test('nobody else gets the id of a job, minted or not', async () => {
    const rig = await createRig(stage.make, 4);
    const elsewhere = ['a', 'b', 'c', 'd'].find((t) => rig.keys.ofTenant(t) !== rig.keys.ofTenant('t1')) ?? '';
    for (const id of [undefined, 'outside']) {
      const job = await rig.pending(id === undefined ? {} : { id });
      expect(await rig.store.create([{ ...job.new, tenant: elsewhere, digest: 'x' }])).toEqual([
        { outcome: 'conflict' },
      ]);
      expect(await rig.store.create([job.new])).toMatchObject([{ outcome: 'existing' }]);
    }
  });
});

describe('time and memory of the server', () => {
  test('without a clock of the test the server tells the time', async () => {
    const rig = await createRig(
      (options) => stage.make({ ...options, now: () => 0 }), // 0: ask the server
      1,
    );
    const before = Date.now() - 1000;
    const job = await rig.running();
    const fence = Number(job.handOut?.fence);
    expect(fence).toBeGreaterThan(before);
    expect(fence).toBeLessThan(Date.now() + 1000);
    expect((await rig.view(job)).createdAt).toBeGreaterThan(before);
    // Leases run out by themselves.
    const short = await rig.scheduled();
    await rig.registered(short);
    await rig.claim(short, { acceptMs: 5 });
    await until(async () => (await rig.raw.accept([{ ...rig.acceptOf(short), leaseMs: 5 }]))[0]?.outcome === 'stale');
  });

  test('a hand-out that Redis forgot is void: the next one has another fence or at least another attempt id', async () => {
    const rig = await createRig(stage.make, 1);
    const job = await rig.scheduled();
    await rig.registered(job);
    // The log is torn right before the hand-out.
    const keys = await admin.keys('*');
    const saved = await Promise.all(
      keys.map(async (key) => ({ key, ttl: await admin.pttl(key), value: await admin.dumpBuffer(key) })),
    );
    await rig.claim(job);
    const forgotten = { ...job };
    await rig.accept(job);
    await admin.flushall();
    for (const { key, ttl, value } of saved) await admin.restore(key, Math.max(0, ttl), value);
    expect(await rig.stateOf(job)).toBe('SCHEDULED');
    await rig.claim(job); // in the same millisecond
    expect(job.handOut?.attempt).not.toBe(forgotten.handOut?.attempt);
    await rig.accept(job);
    expect(await rig.store.commit([rig.commitOf(forgotten)])).toMatchObject([{ outcome: 'stale', reason: 'lost' }]);
    expect(await rig.store.renew([{ ...worker(job), jobs: [rig.keyOf(forgotten)] }])).toMatchObject([
      { jobs: ['lost'] },
    ]);
    expect(await rig.store.commit([rig.commitOf(job)])).toMatchObject([{ outcome: 'committed' }]);
  });

  test('slots of a worker that never comes back are not kept for ever', async () => {
    const rig = await createRig(stage.make, 1);
    const job = await rig.running();
    const key = `slots:${job.worker}`;
    await rig.raw.end([rig.endOf(job, 'CANCELLED')]);
    expect(await admin.pttl(key)).toBeGreaterThan(24 * 3600_000);
    // A live worker's are kept on.
    const live = await rig.running();
    await rig.raw.renew([{ ...worker(live), jobs: [rig.keyOf(live)] }]);
    expect(await admin.pttl(`slots:${live.worker}`)).toBeGreaterThan(24 * 3600_000);
  });

  test('what waits is read in part when it waits in very many lanes, and each comes to light in its turn', async () => {
    const rig = await createRig(stage.make, 1);
    const [lanes, seen] = [2 * mostDepths, new Set<string>()];
    await stage.redis().run(script('grow', `for i=1,${lanes} do redis.call('HSET','qn','p '..i,7) end`), [], []);
    for (let i = 0; i < 200 && seen.size < lanes; i++) {
      const depths = await rig.raw.depths();
      expect(depths.length).toBe(mostDepths);
      expect(depths[0]).toMatchObject({ pool: 'p', waiting: 7 });
      for (const { lane } of depths) seen.add(lane);
    }
    expect(seen.size).toBe(lanes);
  });

  test('a stream lives on with its news, however seldom they come', async () => {
    const rig = await createRig(stage.make, 1);
    const job = await rig.pending();
    expect(await admin.pttl('ev:t1')).toBeGreaterThan(13 * 24 * 3600_000);
    await admin.del('ev:t1');
    await admin.xadd('ev:t1', `${Date.now() - 3600_000}-0`, 'job', 'before');
    await admin.pexpire('ev:t1', 60_000);
    for (let ms = 0; ms < 2; ms++) {
      rig.advance(1); // at no special time
      await rig.raw.create([rig.newJob()]);
      await rig.raw.end([rig.endOf(job, 'CANCELLED')]);
    }
    expect(await admin.pttl('ev:t1')).toBeGreaterThan(13 * 24 * 3600_000);
  });

  test('a trace and the list of a tenant stay bounded', async () => {
    const rig = await createRig(stage.make, 1);
    await stage
      .redis()
      .run(
        script('grow', `for i=1,10050 do redis.call('SADD','trace:always',i) end redis.call('ZADD','jobs:t1',1,'old')`),
        [],
        [],
      );
    for (let i = 0; i < 16; i++) {
      rig.advance(1);
      await rig.raw.create([rig.newJob({ traceId: 'always' })]);
    }
    expect(await admin.scard('trace:always')).toBeLessThanOrEqual(10_016);
    expect(await admin.zscore('jobs:t1', 'old')).toBeNull();
  });

  test('one call takes a bounded number out of them, however many are too old', async () => {
    const rig = await createRig(stage.make, 1);
    const many = 3 * mostSwept;
    const grow = `for i=1,${many} do redis.call('ZADD','jobs:t1',i,'old'..i) redis.call('SADD','trace:always',i) end`;
    await stage.redis().run(script('grow', grow), [], []);
    let [listed, traced] = [many, many];
    for (let i = 0; i < 64; i++) {
      rig.advance(1);
      await rig.raw.create([rig.newJob({ traceId: 'always' })]);
      const now = [await admin.zcard('jobs:t1'), await admin.scard('trace:always')] as const;
      expect(listed - now[0]).toBeLessThanOrEqual(mostSwept);
      expect(traced - now[1]).toBeLessThanOrEqual(mostSwept);
      [listed, traced] = now;
    }
    expect(await admin.zcount('jobs:t1', '-inf', many)).toBe(0);
    expect(traced).toBeLessThanOrEqual(10_064);
  });
});

const worker = (job: Subject) => ({
  ...{ worker: job.worker, instance: job.instance, pool: job.pool, capacity: 1, leaseMs: 4000, aliveMs: 600_000 },
});
