// What a client of the bus, or bad luck, might try with ids, pointers and records: on Redis, since that is where keys are real.
import { Redis as Client } from 'ioredis';
import { expect, test } from 'vitest';
import { overdue } from '#core/scheduling/overdue.ts';
import { parseTimeouts } from '#core/scheduling/timeouts.ts';
import { script } from '#core/redis/redis.ts';
import { redisStage } from '../helpers/redis-job-store.ts';
import { createRig, type Rig, type Subject } from './job-store/rig.ts';

const stage = redisStage();
const open = (partitions = 1): Promise<Rig> => createRig(stage.make, partitions);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test('an id that looks like the sealed key of another job does not read its result', async () => {
  const rig = await open();
  const victim = await rig.dispatched({ id: 'V', tenant: 'victim', foreign: true });
  const evil = await rig.running({ id: `V-sealed-${victim.handOut?.fence}`, tenant: 'evil' });
  await rig.raw.commit([rig.commitOf(evil)]);
  await rig.driver.write('victim', 'res:V', '{"secret":2}');
  await rig.raw.commitForeign([rig.foreignOf(victim)]);
  expect(await rig.raw.result('V', 'victim')).toBe('{"secret":2}');
  expect(await rig.raw.result(evil.id, 'evil')).not.toBe('{"secret":2}');
});

test('an id that looks like the artifact of another job keeps that artifact from being written, and never reads or replaces it', async () => {
  const rig = await open();
  const victim = await rig.running({ id: 'V', tenant: 'victim' });
  const id = `V-repo-archive-${victim.handOut?.fence}`;
  const evil = await rig.running({ id, tenant: 'evil' });
  const artifact = { ...rig.keyOf(victim), name: 'repo-archive', bytes: bytes('archive') };
  expect(await rig.raw.artifact(artifact)).toBeUndefined();
  await rig.raw.commit([rig.commitOf(evil, 'SUCCEEDED', { result: '"evil"' })]);
  expect(await rig.raw.result(id, 'evil')).toBe('"evil"');
  // The other order: the artifact is there first, so the id is taken.
  const other = await rig.running({ id: 'W', tenant: 'victim' });
  const key = await rig.raw.artifact({ ...rig.keyOf(other), name: 'repo-archive', bytes: bytes('archive') });
  const late = rig.newJob({ id: key?.slice('res:'.length) ?? '', tenant: 'evil' });
  expect(await rig.raw.create([late])).toEqual([{ outcome: 'conflict' }]);
});

test('a pointer with blanks in it sets no end on other keys', async () => {
  const rig = await open();
  const live = await rig.running({ id: 'live', tenant: 'victim' });
  const evil = await rig.dispatched({ id: 'evil', tenant: 'evil', foreign: true, payload: null });
  const artifactKeys = ['res:evil-x due job:meta:live ctx:live config:policy'];
  await rig.raw.commitForeign([rig.foreignOf(evil, 'SUCCEEDED', { resultKey: '', artifactKeys })]);
  const ends = script(
    'ends',
    `return {redis.call('PTTL','due'),redis.call('PTTL','job:meta:live'),redis.call('PTTL','ctx:live')}`,
  );
  expect(await stage.redis().run(ends, [], [])).toEqual([-1, -1, -1]);
  expect(await rig.stateOf(live)).toBe('RUNNING');
});

test('on a cluster an id from outside is one job, also when it looks like one of ours', async () => {
  const rig = await open(4);
  const tenants = Array.from({ length: 50 }, (_, i) => `t${i}`);
  const of = (p: number): string => tenants.find((tenant) => rig.keys.ofTenant(tenant) === p) ?? '';
  const id = '01890000-0000-7000-8000-000000000002';
  const [first] = await rig.raw.create([rig.newJob({ id, tenant: of(1), digest: 'a' })]);
  const [second] = await rig.raw.create([rig.newJob({ id, tenant: of(2), digest: 'b' })]);
  expect([first?.outcome, second?.outcome]).toEqual(['created', 'conflict']);
});

