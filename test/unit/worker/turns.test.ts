// Large results take turns of the event loop; small ones do not wait for each other.
import { expect, test } from 'vitest';
import { afterTick } from '#core/coalesce.ts';
import { createTurns } from '../../../services/worker/turns.ts';

test('one large result is made per turn, and what is small is made at once unless a large one was', async () => {
  const turns = createTurns();
  const made: string[] = [];
  const make = (name: string, size: number): Promise<string> =>
    turns.take(
      () => {
        made.push(name);
        return name;
      },
      () => size,
    );
  const turn = (): Promise<void> =>
    new Promise((resolve) => {
      afterTick(() => {
        made.push('|');
        resolve();
      });
    });
  const names = ['a', 'b', 'LARGE', 'c', 'HUGE', 'd'];
  const all = Promise.all(names.map((name) => make(name, name.length > 1 ? 2 ** 20 : 10)));
  expect(made).toEqual(['a', 'b', 'LARGE']);
  for (let i = 0; i < 3; i++) await turn();
  expect(await all).toEqual(names);
  expect(made.filter((what) => what !== '|')).toEqual(names);
  expect(made.slice(made.indexOf('HUGE'), made.indexOf('d'))).toContain('|');
});
