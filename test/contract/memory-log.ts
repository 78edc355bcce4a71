// The contract of memories: each driver must pass, on the store whose records it looks at.
import { beforeEach, describe, expect, test } from 'vitest';
import type { AppendSaid, MemoryLimits, MemoryLog } from '#core/context/memory/log.ts';
import { long } from '../helpers/long.ts';
import { createRandom } from '../helpers/random.ts';
import { createRig, type MakeStore, type Rig, type StoreDriver, type Subject } from './job-store/rig.ts';

export type MakeLog = (
  driver: StoreDriver,
  partitions: number,
  now: () => number,
  limits?: Partial<MemoryLimits>,
) => MemoryLog;

/** Runs the contract. */
export function testMemoryLog(name: string, make: MakeStore, makeLog: MakeLog, partitions: number): void {
  describe(`memories: ${name}, ${partitions} partitions`, () => {
    let rig: Rig;
    let log: MemoryLog;
    beforeEach(async () => {
      rig = await createRig(make, partitions);
      log = makeLog(rig.driver, partitions, rig.now);
    });
    const m1 = { tenant: 't1', memory: 'session:a/b#c' };
    const append = (content: string, more: Partial<AppendSaid> = {}) =>
      log.append({ ...m1, said: [{ role: 'user', content }], key: '', job: '', ...more });
    const read = async (name: { tenant: string; memory: string } = m1, from = 0) => log.read({ ...name, from });
    const contents = async (...args: Parameters<typeof read>): Promise<string[]> =>
      (await read(...args)).entries.map(({ content }) => content);
    const holdOf = (job: Subject) => ({ fence: job.handOut?.fence ?? '', attempt: job.handOut?.attempt ?? '' });

    test('keeps what was said, in order, with time and job', async () => {
      expect(await read()).toEqual({ epoch: '', first: 0, entries: [], more: false, bound: undefined });
      const odd = 'ü \u0000 "\\" </x> 😀 \n';
      await log.append({
        ...m1,
        said: [
          { role: 'user', content: odd },
          { role: 'assistant', content: '' },
        ],
        key: 'k',
        job: 'j1',
      });
      await append('more', { said: [{ role: 'fact', content: 'a fact' }] });
      const page = await read();
      const ts = Math.floor(rig.now() / 1_000);
      expect(page.entries).toEqual([
        { number: 0, role: 'user', content: odd, ts, job: 'j1' },
        { number: 1, role: 'assistant', content: '', ts, job: 'j1' },
        { number: 2, role: 'fact', content: 'a fact', ts, job: '' },
      ]);
      expect(page.epoch).not.toBe('');
      expect((await read(m1, 2)).entries.map(({ number }) => number)).toEqual([2]);
      expect((await read(m1, 3)).entries).toEqual([]);
    });

    test('takes a key once', async () => {
      expect(await append('one', { key: 'k' })).toBe('ok');
      expect(await append('two', { key: 'k' })).toBe('known');
      expect(await append('three', { key: 'k', memory: 'other' })).toBe('ok');
      expect(await append('four', { key: 'k', tenant: 't2' })).toBe('ok');
      expect(await contents()).toEqual(['one']);
    });

    test('lets the oldest go beyond its bounds, and numbers go on', async () => {
      const small = makeLog(rig.driver, partitions, rig.now, { entries: 3 });
      for (let i = 0; i < 8; i++)
        await small.append({ ...m1, said: [{ role: 'user', content: `e${i}` }], key: `k${i}`, job: '' });
      const page = await small.read({ ...m1, from: 0 });
      expect(page.entries.map(({ number, content }) => [number, content])).toEqual([
        [5, 'e5'],
        [6, 'e6'],
        [7, 'e7'],
      ]);
      expect(page.first).toBe(5);
      // A key is known as long as what came with it is there.
      expect(await small.append({ ...m1, said: [{ role: 'user', content: 'x' }], key: 'k7', job: '' })).toBe('known');
      expect(await small.append({ ...m1, said: [{ role: 'user', content: 'x' }], key: 'k1', job: '' })).toBe('ok');
    });

    test('is bounded in bytes, and keeps the last entry however large it is', async () => {
      const small = makeLog(rig.driver, partitions, rig.now, { bytes: 1_000 });
      const say = (content: string) => small.append({ ...m1, said: [{ role: 'user', content }], key: '', job: '' });
      for (let i = 0; i < 20; i++) await say(`${i} ${'x'.repeat(100)}`);
      const kept = (await small.read({ ...m1, from: 0 })).entries.length;
      expect(kept).toBeGreaterThan(3);
      expect(kept).toBeLessThan(9);
      await say('y'.repeat(5_000));
      expect((await small.read({ ...m1, from: 0 })).entries.map(({ content }) => content.length)).toEqual([5_000]);
    });

    test('lets the memories go that were not written for longest', async () => {
      const small = makeLog(rig.driver, partitions, rig.now, { memories: 3 });
      const say = async (tenant: string, memory: string) => {
        rig.advance(10);
        await small.append({ tenant, memory, said: [{ role: 'user', content: memory }], key: '', job: '' });
      };
      for (const memory of ['a', 'b', 'c']) await say('t1', memory);
      await say('t2', 'z');
      await say('t1', 'a');
      await say('t1', 'd');
      expect((await small.list({ tenant: 't1', limit: 10 })).map(({ memory }) => memory)).toEqual(['d', 'a', 'c']);
      expect((await small.list({ tenant: 't1', limit: 2 })).map(({ memory }) => memory)).toEqual(['d', 'a']);
      expect((await small.read({ tenant: 't1', memory: 'b', from: 0 })).entries).toEqual([]);
      expect((await small.list({ tenant: 't2', limit: 10 })).map(({ memory }) => memory)).toEqual(['z']);
    });

    test('forgets, and begins anew with another epoch', async () => {
      await append('one', { key: 'k' });
      await log.bind({ ...m1, repository: 'r', commit: 'c', job: '' });
      const { epoch } = await read();
      expect(await log.forget(m1)).toBe(true);
      expect(await log.forget(m1)).toBe(false);
      expect(await read()).toEqual({ epoch: '', first: 0, entries: [], more: false, bound: undefined });
      expect(await log.list({ tenant: 't1', limit: 10 })).toEqual([]);
      expect(await append('two', { key: 'k' })).toBe('ok');
      const again = await read();
      expect(again.entries.map(({ number, content }) => [number, content])).toEqual([[0, 'two']]);
      expect(again.epoch).not.toBe(epoch);
    });

    test('speaks of one commit of one repository, and of another one later', async () => {
      expect(await log.bind({ ...m1, repository: 'https://x/y', commit: 'c1', job: '' })).toBe('ok');
      expect((await read()).bound).toEqual({ repository: 'https://x/y', commit: 'c1' });
      await append('one');
      await log.bind({ ...m1, repository: 'https://x/y', commit: 'c2', job: '' });
      expect((await read()).bound).toEqual({ repository: 'https://x/y', commit: 'c2' });
      expect((await read({ ...m1, tenant: 't2' })).bound).toBeUndefined();
    });

    test('heeds the fence where one is given', async () => {
      const job = await rig.running({ tenant: 't1' });
      const hold = holdOf(job);
      const bad = [
        { hold: { ...hold, fence: '1' } },
        { hold: { ...hold, attempt: 'x' } },
        { hold, job: 'another' },
        { hold, tenant: 't2' },
      ];
      for (const more of bad) expect(await append('no', { job: job.id, ...more })).toBe('stale');
      const bound = { ...m1, repository: 'r', commit: 'c', job: job.id };
      expect(await log.bind({ ...bound, hold: { ...hold, fence: '1' } })).toBe('stale');
      expect(await read()).toMatchObject({ entries: [], bound: undefined });
      expect(await append('yes', { job: job.id, hold })).toBe('ok');
      expect(await log.bind({ ...bound, hold })).toBe('ok');
      await rig.raw.end([rig.endOf(job, 'CANCELLED')]);
      expect(await append('late', { job: job.id, hold })).toBe('stale');
      expect(await contents()).toEqual(['yes']);
    });

    test('a committed job is remembered once; one that failed, was cancelled or comes again is not', async () => {
      const remember = {
        memory: m1.memory,
        said: [
          { role: 'user' as const, content: 'what?' },
          { role: 'assistant' as const, content: 'that' },
        ],
      };
      const good = await rig.running({ tenant: 't1' });
      // Half of a pair of surrogates is in many a cut text.
      const torn = { role: 'user' as const, content: 'half \ud83d and half \ude00' };
      const commit = { ...rig.commitOf(good, 'SUCCEEDED'), remember: { ...remember, said: [...remember.said, torn] } };
      expect((await rig.raw.commit([commit, commit])).map(({ outcome }) => outcome)).toEqual([
        'committed',
        'committed',
      ]);
      const failed = await rig.running({ tenant: 't1' });
      await rig.raw.commit([{ ...rig.commitOf(failed, 'FAILED'), remember }]);
      const cancelled = await rig.running({ tenant: 't1' });
      await rig.raw.end([rig.endOf(cancelled, 'CANCELLED')]);
      expect((await rig.raw.commit([{ ...rig.commitOf(cancelled, 'SUCCEEDED'), remember }]))[0]?.outcome).toBe('stale');
      const { entries } = await read();
      expect(entries.map(({ role, content, job }) => [role, content, job])).toEqual([
        ['user', 'what?', good.id],
        ['assistant', 'that', good.id],
        ['user', 'half \ufffd and half \ufffd', good.id],
      ]);
    });

    test('random reads of other tenants and odd names find nothing foreign', { timeout: 600_000 }, async () => {
      const random = createRandom(7);
      const tenants = ['t1', 't2', 't.1', 'T1'];
      const memories = ['a', 'a:events', 'a:head', ':', 'events', 't2:a', '*', '{t1}', 'a\u00e4', ' a'];
      for (const tenant of tenants)
        for (const memory of memories)
          await log.append({
            tenant,
            memory,
            said: [{ role: 'user', content: `${tenant}|${memory}` }],
            key: 'k',
            job: '',
          });
      for (let i = 0; i < (long ? 100_000 : 500); i++) {
        const tenant = random.pick([...tenants, 't3', 't', 't11']) ?? '';
        const memory = random.pick([...memories, 'b', 'a:keys', 'a:events:events', '', 't1:a', 'a*']) ?? '';
        const found = await contents({ tenant, memory });
        const there = tenants.includes(tenant) && memories.includes(memory);
        expect(found).toEqual(there ? [`${tenant}|${memory}`] : []);
      }
    });
  });
}
