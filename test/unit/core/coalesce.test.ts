// Many one-item calls as few many-item calls: bounded by count, by bytes, and by how many are under way.
import { expect, test } from 'vitest';
import { afterTick, type CoalesceOptions, coalesce } from '#core/coalesce.ts';

/** A function of texts that is answered by hand; `calls` is what it was asked, call by call. */
function setUp(options: CoalesceOptions<string>) {
  const calls: string[][] = [];
  const answer: (() => void)[] = [];
  const one = coalesce(
    (items: string[]) =>
      new Promise<string[]>((resolve) => {
        calls.push(items);
        answer.push(() => resolve(items.map((item) => item.toUpperCase())));
      }),
    options,
  );
  return { calls, answer, one };
}

const turn = (): Promise<void> => new Promise((resolve) => void afterTick(resolve));

test('what is asked in one turn is one call, and each gets its own answer', async () => {
  const { calls, answer, one } = setUp({});
  const answers = Promise.all(['a', 'b', 'c'].map(one));
  await turn();
  expect(calls).toEqual([['a', 'b', 'c']]);
  answer[0]?.();
  expect(await answers).toEqual(['A', 'B', 'C']);
});

test('a call holds as many as its bounds allow, in order; one that is too large goes alone', async () => {
  const { calls, answer, one } = setUp({
    max: 3,
    maxBytes: 4,
    size: (item) => item.length,
  });
  const asked = ['aa', 'bb', 'c', 'dddddd', 'e', 'f', 'g', 'h'];
  const answers = Promise.all(asked.map(one));
  await turn();
  expect(calls).toEqual([['aa', 'bb'], ['c'], ['dddddd'], ['e', 'f', 'g']]);
  answer[0]?.();
  await turn();
  expect(calls[4]).toEqual(['h']); // it waited: four were under way
  for (const go of answer) go();
  expect(await answers).toEqual(asked.map((item) => item.toUpperCase()));
});

test('an error is for everybody in that call, and for nobody else', async () => {
  const one = coalesce(
    async (items: number[]) => {
      if (items.includes(2)) throw new RangeError('no two');
      return items;
    },
    { max: 2 },
  );
  const settled = await Promise.allSettled([1, 2, 3].map(one));
  expect(settled.map((s) => s.status)).toEqual(['rejected', 'rejected', 'fulfilled']);
});
