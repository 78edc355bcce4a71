// All that can end a job, at once: one of them does.
import { describe, expect, test } from 'vitest';
import { isEnd } from '#core/jobs/state.ts';
import type { JobStore } from '#core/jobs/store.ts';
import { long } from '../../helpers/long.ts';
import type { Rig } from './rig.ts';

export function finishers(open: () => Promise<Rig>): void {
  describe('ten finishers at once', () => {
    test('end a job once, with one result and one event', { timeout: 300_000 }, async () => {
      let rig = await open();
      const rounds = long ? 1000 : 40;
      const won = new Map<string, number>();
      for (let round = 0; round < rounds; round++) {
        if (round % 20 === 19) rig = await open(); // the auditor looks at everything each time
        const job = await rig.running({ maxRetries: 0 });
        // Three losses, so that the next one would end it as well.
        if (round % 2 === 0) {
          for (let i = 0; i < 3; i++) {
            await rig.raw.requeue([rig.requeueOf(job, 'RUNNING', 'lost')]);
            await rig.claim(job);
            await rig.accept(job);
          }
        }
        const seen = { state: 'RUNNING', fence: rig.keyOf(job).fence } as const;
        const words: Readonly<Record<string, (store: JobStore) => Promise<boolean>>> = {
          succeeded: async (s) =>
            rig.one(await s.commit([rig.commitOf(job, 'SUCCEEDED', { result: '"a"' })])).outcome === 'committed',
          failed: async (s) =>
            rig.one(await s.commit([rig.commitOf(job, 'FAILED', { result: '"b"' })])).outcome === 'committed',
          retried: async (s) =>
            rig.one(await s.commit([rig.commitOf(job, 'FAILED', { retryable: true, result: '"c"' })])).outcome ===
            'committed',
          'cancelled by itself': async (s) =>
            rig.one(await s.commit([rig.commitOf(job, 'CANCELLED')])).outcome === 'committed',
          cancelled: async (s) => rig.one(await s.end([rig.endOf(job, 'CANCELLED')])).outcome === 'ended',
          'timed out': async (s) => rig.one(await s.end([rig.endOf(job, 'TIMEOUT', { seen })])).outcome === 'ended',
          denied: async (s) => rig.one(await s.end([rig.endOf(job, 'DENIED')])).outcome === 'ended',
          'out of time': async (s) => rig.one(await s.end([rig.endOf(job, 'TIMEOUT')])).outcome === 'ended',
          lost: async (s) => rig.one(await s.requeue([rig.requeueOf(job, 'RUNNING', 'lost')])).outcome === 'failed',
          foreign: async (s) => rig.one(await s.commitForeign([rig.foreignOf(job)])).outcome === 'committed',
        };
        const order = Object.keys(words)
          .map((name, i) => ({ name, at: (i * 7 + round * 3 + ((round * 31) % 11) * i) % 10 }))
          .toSorted((a, b) => a.at - b.at);
        const outcomes = await Promise.all(
          order.map(async ({ name }, i) => ({
            name,
            done: await words[name]?.(i % 2 === 0 ? rig.raw : rig.other),
          })),
        );
        await rig.audit();
        const view = await rig.view(job);
        const events = rig.events.filter((e) => e.job === job.id && isEnd(e.state));
        if (view.state === 'SCHEDULED') {
          // Lost for the first time, before anybody else: then everybody else is late.
          expect(outcomes.filter(({ done }) => done)).toEqual([]);
          expect(events).toEqual([]);
          continue;
        }
        expect(events.map(({ state }) => state)).toEqual([view.state]);
        const winners = outcomes.filter(({ done }) => done).map(({ name }) => name);
        // Two words of one attempt for the same end are one: the second hears what the first did.
        if (view.state === 'FAILED' && winners.length > 1) expect(winners.toSorted()).toEqual(['failed', 'retried']);
        else expect(winners).toHaveLength(1);
        const [winner = ''] = winners;
        won.set(winner, (won.get(winner) ?? 0) + 1);
        const result = await rig.raw.result(job.id, job.tenant);
        const own: Readonly<Record<string, readonly (string | null)[]>> = {
          succeeded: ['"a"'],
          failed: ['"b"', '"c"'],
          retried: ['"b"', '"c"'],
        };
        expect(own[winner] ?? [null]).toContain(result);
      }
      expect(won.size).toBeGreaterThan(5);
    });
  });
}
