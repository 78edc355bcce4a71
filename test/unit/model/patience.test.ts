// Patience with silence, on a clock that the test steps.
import { expect, test } from 'vitest';
import { createMemoryModel, says } from '#core/model/memory.ts';
import type { Model } from '#core/model/model.ts';
import { withPatience } from '#core/model/patience.ts';
import { createFakeClock, settle } from '../../helpers/clock.ts';
import { hello, said, text } from './read.ts';

test('gives up a model that says nothing, and ends its request', async () => {
  const clock = createFakeClock();
  const inner = createMemoryModel();
  const model = withPatience(inner, clock, 45_000);
  inner.play({ ...says('never'), hold: new Promise(() => undefined) });
  const asked = text(model);
  asked.catch(() => undefined); // heard below
  await clock.advance(44_999);
  expect(inner.open).toBe(1);
  await clock.advance(1);
  await expect(asked).rejects.toMatchObject({
    code: 'deadline_exceeded',
    message: 'model memory said nothing for 45 s',
  });
  expect([inner.open, clock.waiting]).toEqual([0, 0]);
});

test('does not count the time that the reader takes', async () => {
  const clock = createFakeClock();
  const inner = createMemoryModel();
  const model = withPatience(inner, clock, 1_000);
  inner.play({ parts: [said('a'), said('b'), ...says('c').parts] });
  const texts: string[] = [];
  for await (const part of model.stream(hello)) {
    await clock.advance(5_000);
    if (part.type === 'text') texts.push(part.text);
  }
  expect(texts).toEqual(['a', 'b', 'c']);
  expect(clock.waiting).toBe(0);
});

test('passes on why its caller stopped', async () => {
  const clock = createFakeClock();
  const inner = createMemoryModel();
  const stop = new AbortController();
  inner.play({ ...says('never'), hold: new Promise(() => undefined) });
  const asked = text(withPatience(inner, clock, 1_000), { signal: stop.signal });
  await settle();
  stop.abort();
  await expect(asked).rejects.toMatchObject({ code: 'canceled' });
  expect(clock.waiting).toBe(0);
});

test('a model that is at work is not silent, though nothing of it is handed on', async () => {
  const clock = createFakeClock();
  let signs = 0;
  const thinking: Model = {
    name: 'memory',
    async *stream({ alive }) {
      for (let i = 0; i < 5; i++) {
        await new Promise<void>((resolve) => clock.after(900, resolve));
        alive?.();
      }
      yield* says('after all').parts;
    },
  };
  const asked = text(withPatience(thinking, clock, 1_000), { alive: () => void signs++ });
  await clock.advance(4_500);
  expect(await asked).toBe('after all');
  expect([signs, clock.waiting]).toEqual([5, 0]);
});
