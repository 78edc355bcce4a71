// Reading: each tenant its own, pages that neither skip nor repeat, transitions and events that tell the same story.
import { describe, expect, test } from 'vitest';
import type { JobState } from '#core/jobs/state.ts';
import type { PageQuery } from '#core/jobs/store.ts';
import type { Rig, Spec, Subject } from './rig.ts';

const query = (more: Partial<PageQuery> = {}): PageQuery => ({
  ...{ tenant: 't1', limit: 50, cursor: undefined, state: undefined, topic: undefined, traceId: undefined },
  ...{ updatedAfter: undefined, updatedBefore: undefined, ...more },
});

/** All pages after one another. */
async function pages(rig: Rig, more: Partial<PageQuery> = {}): Promise<string[][]> {
  const out: string[][] = [];
  for (let cursor: string | undefined; out.length < 1000; ) {
    const page = await rig.raw.page(query({ ...more, cursor }));
    out.push(page.jobs.map(({ id }) => id));
    cursor = page.nextCursor;
    if (cursor === undefined) return out;
  }
  throw new Error('pages without end');
}

async function many(rig: Rig, specs: readonly Spec[], stepMs: (i: number) => number): Promise<Subject[]> {
  const jobs: Subject[] = [];
  for (const [i, spec] of specs.entries()) {
    const job = rig.subject(spec);
    await rig.raw.create([job.new]);
    jobs.push(job);
    rig.advance(stepMs(i));
  }
  return jobs;
}

