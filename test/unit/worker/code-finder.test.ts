// Runs of lines in a file: the fast search finds what a slow one finds.
import { expect, test } from 'vitest';
import { createRandom } from '../../helpers/random.ts';
import { createFinder } from '../../../services/worker/code/finder.ts';

test.each(Array.from({ length: 300 }, (_, seed) => seed))(
  'the first two places, as a plain search finds them: %i',
  (seed) => {
    const random = createRandom(seed);
    const letters = ['a', 'b', 'a ', 'b\r', 'c'].slice(0, 2 + random.below(4));
    const some = (most: number): string[] =>
      Array.from({ length: random.below(most) }, () => random.pick(letters) ?? '');
    const file = some(80);
    const from = random.below(file.length + 1);
    // Most runs are in the file, or nearly so.
    const run = random.chance(0.8) ? file.slice(from, from + random.below(9)) : some(9);
    if (random.chance(0.2) && run.length > 0) run[random.below(run.length)] = 'a';
    const stands = (at: number): boolean => run.every((line, i) => file[at + i]?.trimEnd() === line.trimEnd());
    const places = Array.from(file.keys()).filter(stands).slice(0, 2);
    const find = createFinder(file);
    expect(find.places(run)).toEqual(run.length === 0 ? [] : places);
    for (let at = -1; at <= file.length; at++) {
      const fits = at >= 0 && at + run.length <= file.length && stands(at);
      expect(find.fits(run, at)).toBe(fits);
    }
  },
);

test('a finder that has looked through its share looks no further, but for lines that are rare', () => {
  const file = [...Array.from({ length: 20 }, () => 'a'), 'b'];
  const find = createFinder(file, 40);
  expect(find.places(['a'])).toEqual([0, 1]);
  expect(find.places(['a', 'a'])).toBeUndefined();
  expect(find.places(['a', 'b'])).toEqual([19]);
});
