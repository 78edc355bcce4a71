// One timer for many: nothing expires early, what is done never does, and nothing is kept.
import { expect, test } from 'vitest';
import { createExpiry } from '#core/expiry.ts';
import { createFakeClock } from '../../helpers/clock.ts';

interface Item {
  done: boolean;
  readonly from: number;
}

function expiring(ms: number) {
  const clock = createFakeClock();
  const expired: { readonly item: Item; readonly after: number }[] = [];
  const expiry = createExpiry<Item>(
    ms,
    (item) => item.done,
    (item) => {
      expired.push({ item, after: clock.monotonic() - item.from });
      item.done = true;
    },
    clock,
  );
  const add = (): Item => {
    const item = { done: false, from: clock.monotonic() };
    expiry.add(item);
    return item;
  };
  return { clock, expiry, expired, add };
}

test('each expires after its time and at most a fifth later, in order', async () => {
  const { add, clock, expired } = expiring(1_000);
  const added = [];
  for (const gap of [0, 1, 99, 100, 250, 1_500]) {
    await clock.advance(gap);
    added.push(add());
  }
  await clock.advance(2_000);
  expect(expired.map(({ item }) => item)).toEqual(added);
  for (const { after } of expired) {
    expect(after).toBeGreaterThanOrEqual(1_000);
    expect(after).toBeLessThanOrEqual(1_200);
  }
  expect(clock.waiting).toBe(0);
});

test('what is done does not expire, whatever stands before it, and is not kept', async () => {
  const { add, clock, expired, expiry } = expiring(1_000);
  const first = add();
  const second = add();
  second.done = true;
  for (let i = 0; i < 5_000; i++) add().done = true;
  await clock.advance(1_500);
  expect(expired.map(({ item }) => item)).toEqual([first]);
  expect(expiry.size).toBe(0);
  for (let i = 0; i < 10; i++) {
    add().done = true;
    expect(expiry.size).toBe(1);
  }
  await clock.advance(200);
  expect(expiry.size).toBe(0);
  expect(clock.waiting).toBe(0);
});
