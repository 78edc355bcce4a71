// What requests to models took: each counted once, summed by day and model, for its own tenant.
import { describe, expect, test } from 'vitest';
import type { Metered, UsageRow } from '#core/jobs/store.ts';
import { dayAfter, dayOf, daysBetween, mostModels } from '#core/jobs/usage.ts';
import type { Rig, Subject } from './rig.ts';

const aDay = 86_400_000;

export function usage(open: () => Promise<Rig>): void {
  describe('usage', () => {
    const of = (job: Subject, number = 1, more: Partial<Metered> = {}): Metered => ({
      ...{ id: job.id, tenant: job.tenant, attempt: job.handOut?.attempt ?? '', number, model: 'fast' },
      ...{ usage: { inputTokens: 10, outputTokens: 3 }, cost: 1_500, ...more },
    });
    const row = (rig: Rig, more: Partial<UsageRow> = {}): UsageRow => ({
      ...{ date: dayOf(rig.now()), model: 'fast', requests: 1, unmetered: 0, unpriced: 0 },
      ...{ inputTokens: 10, outputTokens: 3, cost: 1_500, ...more },
    });
    const today = (rig: Rig, tenant = 't1') => rig.store.usage(tenant, [dayOf(rig.now())]);

    test('is summed by model; what nobody told, and what has no price, is counted and not guessed', async () => {
      const rig = await open();
      const job = await rig.running();
      await rig.store.meter([of(job), of(job, 2), of(job, 3, { model: 'slow', cost: undefined })]);
      await rig.store.meter([of(job, 4, { usage: undefined, cost: undefined })]);
      expect(await today(rig)).toEqual([
        row(rig, { requests: 3, unmetered: 1, inputTokens: 20, outputTokens: 6, cost: 3_000 }),
        row(rig, { model: 'slow', unpriced: 1, cost: 0 }),
      ]);
    });

    test('counts each request once, however often and from wherever it is told, in any order', async () => {
      const rig = await open();
      const job = await rig.running();
      await rig.store.meter([of(job, 2), of(job, 2)]);
      await Promise.all([rig.raw.meter([of(job), of(job, 2)]), rig.other.meter([of(job), of(job, 2)])]);
      await rig.store.meter([of(job, 2), of(job)]);
      expect(await today(rig)).toEqual([row(rig, { requests: 2, inputTokens: 20, outputTokens: 6, cost: 3_000 })]);
    });

    test('counts what void attempts asked, each for itself, and what was asked for a job that has ended or is gone', async () => {
      const rig = await open();
      const job = await rig.running({ maxRetries: 3 });
      const first = of(job);
      await rig.store.requeue([rig.requeueOf(job, 'RUNNING', 'lost')]);
      rig.advance(1);
      await rig.claim(job);
      await rig.accept(job);
      await rig.store.meter([of(job)]);
      await rig.store.meter([first]);
      await rig.store.commit([rig.commitOf(job)]);
      await rig.store.meter([of(job, 2), { ...of(job), id: 'never-there' }]);
      expect(await today(rig)).toEqual([row(rig, { requests: 4, inputTokens: 40, outputTokens: 12, cost: 6_000 })]);
    });

    test('is exact where numbers are large', async () => {
      const rig = await open();
      const job = await rig.running();
      const large = { inputTokens: 1_000_000_000_001, outputTokens: 123_456_789_012_345 };
      await rig.store.meter([
        of(job, 1, { usage: large, cost: 1_000_000_000_000_001 }),
        of(job, 2, { usage: large, cost: 2 }),
        of(job, 65_535, { cost: 0 }),
      ]);
      expect(await today(rig)).toEqual([
        row(rig, {
          ...{ requests: 3, inputTokens: 2_000_000_000_012, outputTokens: 246_913_578_024_693 },
          cost: 1_000_000_000_000_003,
        }),
      ]);
    });

    test('stops at the largest sum that is exact, and goes on counting', async () => {
      const rig = await open();
      const job = await rig.running();
      const most = Number.MAX_SAFE_INTEGER;
      const largest = { usage: { inputTokens: most, outputTokens: most }, cost: most };
      for (let i = 0; i < 2; i++)
        await rig.store.meter(Array.from({ length: 600 }, (_, n) => of(job, 1 + i * 600 + n, largest)));
      await rig.store.meter([of(job, 1_201)]);
      expect(await today(rig)).toEqual([
        row(rig, { requests: 1_201, inputTokens: most, outputTokens: most, cost: most }),
      ]);
    });

    test('belongs to its tenant and its day, in UTC', async () => {
      const rig = await open();
      const [job, other] = [await rig.running(), await rig.running({ tenant: 't2' })];
      const first = dayOf(rig.now());
      await rig.store.meter([of(job), of(other)]);
      const days = daysBetween(first, dayAfter(first, 60));
      // Over the end of a month and a leap day's absence; a day of each, told at its last ms and its first.
      for (let i = 1; i <= 60; i++) {
        rig.advance(aDay - (rig.now() % aDay) - 1);
        await rig.raw.meter([of(job, 2 * i)]);
        rig.advance(1);
        await rig.raw.meter([of(job, 2 * i + 1, { usage: undefined, cost: undefined })]);
      }
      const rows = await rig.store.usage('t1', days);
      expect(rows.map(({ date }) => date)).toEqual(days);
      expect(rows.map(({ requests, unmetered }) => [requests, unmetered])).toEqual(
        days.map((_, i) => (i === 0 ? [2, 0] : i === 60 ? [1, 1] : [2, 1])),
      );
      expect(await rig.store.usage('t2', days)).toEqual([{ ...row(rig), date: first }]);
      expect(await rig.store.usage('t3', days)).toEqual([]);
    });

    test('tells a bounded number of models apart', async () => {
      const rig = await open();
      const job = await rig.running();
      const names = Array.from({ length: mostModels + 5 }, (_, i) => `m-${String(i).padStart(3, '0')}`);
      await rig.store.meter(names.map((model, i) => of(job, i + 1, { model })));
      await rig.store.meter([of(job, 900, { model: 'm-000' })]);
      const rows = await today(rig);
      expect(rows).toHaveLength(mostModels + 1);
      expect(rows.find(({ model }) => model === 'other')).toEqual(
        row(rig, { model: 'other', requests: 5, inputTokens: 50, outputTokens: 15, cost: 7_500 }),
      );
      expect(rows.find(({ model }) => model === 'm-000')?.requests).toBe(2);
    });

    test('a day of a year with everything in it is read whole', { timeout: 30_000 }, async () => {
      const rig = await open();
      const job = await rig.running();
      const first = dayOf(rig.now());
      const names = Array.from({ length: mostModels }, (_, i) => `${'m'.repeat(60)}${i}`);
      for (let day = 0; day < 30; day++) {
        await rig.raw.meter(names.map((model, i) => of(job, day * mostModels + i + 1, { model })));
        rig.advance(aDay);
      }
      const rows = await rig.raw.usage('t1', daysBetween(first, dayAfter(first, 399)));
      expect(rows).toHaveLength(30 * mostModels);
      expect(rows.every(({ requests, cost }) => requests === 1 && cost === 1_500)).toBe(true);
      expect(new Set(rows.map(({ date }) => date)).size).toBe(30);
    });

    test.each<[string, Partial<Metered>]>([
      ['number', { number: 0 }],
      ['number', { number: 65_536 }],
      ['model', { model: 'a b' }],
      ['usage', { usage: { inputTokens: -1, outputTokens: 0 } }],
      ['usage', { usage: { inputTokens: 0, outputTokens: 1.5 } }],
      ['usage', { usage: { inputTokens: 0, outputTokens: 1e300 } }],
      ['cost', { cost: 0.5 }],
      ['cost', { usage: undefined }],
    ])('refuses a %s that cannot be, and counts nothing of that call', async (name, wrong) => {
      const rig = await open();
      const job = await rig.running();
      const before = await rig.snapshot();
      await expect(rig.store.meter([of(job), of(job, 2, wrong)])).rejects.toMatchObject({
        code: 'internal',
        message: expect.stringContaining(name) as string,
      });
      expect(await rig.snapshot()).toBe(before);
    });
  });
}