export function reading(open: () => Promise<Rig>): void {
  describe('a page', () => {
    test('follows a page, newest first, over jobs of the same millisecond, and none is skipped or shown twice', async () => {
      const rig = await open();
      // 250 jobs, in runs of one to forty in the same millisecond.
      const jobs = await many(
        rig,
        Array.from({ length: 250 }, () => ({})),
        (i) => (i % 41 === 0 || i > 200 ? 1 : 0),
      );
      const bySlot = new Map(jobs.map((job) => [job.id, job.new]));
      for (const limit of [1, 7, 50, 100, 250, 1000]) {
        const got = await pages(rig, { limit });
        expect(got.slice(0, -1).every((page) => page.length === limit)).toBe(true);
        const ids = got.flat();
        expect(ids).toHaveLength(250);
        expect(new Set(ids).size).toBe(250);
        const times = await Promise.all(
          ids.slice(0, 60).map(async (id) => (await rig.raw.view(id, 't1'))?.createdAt ?? 0),
        );
        expect(times).toEqual(times.toSorted((a, b) => b - a));
        expect(ids.every((id) => bySlot.has(id))).toBe(true);
        if (limit === 1) continue;
        expect(got.at(-1)?.length).toBeGreaterThan(0);
      }
    });

    test('goes on behind new jobs, and behind a cursor whose job is no longer listed', async () => {
      const rig = await open();
      await many(
        rig,
        Array.from({ length: 30 }, () => ({})),
        (i) => (i % 10 === 9 ? 1 : 0),
      );
      const all = (await pages(rig, { limit: 100 })).flat();
      const first = await rig.store.page(query({ limit: 5 }));
      await many(rig, [{}, {}], () => 1);
      const second = await rig.store.page(query({ limit: 5, cursor: first.nextCursor }));
      expect(second.jobs.map(({ id }) => id)).toEqual(all.slice(5, 10));
      const gone = first.jobs.at(-1)?.id ?? '';
      await rig.driver.unlist('t1', gone);
      const after = await rig.raw.page(query({ limit: 5, cursor: first.nextCursor }));
      expect(after.jobs.map(({ id }) => id)).toEqual(all.slice(5, 10));
    });

    test('holds what was asked for: state, topic, trace, time', async () => {
      const rig = await open();
      const states: JobState[] = ['PENDING', 'SCHEDULED', 'SUCCEEDED', 'CANCELLED'];
      const jobs: { job: Subject; state: JobState; at: number }[] = [];
      for (let i = 0; i < 24; i++) {
        const state = states[i % 4] ?? 'PENDING';
        const spec = { topic: `job.${i % 3}`, traceId: `trace${i % 2}`, tenant: 't1' };
        jobs.push({ job: await rig.in(state, spec), state, at: Math.floor(rig.now() / 1000) });
        rig.advance(1000);
      }
      const ask = async (more: Partial<PageQuery>): Promise<string[]> =>
        (await pages(rig, { limit: 5, ...more })).flat();
      const want = (keep: (one: (typeof jobs)[number]) => boolean): string[] =>
        jobs
          .filter(keep)
          .map(({ job }) => job.id)
          .toReversed();
      expect(await ask({ state: 'SUCCEEDED' })).toEqual(want(({ state }) => state === 'SUCCEEDED'));
      expect(await ask({ topic: 'job.1' })).toEqual(want(({ job }) => job.new.topic === 'job.1'));
      expect(await ask({ traceId: 'trace1' })).toEqual(want(({ job }) => job.new.traceId === 'trace1'));
      const [from, to] = [jobs[5]?.at ?? 0, jobs[11]?.at ?? 0];
      expect(await ask({ updatedAfter: from, updatedBefore: to })).toEqual(want(({ at }) => at >= from && at <= to));
      expect(await ask({ state: 'PENDING', topic: 'job.0', traceId: 'trace0' })).toEqual(
        want(({ state, job }) => state === 'PENDING' && job.new.topic === 'job.0' && job.new.traceId === 'trace0'),
      );
      expect(await ask({ state: 'DENIED' })).toEqual([]);
    });

    test('is one tenant, also with the cursor of another; and a cursor that is none is refused', async () => {
      const rig = await open();
      await many(
        rig,
        Array.from({ length: 6 }, (_, i) => ({ tenant: `t${i % 2}` })),
        () => 1,
      );
      const mine = await rig.store.page(query({ tenant: 't0', limit: 1 }));
      const theirs = await rig.store.page(query({ tenant: 't1', limit: 10, cursor: mine.nextCursor }));
      expect(theirs.jobs.every(({ tenant }) => tenant === 't1')).toBe(true);
      expect(await rig.store.page(query({ tenant: 'nobody' }))).toEqual({ jobs: [], nextCursor: undefined });
      for (const cursor of ['', 'x', '1:', ':1', '1:a b', `${'9'.repeat(17)}:a`])
        await expect(rig.store.page(query({ cursor }))).rejects.toMatchObject({
          code: 'invalid_argument',
          field: 'cursor',
        });
    });
  });

  describe('one job', () => {
    test('is seen by its tenant alone', async () => {
      const rig = await open();
      const job = await rig.in('SUCCEEDED');
      for (const tenant of ['t2', '', 'somebody']) {
        expect(await rig.store.view(job.id, tenant)).toBeUndefined();
        expect(await rig.store.transitions(job.id, tenant)).toBeUndefined();
        expect(await rig.store.result(job.id, tenant)).toBeUndefined();
        expect(await rig.store.look([{ id: job.id, tenant }])).toEqual([undefined]);
      }
      expect(await rig.store.view(job.id, undefined)).toMatchObject({ id: job.id, state: 'SUCCEEDED' });
      expect(await rig.store.result(job.id, 't1')).toBe('{"response":"ho"}');
      expect(await rig.store.view('unknown', 't1')).toBeUndefined();
      expect(await rig.store.transitions('unknown', 't1')).toBeUndefined();
      expect(await rig.store.result('unknown', 't1')).toBeUndefined();
      expect(await rig.store.result((await rig.running()).id, 't1')).toBeNull();
    });

    test('is looked at with its result, many in one call, each of its own tenant', async () => {
      const rig = await open();
      const jobs: Subject[] = [];
      for (const [i, state] of (['SUCCEEDED', 'RUNNING', 'FAILED', 'PENDING', 'SUCCEEDED', 'none'] as const).entries())
        jobs.push(await rig.in(state, { tenant: `t${i % 3}` }));
      const strange = { id: jobs[0]?.id ?? '', tenant: 't1' };
      const seen = await rig.store.look([...jobs, strange]);
      expect(seen.map((one) => one?.job.state)).toEqual([
        ...['SUCCEEDED', 'RUNNING', 'FAILED', 'PENDING', 'SUCCEEDED', undefined, undefined],
      ]);
      const text = '{"response":"ho"}';
      expect(seen.map((one) => one?.result)).toEqual([text, null, null, null, text, undefined, undefined]);
      for (const [i, { id, tenant }] of jobs.entries()) expect(seen[i]?.job).toEqual(await rig.raw.view(id, tenant));
      expect(await rig.store.look([])).toEqual([]);
    });

    test('has its whole result, however much the results of one call are together', async () => {
      const rig = await open();
      const lengths = [10, 900_000, 2_000_000, 10, 900_000, 2_000_000, 0];
      const keys = [];
      for (const [i, length] of lengths.entries()) {
        const job = await rig.running({ tenant: `t${i % 2}` });
        const result = length === 0 ? undefined : JSON.stringify(`${i}`.repeat(length));
        await rig.raw.commit([rig.commitOf(job, 'SUCCEEDED', { result })]);
        keys.push(rig.keyOf(job));
      }
      const seen = await rig.raw.look(keys);
      expect(seen.map((one) => one?.job.id)).toEqual(keys.map(({ id }) => id));
      expect(seen.map((one) => one?.result?.length ?? 0)).toEqual(lengths.map((n) => (n === 0 ? 0 : n + 2)));
      for (const [i, one] of seen.entries()) if (lengths[i] !== 0) expect(one?.result?.[1]).toBe(`${i}`);
    });

    test('tells its way, in unix seconds, transitions only', async () => {
      const rig = await open();
      const job = await rig.pending();
      await rig.store.gate([rig.gateOf(job, 'PENDING')]);
      rig.advance(1500);
      await rig.schedule(job);
      await rig.registered(job);
      rig.advance(600);
      await rig.claim(job);
      await rig.accept(job);
      await rig.store.progress([{ ...rig.keyOf(job), percent: 1, message: '' }]);
      await rig.store.commit([rig.commitOf(job)]);
      expect(await rig.store.transitions(job.id, 't1')).toEqual([
        '1800000000|PENDING',
        '1800000001|SCHEDULED',
        '1800000002|DISPATCHED',
        '1800000002|RUNNING',
        '1800000002|SUCCEEDED',
      ]);
    });

    test('that goes round and round does not grow for ever', async () => {
      const rig = await open();
      const job = await rig.dispatched();
      for (let i = 0; i < 520; i++) {
        await rig.raw.requeue([rig.requeueOf(job, 'DISPATCHED', 'unaccepted')]);
        await rig.claim(job);
      }
      const path = await rig.raw.transitions(job.id, 't1');
      expect(path).toHaveLength(1000);
      expect(path?.at(-1)).toContain('|DISPATCHED');
    });
  });

  describe('a trace', () => {
    test('holds the jobs of its tenant, oldest first', async () => {
      const rig = await open();
      const specs = Array.from({ length: 9 }, (_, i) => ({ traceId: 'shared', tenant: `t${i % 3}` }));
      const jobs = await many(rig, specs, () => 1);
      for (const tenant of ['t0', 't1', 't2']) {
        const own = jobs.filter((job) => job.tenant === tenant).map(({ id }) => id);
        expect((await rig.store.trace('shared', tenant)).map(({ id }) => id)).toEqual(own);
      }
      expect(await rig.store.trace('shared', 'nobody')).toEqual([]);
      expect(await rig.store.trace('unknown', 't1')).toEqual([]);
    });
  });

  describe('events', () => {
    test('are told in order, each with the one before it, and can be read again from any of them', async () => {
      const rig = await open();
      const job = await rig.in('SUCCEEDED');
      const other = await rig.in('CANCELLED', { tenant: 't2' });
      const told = rig.events.filter(({ tenant }) => tenant === 't1');
      expect(told.map(({ state }) => state)).toEqual(['PENDING', 'SCHEDULED', 'DISPATCHED', 'RUNNING', 'SUCCEEDED']);
      expect(told.every(({ job: id, ts }) => id === job.id && ts === rig.now())).toBe(true);
      expect(told.map(({ fence }) => fence)).toEqual([
        '0',
        '0',
        ...Array.from({ length: 3 }, () => job.handOut?.fence),
      ]);
      for (const [i, { prev }] of told.entries()) expect(prev).toBe(told[i - 1]?.id ?? '');
      expect(await rig.store.events('t1', '', 100)).toEqual(told);
      expect(await rig.store.events('t1', told[1]?.id ?? '', 100)).toEqual(told.slice(2));
      expect(await rig.store.events('t1', told[1]?.id ?? '', 2)).toEqual(told.slice(2, 4));
      expect(await rig.store.events('t1', told[4]?.id ?? '', 100)).toEqual([]);
      expect((await rig.store.events('t2', '', 100)).every((event) => event.job === other.id)).toBe(true);
      expect(await rig.store.events('nobody', '', 100)).toEqual([]);
      await expect(rig.store.events('t1', 'nonsense', 10)).rejects.toMatchObject({
        code: 'invalid_argument',
        field: 'after',
      });
    });

    test('end where jobs are said to stand', async () => {
      const rig = await open();
      expect(await rig.store.standing('t1', [])).toEqual({ at: '', jobs: [] });
      const [running, ended] = [await rig.in('RUNNING'), await rig.in('SUCCEEDED')];
      const other = await rig.in('RUNNING', { tenant: 't2' });
      const last = rig.events.findLast(({ tenant }) => tenant === 't1')?.id;
      const both = { packet: true, path: true };
      const asked = [{ id: running.id, ...both }, { id: ended.id, ...both }, { id: other.id, ...both }, { id: 'none' }];
      const { at, jobs } = await rig.store.standing('t1', [...asked, { id: running.id }]);
      expect(at).toBe(last);
      expect(jobs[0]).toEqual({
        job: await rig.store.view(running.id, 't1'),
        packet: running.new.packet,
        path: await rig.store.transitions(running.id, 't1'),
      });
      expect(jobs[0]?.path).toHaveLength(4);
      expect(jobs[1]).toMatchObject({ job: { state: 'SUCCEEDED' }, packet: undefined });
      expect(jobs[1]?.path).toHaveLength(5);
      expect(jobs.slice(2, 4)).toEqual([undefined, undefined]);
      expect(jobs[4]).toMatchObject({ job: { state: 'RUNNING' }, packet: undefined, path: [] });
    });

    test('leave out a packet that is large', async () => {
      const rig = await open();
      const job = rig.newJob({ tenant: 't1' });
      await rig.store.create([{ ...job, packet: new Uint8Array(13_000) }]);
      const { jobs } = await rig.store.standing('t1', [{ id: job.id, packet: true }]);
      expect(jobs[0]).toMatchObject({ job: { state: 'PENDING' }, packet: undefined });
    });

    test('of one call about many jobs hang together', async () => {
      const rig = await open();
      const jobs = Array.from({ length: 20 }, (_, i) => rig.newJob({ tenant: `t${i % 2}` }));
      await rig.store.create(jobs);
      for (const tenant of ['t0', 't1']) {
        const told = rig.events.filter((event) => event.tenant === tenant);
        expect(told).toHaveLength(10);
        for (const [i, { prev }] of told.entries()) expect(prev).toBe(told[i - 1]?.id ?? '');
        expect(await rig.store.events(tenant, '', 100)).toEqual(told);
      }
    });
  });
}