test('a packet that cannot be read takes no other job down, neither when due nor when claimed', async () => {
  const rig = await open();
  const bad = await rig.pending({ id: 'bad' });
  const good = await rig.pending({ id: 'good' });
  await rig.driver.write(bad.tenant, 'job:req:bad', '*** not base64 ***');
  rig.advance(2_000);
  expect((await rig.raw.due(10, 1_000)).jobs.map((job) => job.id).toSorted()).toEqual(['bad', good.id]);
  const torn = await rig.scheduled({ id: 'torn', pool: 'p', topic: 'job.x' });
  const whole = await rig.scheduled({ id: 'whole', pool: 'p', topic: 'job.x' });
  await rig.registered(torn, 5);
  await rig.driver.write(torn.tenant, 'job:req:torn', '*** not base64 ***');
  const [claimed] = await rig.raw.claim([rig.claimOf(torn, { n: 5 })]);
  expect(claimed?.jobs.map((job) => job.id)).toContain(whole.id);
});

test('one answer carries a bounded number of bytes, and says that there is more', async () => {
  const rig = await open();
  const packet = new Uint8Array(400_000);
  await rig.raw.create(Array.from({ length: 8 }, (_, i) => ({ ...rig.newJob({ id: `large-${i}` }), packet })));
  rig.advance(2_000);
  const seen = new Set<string>();
  let calls = 0;
  for (let more = true; more; calls++) {
    const due = await rig.raw.due(100, 60_000);
    expect(due.jobs.length).toBeLessThanOrEqual(3);
    for (const job of due.jobs) seen.add(job.id);
    ({ more } = due);
  }
  expect(seen.size).toBe(8);
  expect(calls).toBeGreaterThan(2);
});

test('a job that waited ten minutes for a worker is not timed out by a hand-out long ago', async () => {
  const rig = await open();
  const parsed = parseTimeouts({ reconciler: { dispatch_timeout_seconds: 120 } });
  if (!parsed.ok) throw new Error(parsed.error.join());
  const job = await rig.dispatched();
  rig.advance(2_000);
  await rig.raw.requeue([rig.requeueOf(job, 'DISPATCHED', 'unaccepted')]);
  rig.advance(600_000);
  await rig.registered(job);
  await rig.claim(job);
  rig.advance(2_001);
  const due = await rig.raw.due(10, 1_000);
  const mine = due.jobs.find(({ id }) => id === job.id);
  expect(mine && overdue(mine, due.now, parsed.value)).toMatchObject({ do: 'requeue', why: 'unaccepted' });
});

test('another tenant cannot push a job out of a trace by filling it', async () => {
  const rig = await open();
  const mine = await rig.pending({ id: 'mine', tenant: 'victim', traceId: 'shared' });
  const many = Array.from({ length: 3_000 }, (_, i) =>
    rig.newJob({ id: `e${i}`, tenant: 'evil', traceId: 'shared', payload: null }),
  );
  for (let i = 0; i < many.length; i += 500) await rig.raw.create(many.slice(i, i + 500));
  expect((await rig.raw.trace('shared', 'victim')).map((job) => job.id)).toEqual([mine.id]);
  expect((await rig.raw.trace('shared', 'evil')).length).toBeGreaterThan(500);
});

test('a worker of ours without a process gets nothing', async () => {
  const rig = await open();
  const job = await rig.scheduled();
  const claim = rig.claimOf(job, { worker: 'nobody', instance: '', acceptMs: 2_000, capacity: 1_000 });
  expect((await rig.raw.claim([claim]))[0]).toMatchObject({ outcome: 'gone', jobs: [] });
});

