// The contract of journals: each driver must pass, on the store whose records it looks at.
import { beforeEach, describe, expect, test } from 'vitest';
import { type Journal, maxLines, maxSignals } from '#core/workflow/journal.ts';
import { createRig, type MakeStore, type Rig, type StoreDriver, type Subject } from './job-store/rig.ts';

export type MakeJournal = (driver: StoreDriver, partitions: number) => Journal;

/** Runs the contract. */
export function testJournal(name: string, make: MakeStore, makeJournal: MakeJournal, partitions: number): void {
  describe(`journal: ${name}, ${partitions} partitions`, () => {
    let rig: Rig;
    let journal: Journal;
    beforeEach(async () => {
      rig = await createRig(make, partitions);
      journal = makeJournal(rig.driver, partitions);
    });
    const workflow = { topic: 'job.workflow.x' };
    const running = (more: object = {}): Promise<Subject> => rig.running({ ...workflow, ...more });
    const cancel = (job: Subject) => rig.raw.end([rig.endOf(job, 'CANCELLED')]);
    const keyOf = ({ id, tenant }: Subject) => ({ id, tenant });
    const append = (job: Subject, from: number, lines: readonly string[], hold: object = {}) => {
      const { fence, attempt } = job.handOut ?? { fence: '0', attempt: '' };
      return journal.append({ ...keyOf(job), fence, attempt, from, lines, ...hold });
    };

    test('keeps lines in order, and recognises the same call', async () => {
      const job = await running();
      expect(await journal.lines(keyOf(job))).toEqual([]);
      expect(await append(job, 0, ['{"a":1}', '"ü\\n"'])).toBe('ok');
      expect(await append(job, 2, ['3'])).toBe('ok');
      expect(await append(job, 2, ['3'])).toBe('ok');
      expect(await journal.lines(keyOf(job))).toEqual(['{"a":1}', '"ü\\n"', '3']);
    });

    test('refuses lines that others knew otherwise', async () => {
      const job = await running();
      await append(job, 0, ['1', '2']);
      expect(await append(job, 0, ['1', '3'])).toBe('moved');
      expect(await append(job, 1, ['1', '3'])).toBe('moved');
      expect(await append(job, 5, ['6'])).toBe('moved');
      expect(await journal.lines(keyOf(job))).toEqual(['1', '2']);
    });

    test.each([
      ['another fence', { fence: '1' }],
      ['another attempt', { attempt: 'x' }],
    ])('refuses %s', async (_, hold) => {
      const job = await running();
      expect(await append(job, 0, ['1'], hold)).toBe('stale');
      expect(await journal.lines(keyOf(job))).toEqual([]);
    });

    test('refuses who does not hold the job any more', async () => {
      const job = await running();
      await cancel(job);
      expect(await append(job, 0, ['1'])).toBe('stale');
      expect(await journal.lines(keyOf(job))).toEqual([]);
    });

    test('is bounded, and takes many lines at once', async () => {
      const job = await running();
      const lines = Array.from({ length: maxLines }, (_, i) => String(i));
      expect(await append(job, 0, lines)).toBe('ok');
      expect(await append(job, maxLines, ['x'])).toBe('full');
      expect(await journal.lines(keyOf(job))).toEqual(lines);
    });

    test('deaths count until the run gets on, and very many count whatever it does', async () => {
      const lose = async (job: Subject): Promise<string> =>
        rig.one(await rig.raw.requeue([rig.requeueOf(job, 'RUNNING', 'lost')])).outcome;
      const retake = async (job: Subject): Promise<void> => {
        await rig.claim(job);
        await rig.accept(job);
      };
      // Lines alone are no sign: something that is over anyway may be written down before what kills.
      const deadly = await running();
      for (let i = 0; i < 3; i++) {
        expect(await append(deadly, i, [String(i)])).toBe('ok');
        expect(await lose(deadly)).toBe('queued');
        await retake(deadly);
      }
      expect(await append(deadly, 3, ['3'])).toBe('ok');
      expect(await lose(deadly)).toBe('failed');
      expect(await rig.view(deadly)).toMatchObject({ state: 'FAILED', errorCode: 'worker_lost', losses: 4 });

      const gotOn = await running();
      for (let i = 0; i < 20; i++) {
        expect(await append(gotOn, i, [String(i)], { gotOn: true })).toBe('ok');
        expect(await lose(gotOn)).toBe('queued');
        await retake(gotOn);
      }
      expect(await append(gotOn, 20, ['20'], { gotOn: true })).toBe('ok');
      expect(await lose(gotOn)).toBe('failed');
      expect(await rig.view(gotOn)).toMatchObject({ state: 'FAILED', errorCode: 'worker_lost', losses: 21 });
    });

    test('shows nothing to another tenant', async () => {
      const job = await running();
      await append(job, 0, ['1']);
      const other = { id: job.id, tenant: 'mallory' };
      expect(await journal.lines(other)).toBeUndefined();
      expect(await journal.send({ ...other, name: 'go', value: '1', key: '' })).toBe('missing');
      await journal.send({ ...keyOf(job), name: 'go', value: '1', key: '' });
      expect(await journal.signals({ ...other, from: 0 })).toEqual([]);
    });

    test('notes signals in every state of a workflow, each key once, until its end', async () => {
      for (const state of ['PENDING', 'SCHEDULED', 'RUNNING'] as const) {
        const job = await rig.in(state, workflow);
        const send = (name: string, value: string, key = '') => journal.send({ ...keyOf(job), name, value, key });
        expect(await send('go', '{"x":"a b"}', 'k')).toBe('noted');
        expect(await send('go', '2', 'k')).toBe('known');
        expect(await send('a.b', '3')).toBe('noted');
        expect(await journal.signals({ ...keyOf(job), from: 0 })).toMatchObject([
          { name: 'go', value: '{"x":"a b"}' },
          { name: 'a.b', value: '3' },
        ]);
        expect(await journal.signals({ ...keyOf(job), from: 1 })).toHaveLength(1);
        expect(await journal.counts([keyOf(job)])).toEqual([2]);
        await cancel(job);
        expect(await send('go', '4')).toBe('ended');
      }
      const other = await rig.running({ topic: 'job.chat.simple' });
      expect(await journal.send({ ...keyOf(other), name: 'go', value: '1', key: '' })).toBe('other');
    });

    test('has room for so many signals, and for one that stops it', async () => {
      const job = await running();
      const send = () => journal.send({ ...keyOf(job), name: 'go', value: '1', key: '' });
      for (let i = 0; i < maxSignals; i += 50) await Promise.all(Array.from({ length: 50 }, () => send()));
      expect(await send()).toBe('full');
      // A run that was flooded can still be stopped.
      expect(await journal.send({ ...keyOf(job), name: 'stop', value: '1', key: '' })).toBe('noted');
      expect(await journal.signals({ ...keyOf(job), from: 0 })).toHaveLength(maxSignals + 1);
    });

    test('a seed of any size is kept whole', async () => {
      const lines = Array.from({ length: 60 }, (_, i) => JSON.stringify({ i, fill: 'ü'.repeat(20_000) }));
      const signals = Array.from({ length: 100 }, (_, i) => ({
        name: 'go',
        value: JSON.stringify('x'.repeat(16_000)),
        at: i,
      }));
      await journal.seed({ id: 'large', tenant: 't1', lines, signals });
      const job = await running({ id: 'large', tenant: 't1' });
      expect(await journal.lines(keyOf(job))).toEqual(lines);
      expect(await journal.signals({ ...keyOf(job), from: 0 })).toEqual(signals);
    });

    test('a seed is there before its job, once', async () => {
      const id = 'seeded';
      const signals = [{ name: 'go', value: '1', at: 5 }];
      await journal.seed({ id, tenant: 't1', lines: ['{"t":"seed"}'], signals });
      await expect(journal.seed({ id, tenant: 't1', lines: ['2'], signals: [] })).rejects.toMatchObject({
        code: 'already_exists',
      });
      const job = await running({ id, tenant: 't1' });
      expect(await journal.lines(keyOf(job))).toEqual(['{"t":"seed"}']);
      expect(await append(job, 1, ['1'])).toBe('ok');
      expect(await journal.signals({ ...keyOf(job), from: 0 })).toEqual(signals);
    });

    test('says which results are there', async () => {
      const job = await running();
      expect(rig.one(await rig.store.commit([rig.commitOf(job, 'SUCCEEDED', { result: '1' })]))).toMatchObject({
        outcome: 'committed',
      });
      const { resultPtr } = await rig.view(job);
      expect(await journal.there(job.tenant, [resultPtr, 'redis://res:nobody', ''])).toEqual([true, false, false]);
      expect(await journal.there(job.tenant, [])).toEqual([]);
    });

    test('a seed is there for minutes, longer once there is a job, and not at all when it is taken back', async () => {
      const signals = [{ name: 'go', value: '1', at: 5 }];
      const seed = (id: string) => journal.seed({ id, tenant: 't1', lines: ['{"t":"seed"}'], signals });
      await seed('made');
      const made = await rig.in('PENDING', { id: 'made', tenant: 't1', ...workflow });
      await journal.unseed(keyOf(made));
      rig.advance(3_600_000);
      expect(await journal.lines(keyOf(made))).toEqual(['{"t":"seed"}']);
      expect(await journal.signals({ ...keyOf(made), from: 0 })).toEqual(signals);
      await seed('back');
      await journal.unseed({ id: 'back', tenant: 't1' });
      await seed('back'); // there is nothing in its way
    });
  });
}
