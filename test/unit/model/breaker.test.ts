// The circuit breaker, on a clock that the test steps.
import { expect, test } from 'vitest';
import { withBreaker } from '#core/model/breaker.ts';
import { createMemoryModel, fails, says } from '#core/model/memory.ts';
import { ModelError } from '#core/model/model.ts';
import { createFakeClock, settle } from '../../helpers/clock.ts';
import { broken, hello, said, text } from './read.ts';

const down = (): ModelError => new ModelError('unavailable', 'down: it said "my prompt"', { brief: 'down' });

function setUp() {
  const clock = createFakeClock();
  const inner = createMemoryModel();
  return { clock, inner, model: withBreaker(inner, clock, { failures: 2, openMs: 30_000 }) };
}

async function open({ inner, model }: ReturnType<typeof setUp>): Promise<void> {
  inner.play(fails(down()), fails(down()));
  await broken(model);
  await broken(model);
}

const shut = 'model memory is not asked for a while: it failed 2 times in a row, the last time: down';

test('opens after failures in a row, says when it may be asked again and what went wrong, and asks nobody', async () => {
  const s = setUp();
  await open(s);
  await s.clock.advance(10_000);
  expect((await broken(s.model)).error).toMatchObject({
    code: 'unavailable',
    retryAfterMs: 20_000,
    message: shut,
  });
  expect(s.inner.requests).toHaveLength(2);
});

test('lets one request try; its success closes', async () => {
  const s = setUp();
  await open(s);
  await s.clock.advance(30_000);
  const hold = Promise.withResolvers<void>();
  s.inner.play({ ...says('back'), hold: hold.promise }, says('and on'));
  const trial = text(s.model);
  expect((await broken(s.model)).error).toMatchObject({ code: 'unavailable', retryAfterMs: 1_000 });
  hold.resolve();
  expect(await trial).toBe('back');
  expect(await text(s.model)).toBe('and on');
});

test('a trial that fails opens again for the whole time', async () => {
  const s = setUp();
  await open(s);
  await s.clock.advance(30_000);
  s.inner.play(fails(down()));
  expect((await broken(s.model)).error).toMatchObject({ brief: 'down' });
  expect((await broken(s.model)).error).toMatchObject({ retryAfterMs: 30_000 });
});

test('a trial closes with the first piece of its answer, however long that is; a cut behind it is one failure', async () => {
  const s = setUp();
  await open(s);
  await s.clock.advance(30_000);
  s.inner.play({ parts: [said('well'), said('and on')] }, says('meanwhile'));
  const trial = s.model.stream(hello)[Symbol.asyncIterator]();
  expect(await trial.next()).toMatchObject({ value: said('well') });
  expect(await text(s.model)).toBe('meanwhile');
  expect(await trial.next()).toMatchObject({ value: said('and on') });
  await expect(trial.next()).rejects.toMatchObject({ code: 'unavailable' });
  s.inner.play(says('one is not enough to open it'));
  expect(await text(s.model)).toBe('one is not enough to open it');
});

test('a trial that closed it, and is cut once it is open again, is old news', async () => {
  const s = setUp();
  await open(s);
  await s.clock.advance(30_000);
  s.inner.play({ parts: [said('well')] });
  const trial = s.model.stream(hello)[Symbol.asyncIterator]();
  await trial.next();
  await open(s);
  await s.clock.advance(10_000);
  await expect(trial.next()).rejects.toMatchObject({ code: 'unavailable' });
  expect((await broken(s.model)).error).toMatchObject({ message: shut, retryAfterMs: 20_000 });
});

test('a trial that its caller leaves lets the next one try', async () => {
  const s = setUp();
  await open(s);
  await s.clock.advance(30_000);
  s.inner.play(says('left'), says('back'));
  for await (const part of s.model.stream(hello)) if (part.type === 'text') break;
  expect(await text(s.model)).toBe('back');
});

test.each([
  ['a success', says('late')],
  ['an answer that is no illness', fails(new ModelError('resource_exhausted', 'full'))],
  ['a failure', fails(down())],
])('of a request begun before it opened %s changes nothing', async (_, late) => {
  const s = setUp();
  const hold = Promise.withResolvers<void>();
  s.inner.play({ ...late, hold: hold.promise });
  const old = text(s.model).catch(() => undefined);
  await settle();
  await open(s);
  await s.clock.advance(10_000);
  hold.resolve();
  await old;
  expect((await broken(s.model)).error).toMatchObject({
    message: shut,
    retryAfterMs: 20_000,
  });
});

test('a success, and an answer that is no illness, forget the failures', async () => {
  const s = setUp();
  for (const between of [says('well'), fails(new ModelError('resource_exhausted', 'full'))]) {
    s.inner.play(fails(down()), between, fails(down()), says('still closed'));
    await broken(s.model);
    await text(s.model).catch(() => undefined);
    await broken(s.model);
    expect(await text(s.model)).toBe('still closed');
  }
});

test('a caller who stops is no failure of the model', async () => {
  const s = setUp();
  for (let i = 0; i < 3; i++) {
    const stop = new AbortController();
    s.inner.play({ ...says('never'), hold: new Promise(() => undefined) });
    const asked = text(s.model, { signal: stop.signal });
    stop.abort();
    await expect(asked).rejects.toMatchObject({ code: 'canceled' });
  }
  s.inner.play(says('closed'));
  expect(await text(s.model)).toBe('closed');
});