test('payloads and results of control characters are carried as they are: no more bytes than they have, and none in place of another', async () => {
  const rig = await open();
  const text = (i: number): string => (i % 3 === 0 ? `{"text":${i}}` : '\u0001'.repeat(i * 100_000) + i);
  const jobs: Subject[] = [];
  for (let i = 0; i < 6; i++) jobs.push(await rig.dispatched({ payload: text(i), tenant: `t${i % 2}` }));
  const admin = new Client(stage.server().port);
  try {
    const sent = async (): Promise<number> =>
      Number(/total_net_output_bytes:(\d+)/.exec(await admin.info('stats'))?.[1] ?? 'none');
    const before = await sent();
    const accepted = await rig.raw.accept(jobs.map(rig.acceptOf));
    expect(accepted.map((answer) => (answer.outcome === 'run' ? answer.payload : answer.outcome))).toEqual(
      jobs.map((_, i) => text(i)),
    );
    for (const [i, job] of jobs.entries()) await rig.raw.commit([rig.commitOf(job, 'SUCCEEDED', { result: text(i) })]);
    expect((await rig.raw.look(jobs.map(rig.keyOf))).map((seen) => seen?.result)).toEqual(jobs.map((_, i) => text(i)));
    const carried = 2 * jobs.reduce((sum, _, i) => sum + text(i).length, 0);
    expect((await sent()) - before).toBeLessThan(carried + 50_000);
  } finally {
    admin.disconnect();
  }
});

test.each([
  ['large packets', 24, 300_000],
  ['many jobs judged under an older policy', 2_600, 10],
])('%s do not make the answer to many claims of one call grow with the claims', async (_, many, size) => {
  const rig = await open();
  const workers = Array.from({ length: 40 }, (__, i) => ({ worker: `w${i}`, instance: 'i', pool: 'p', capacity: 1 }));
  for (const worker of workers) await rig.raw.register({ ...worker, aliveMs: 3_600_000 });
  const jobs = Array.from({ length: many }, () => rig.subject({ pool: 'p' }));
  const packet = new Uint8Array(size);
  for (let i = 0; i < many; i += 100) {
    await rig.raw.create(jobs.slice(i, i + 100).map((job) => ({ ...job.new, packet })));
    await rig.raw.gate(jobs.slice(i, i + 100).map((job) => rig.gateOf(job)));
  }
  const newer = { sequence: 2, hash: 'h2' };
  const claims = workers.map((worker) => ({ ...worker, n: 1, lanes: ['job.echo'], acceptMs: 2000, policy: newer }));
  const back: string[] = [];
  for (let more = true; more; ) {
    const answers = await rig.raw.claim(claims);
    const regate = answers.flatMap((answer) => answer.regate);
    // One claim's share beyond: it stops where the answer is full, and looks at no more than 65.
    expect(regate.length).toBeLessThanOrEqual(1_000 + 65);
    expect(regate.length * size).toBeLessThanOrEqual(1_000_000);
    // The first is always served, so that whoever asks again gets on.
    expect(answers[0]).toMatchObject({ outcome: 'ok', used: 0, capacity: 1 });
    for (const answer of answers) if (answer.outcome === 'later') expect(answer.regate).toEqual([]);
    back.push(...regate.map(({ id }) => id));
    more = regate.length > 0;
    if (back.length < many) expect(answers.map(({ outcome }) => outcome)).toContain('later');
  }
  expect(back.toSorted()).toEqual(jobs.map(({ id }) => id).toSorted());
  // With nothing to carry, each is asked.
  expect(new Set((await rig.raw.claim(claims)).map(({ outcome }) => outcome))).toEqual(new Set(['ok']));
});

test('a trace id that looks like the key of another tenant hides none of its jobs', async () => {
  const rig = await open();
  const evil = (traceId: string) => rig.newJob({ tenant: 'evil', traceId });
  await rig.raw.create([evil('T'), ...Array.from({ length: 2_000 }, () => evil('T:victim'))]);
  const job = await rig.pending({ tenant: 'victim', traceId: 'T' });
  for (let i = 0; i < 20; i++) expect((await rig.raw.trace('T', 'victim')).map(({ id }) => id)).toEqual([job.id]);
  expect((await rig.raw.trace('T:victim', 'evil')).length).toBe(1_000);
});
