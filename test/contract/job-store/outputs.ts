// The text that an attempt gives out: appended under its fence, read by pages, begun anew by the next attempt, kept as long as a payload.
import { describe, expect, test } from 'vitest';
import { isEnd, states } from '#core/jobs/state.ts';
import { maxOutputBytes, outputPageBytes } from '#core/jobs/output.ts';
import type { Rig, Subject } from './rig.ts';

const bytes = (text: string): number => new TextEncoder().encode(text).length;

export function outputs(open: () => Promise<Rig>): void {
  const give = async (rig: Rig, job: Subject, at: number, text: string) =>
    rig.one(await rig.store.output([{ ...rig.keyOf(job), at, text }]));
  const read = (rig: Rig, job: Subject, fence = '', at = 0) =>
    rig.store.readOutput({ id: job.id, tenant: job.tenant, fence, at });
  const again = async (rig: Rig, job: Subject): Promise<void> => {
    await rig.store.requeue([rig.requeueOf(job, 'RUNNING', 'lost')]);
    rig.advance(1);
    await rig.claim(job);
    await rig.accept(job);
  };

  describe('the output of an attempt', () => {
    test('grows piece by piece, and is read from any place on', async () => {
      const rig = await open();
      const job = await rig.running();
      expect(await read(rig, job)).toBeUndefined();
      expect((await rig.view(job)).output).toBeUndefined();
      const pieces = ['Hello', ', "wörld"\n', '\u{1F600}\u0000', '{"a":1}\u2028end'];
      let at = 0;
      for (const piece of pieces) {
        expect(await give(rig, job, at, piece)).toBe('ok');
        at += bytes(piece);
      }
      const text = pieces.join('');
      const fence = job.handOut?.fence ?? '';
      expect(await read(rig, job)).toEqual({ fence, attempt: 1, at: 0, text, next: at, more: false });
      expect((await rig.view(job)).output).toEqual({ fence, attempt: 1 });
      expect(await read(rig, job, fence, 5)).toMatchObject({ at: 5, text: text.slice(5), next: at });
      expect(await read(rig, job, fence, at)).toMatchObject({ at, text: '', next: at, more: false });
    });

    test('said again is there once, and what would leave a hole is refused', async () => {
      const rig = await open();
      const job = await rig.running();
      await give(rig, job, 0, 'one');
      await give(rig, job, 3, 'two');
      const before = await rig.snapshot();
      for (const [at, text, answer] of [
        [3, 'two', 'ok'],
        [0, 'one', 'ok'],
        [7, 'more', 'gap'],
        [5, 'over the end', 'gap'],
      ] as const) {
        expect(await give(rig, job, at, text)).toBe(answer);
        expect(await rig.snapshot()).toBe(before);
      }
      const other = await rig.running();
      expect(await give(rig, other, 1, 'not at its beginning')).toBe('gap');
      expect(await read(rig, other)).toBeUndefined();
    });

    test('is refused but to the attempt that runs, for every state', async () => {
      const rig = await open();
      for (const state of [...states, 'none'] as const) {
        const job = await rig.in(state);
        const before = await rig.snapshot();
        const answer = await give(rig, job, 0, 'text');
        if (state === 'RUNNING') {
          expect(answer).toBe('ok');
          const old = { ...rig.keyOf(job), attempt: 'other' };
          expect(await rig.store.output([{ ...old, at: 4, text: 'x' }])).toEqual(['stale']);
          continue;
        }
        expect(answer, state).toBe(state === 'none' ? 'missing' : 'stale');
        expect(await rig.snapshot()).toBe(before);
      }
    });

    test('is begun anew by the next attempt that gives out any, and who read the old one begins anew', async () => {
      const rig = await open();
      const job = await rig.running();
      await give(rig, job, 0, 'of the first');
      const first = job.handOut?.fence ?? '';
      const stale = { ...rig.keyOf(job), at: 12, text: '!' };
      await again(rig, job);
      expect(await rig.store.output([stale])).toEqual(['stale']);
      expect(await read(rig, job, first, 12)).toMatchObject({ fence: first, attempt: 1, at: 12, text: '' });
      expect(await give(rig, job, 0, 'of the second')).toBe('ok');
      const second = job.handOut?.fence ?? '';
      const page = { fence: second, attempt: 2, at: 0, text: 'of the second', next: 13, more: false };
      expect(await read(rig, job, first, 12)).toEqual(page);
      expect(await read(rig, job)).toEqual(page);
    });

    test('may be as long as its bound, in pages that cut no character', async () => {
      const rig = await open();
      const job = await rig.running();
      const piece = `x${'\u{1F600}é'.repeat(5_000)}`;
      let text = '';
      let at = 0;
      while (at + bytes(piece) <= maxOutputBytes) {
        expect(await give(rig, job, at, piece)).toBe('ok');
        text += piece;
        at += bytes(piece);
      }
      const before = await rig.snapshot();
      expect(await give(rig, job, at, piece)).toBe('full');
      expect(await rig.snapshot()).toBe(before);
      expect(await give(rig, job, at, 'y'.repeat(maxOutputBytes - at))).toBe('ok');
      text += 'y'.repeat(maxOutputBytes - at);
      let place = { fence: '', next: 0, more: true };
      let got = '';
      while (place.more) {
        const page = await read(rig, job, place.fence, place.next);
        if (page === undefined) throw new Error('no page');
        expect(bytes(page.text)).toBeLessThanOrEqual(outputPageBytes);
        expect(page.next - page.at).toBe(bytes(page.text));
        got += page.text;
        place = page;
      }
      expect(got === text).toBe(true);
    });

    test('is read from its beginning for a place that is none of its', async () => {
      const rig = await open();
      const job = await rig.running();
      await give(rig, job, 0, '\u{1F600}abc');
      const fence = job.handOut?.fence ?? '';
      for (const at of [1, 2, 3, 8, 1e9]) {
        expect(await read(rig, job, fence, at)).toMatchObject({ at: 0, text: '\u{1F600}abc', next: 7 });
      }
      expect(await read(rig, job, '12', 4)).toMatchObject({ at: 0, next: 7 });
      expect(await read(rig, { ...job, tenant: 'other' })).toBeUndefined();
    });

    test('stays as long as a payload after the end, however the job ends', async () => {
      const rig = await open();
      for (const state of states.filter(isEnd)) {
        if (state === 'DENIED') continue; // it runs no more by then
        const job = await rig.running();
        await give(rig, job, 0, 'kept');
        if (state === 'SUCCEEDED' || state === 'FAILED') await rig.store.commit([rig.commitOf(job, state)]);
        else await rig.store.end([rig.endOf(job, state)]);
        expect(await read(rig, job)).toMatchObject({ text: 'kept' });
        expect(await give(rig, job, 4, 'late')).toBe('stale');
      }
      await rig.audit();
    });

    test('of many jobs goes in one call', async () => {
      const rig = await open();
      const [a, b] = [await rig.running(), await rig.running({ tenant: 't2' })];
      const answers = await rig.store.output([
        { ...rig.keyOf(a), at: 0, text: 'of a' },
        { ...rig.keyOf(b), at: 0, text: 'of b' },
        { ...rig.keyOf(a), at: 4, text: ', more' },
      ]);
      expect(answers).toEqual(['ok', 'ok', 'ok']);
      expect((await read(rig, a))?.text).toBe('of a, more');
      expect((await read(rig, b))?.text).toBe('of b');
    });
  });
}
