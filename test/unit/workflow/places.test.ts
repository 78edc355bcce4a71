// Places for what takes much memory: how many are taken, who is next, and who gives up waiting.
import { expect, test } from 'vitest';
import { createPlaces } from '../../../services/orchestrator/places.ts';
import { settle } from '../../helpers/clock.ts';

const never = new AbortController().signal;

test('so many at once, and the first to come goes on first', async () => {
  const places = createPlaces(2);
  const [a, b] = [await places.enter(never), await places.enter(never)];
  const order: string[] = [];
  const later = ['c', 'd', 'e'].map((name) =>
    places.enter(never).then((leave) => {
      order.push(name);
      return leave;
    }),
  );
  await settle();
  expect(order).toEqual([]);
  a();
  a(); // once is all it counts
  await settle();
  expect(order).toEqual(['c']);
  b();
  await settle();
  expect(order).toEqual(['c', 'd']);
  (await later[0])?.();
  await settle();
  expect(order).toEqual(['c', 'd', 'e']);
});

test('who gives up waiting takes no place', async () => {
  const places = createPlaces(1);
  const leave = await places.enter(never);
  const gone = new AbortController();
  const waiting = places.enter(gone.signal);
  gone.abort(new Error('gone'));
  await expect(waiting).rejects.toThrow('gone');
  await expect(places.enter(gone.signal)).rejects.toThrow('gone');
  leave();
  await places.enter(never);
});
