// Memories at hand: what is read again, what a log that moves meanwhile does, and how much of the heap they may take.
import { expect, test } from 'vitest';
import type { LogPage } from '#core/context/memory/log.ts';
import { createRecall } from '#core/context/memory/recall.ts';
import type { Entry } from '#core/context/memory/entry.ts';
import { createMemories } from '../../../services/context-engine/memories.ts';
import { createRandom } from '../../helpers/random.ts';

const name = { tenant: 't', memory: 'm' };
const entry = (number: number): Entry => ({ number, role: 'user', content: `entry ${number}`, ts: 1, job: '' });
const page = (first: number, from: number, to: number, more: boolean, epoch = 'e'): LogPage => ({
  ...{ epoch, first, more, bound: undefined },
  entries: Array.from({ length: to - from }, (_, i) => entry(from + i)),
});

test('only what is new is read, and all of it when the beginning was let go', async () => {
  const asked: number[] = [];
  const pages = [
    page(0, 0, 3, true),
    page(0, 3, 5, false),
    page(0, 5, 6, false),
    page(2, 6, 7, false),
    page(2, 2, 7, false),
  ];
  const memories = createMemories({
    read: async ({ from }) => {
      asked.push(from);
      return Promise.resolve(pages.shift() as LogPage);
    },
  });
  const numbers = async (): Promise<number[]> => (await memories.open(name)).recall.entries.map(({ number }) => number);
  expect(await numbers()).toEqual([0, 1, 2, 3, 4]);
  expect(await numbers()).toEqual([0, 1, 2, 3, 4, 5]);
  expect(await numbers()).toEqual([2, 3, 4, 5, 6]);
  expect(asked).toEqual([0, 3, 5, 6, 0]);
});

test('a log that is trimmed or forgotten between two pages is read anew; one that never stands still is told', async () => {
  const pages = [
    page(0, 0, 3, true),
    page(9, 9, 12, true, 'e'),
    page(9, 9, 12, true),
    page(0, 0, 1, false, 'f'),
    page(0, 0, 1, false, 'f'),
  ];
  const memories = createMemories({ read: async () => Promise.resolve(pages.shift() as LogPage) });
  expect((await memories.open(name)).recall.entries.map(({ number }) => number)).toEqual([0]);
  let first = 0;
  const restless = createMemories({ read: async () => Promise.resolve(page(++first, first, first + 1, true)) });
  await expect(restless.open(name)).rejects.toMatchObject({ code: 'unavailable' });
});

test('what a memory takes is counted with its index of words, the worst of which is bounded', () => {
  const random = createRandom(5);
  const recall = createRecall();
  // Characters without blanks between words, none like another: nearly every pair is a term of its own.
  const content = (): string =>
    Array.from({ length: 130 }, () => String.fromCharCode(0x4e00 + random.below(20_000))).join('');
  const entries = Array.from({ length: 4_000 }, (_, number): Entry => ({ ...entry(number), content: content() }));
  const before = process.memoryUsage();
  recall.add(entries);
  const after = process.memoryUsage();
  const grown = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers;
  expect(recall.bytes).toBeGreaterThan(4_000 * 130 * 13);
  expect(recall.bytes).toBeLessThan(40_000_000);
  expect(grown).toBeLessThan(6 * recall.bytes);
});
