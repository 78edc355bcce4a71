// Retries, on a clock that the test steps.
import { expect, test } from 'vitest';
import { CortexError } from '#core/errors.ts';
import { NotAskedError } from '#core/model/breaker.ts';
import { createMemoryModel, fails, says } from '#core/model/memory.ts';
import { ModelError } from '#core/model/model.ts';
import { withRetry } from '#core/model/retry.ts';
import { createFakeClock, settle } from '../../helpers/clock.ts';
import { broken, said, text } from './read.ts';

function setUp() {
  const clock = createFakeClock();
  const inner = createMemoryModel();
  return { clock, inner, model: withRetry(inner, clock, { attempts: 3, maxWaitMs: 10_000 }) };
}

const down = (): ModelError => new ModelError('unavailable', 'down');
const full = (retryAfterMs: number): ModelError => new ModelError('resource_exhausted', 'full', { retryAfterMs });

test('tries again after one second and then two', async () => {
  const { clock, inner, model } = setUp();
  inner.play(fails(down()), fails(down()), says('at last'));
  const asked = text(model);
  await clock.advance(999);
  expect(inner.requests).toHaveLength(1);
  await clock.advance(1);
  expect(inner.requests).toHaveLength(2);
  await clock.advance(1_999);
  expect(inner.requests).toHaveLength(2);
  await clock.advance(1);
  expect(await asked).toBe('at last');
});

test('fails with the last error after so many attempts', async () => {
  const { clock, inner, model } = setUp();
  inner.play(fails(down()), fails(down()), fails(new ModelError('unavailable', 'still down')));
  const { error } = await clock.during(broken(model));
  expect(error).toMatchObject({ message: 'still down' });
  expect(inner.requests).toHaveLength(3);
});

test('waits as long as it was told, and so do all others', async () => {
  const { clock, inner, model } = setUp();
  inner.play(fails(full(7_000)), says('one'), says('two'));
  const first = text(model);
  await settle();
  const second = text(model);
  await clock.advance(6_999);
  expect(inner.requests).toHaveLength(1);
  await clock.advance(1);
  expect((await Promise.all([first, second])).toSorted()).toEqual(['one', 'two']);
});

test('does not wait for a pause that is too long; others hear of it without asking', async () => {
  const { clock, inner, model } = setUp();
  inner.play(fails(full(60_000)));
  expect((await broken(model)).error).toMatchObject({ message: 'full', retryAfterMs: 60_000 });
  await clock.advance(20_000);
  expect((await broken(model)).error).toMatchObject({
    code: 'resource_exhausted',
    message: 'model memory asked for a pause of 40 s',
    retryAfterMs: 40_000,
  });
  expect(inner.requests).toHaveLength(1);
  await clock.advance(40_000);
  inner.play(says('again'));
  expect(await text(model)).toBe('again');
});

test('a server with too much to do is left alone by all, as one with a full quota', async () => {
  const { clock, inner, model } = setUp();
  inner.play(fails(new ModelError('unavailable', 'overloaded', { retryAfterMs: 60_000 })));
  expect((await broken(model)).error).toMatchObject({ message: 'overloaded' });
  expect((await broken(model)).error).toMatchObject({ message: 'model memory asked for a pause of 60 s' });
  expect(inner.requests).toHaveLength(1);
  await clock.advance(60_000);
  inner.play(says('again'));
  expect(await text(model)).toBe('again');
});

test.each([
  ['of one wrong request', new ModelError('invalid_argument', 'wrong', { retryAfterMs: 60_000 })],
  ['of the breaker', new NotAskedError('unavailable', 'not asked', { retryAfterMs: 60_000 })],
])('a wait %s is nobody else’s', async (_, error) => {
  const { inner, model } = setUp();
  inner.play(fails(error), says('at once'));
  await broken(model);
  expect(await text(model)).toBe('at once');
});

test('a pause of 115 days is asked about again after five minutes', async () => {
  const { clock, inner, model } = setUp();
  inner.play(fails(full(9_999_999_000)), says('again'));
  await broken(model);
  await clock.advance(280_000);
  expect((await broken(model)).error).toMatchObject({ message: 'model memory asked for a pause of 20 s' });
  await clock.advance(20_000);
  expect(await text(model)).toBe('again');
});

test.each(['invalid_argument', 'unauthenticated', 'internal', 'deadline_exceeded'] as const)(
  'does not try %s again',
  async (code) => {
    const { inner, model } = setUp();
    inner.play(fails(new ModelError(code, 'no')));
    expect((await broken(model)).error).toMatchObject({ code });
    expect(inner.requests).toHaveLength(1);
  },
);

test('does not try again what has begun to be read', async () => {
  const { inner, model } = setUp();
  inner.play({ parts: [said('half')] });
  const { texts, error } = await broken(model);
  expect(texts).toEqual(['half']);
  expect(error).toMatchObject({ code: 'unavailable' });
  expect(inner.requests).toHaveLength(1);
});

test('a stop ends the wait at once and leaves no timer', async () => {
  const { clock, inner, model } = setUp();
  inner.play(fails(down()));
  const stop = new AbortController();
  const asked = text(model, { signal: stop.signal });
  await settle();
  expect(clock.waiting).toBe(1);
  stop.abort(new CortexError('canceled', 'the job was cancelled'));
  await expect(asked).rejects.toThrow('the job was cancelled');
  expect(clock.waiting).toBe(0);
});
