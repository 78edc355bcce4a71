import { expect, test } from 'vitest';
import { until } from '../../helpers/until.ts';

test('gives back what the condition answered once it holds', async () => {
  let looks = 0;
  expect(await until(() => (++looks === 3 ? `look ${looks}` : undefined), { interval: 1 })).toBe('look 3');
});

test('names what it waited for, with what was seen last', async () => {
  let looks = 0;
  const waiting = until(() => ++looks < 0, {
    timeout: 20,
    interval: 1,
    message: () => `a look below zero (${looks > 0})`,
  });
  await expect(waiting).rejects.toThrow('waited 20 ms in vain for a look below zero (true)');
});

test('looks at least once, even without time', async () => {
  expect(await until(() => 1, { timeout: 0 })).toBe(1);
});

test('gives up on a condition that never answers', async () => {
  await expect(until(() => new Promise(() => {}), { timeout: 20, message: 'an answer' })).rejects.toThrow('an answer');
});

test('ends at once with the error of the condition', async () => {
  const failing = until(() => Promise.reject(new Error('refused')));
  await expect(failing).rejects.toThrow('refused');
});
