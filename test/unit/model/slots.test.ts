// Slots: never more than so many, in order, and none is lost.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { abortable } from '#core/deadline.ts';
import { CortexError } from '#core/errors.ts';
import { createMemoryModel, fails, says } from '#core/model/memory.ts';
import { ModelError } from '#core/model/model.ts';
import { withSlots } from '#core/model/slots.ts';
import { settle } from '../../helpers/clock.ts';
import { broken, hello, text } from './read.ts';

test('the third of two waits, and goes when one is done', async () => {
  const inner = createMemoryModel();
  const model = withSlots(inner, 2);
  const holds = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  inner.play(...holds.map(({ promise }) => ({ ...says('held'), hold: promise })), says('third'));
  const all = [text(model), text(model), text(model)];
  await settle();
  expect(inner.open).toBe(2);
  expect(inner.requests).toHaveLength(2);
  holds[1]?.resolve();
  expect(await all[2]).toBe('third');
  holds[0]?.resolve();
  expect(await Promise.all(all)).toEqual(['held', 'held', 'third']);
});

test('who stops leaves the line, and the next one goes', async () => {
  const inner = createMemoryModel();
  const model = withSlots(inner, 1);
  const hold = Promise.withResolvers<void>();
  inner.play({ ...says('first'), hold: hold.promise }, says('third'));
  const stop = new AbortController();
  const first = text(model);
  const second = text(model, { signal: stop.signal });
  const third = text(model);
  await settle();
  stop.abort(new CortexError('canceled', 'the job was cancelled'));
  await expect(second).rejects.toThrow('the job was cancelled');
  hold.resolve();
  expect(await Promise.all([first, third])).toEqual(['first', 'third']);
});

test('a failure and a reader who leaves give their slot back', async () => {
  const inner = createMemoryModel();
  const model = withSlots(inner, 1);
  inner.play(fails(new ModelError('internal', 'broken')), says('left'), says('free'));
  await broken(model);
  for await (const part of model.stream(hello)) if (part.type === 'text') break;
  expect(await text(model)).toBe('free');
});

test('who stops in the moment in which its turn comes takes no slot along', async () => {
  // The moment is some turns of the queue of promises wide: each of them is tried.
  for (let turns = 0; turns < 40; turns++) {
    const inner = createMemoryModel();
    const model = withSlots(inner, 1);
    const hold = Promise.withResolvers<void>();
    inner.play({ ...says('first'), hold: hold.promise }, says('a'), says('b'));
    const stop = new AbortController();
    const first = text(model);
    const second = text(model, { signal: stop.signal }).catch(() => undefined);
    await settle();
    hold.resolve();
    for (let i = 0; i < turns; i++) await Promise.resolve();
    stop.abort();
    await Promise.all([first, second]);
    expect(await text(model)).toMatch(/^[ab]$/);
  }
}, 5_000);

test('whatever comes, stops and ends in whatever order, the bound holds and in the end every slot is free', async () => {
  const step = fc.constantFrom('ask', 'stop', 'finish');
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 3 }), fc.array(step, { maxLength: 40 }), async (n, steps) => {
      const asked: { hold: PromiseWithResolvers<void>; stop: AbortController; done: Promise<unknown> }[] = [];
      let open = 0;
      const model = withSlots(
        {
          name: 'inner',
          async *stream({ signal, maxTokens = 0 }) {
            open++;
            try {
              await abortable(signal, async () => asked[maxTokens]?.hold.promise);
              yield { type: 'end', model: 'inner', finish: 'stop', usage: undefined };
            } finally {
              open--;
            }
          },
        },
        n,
      );
      const ask = (): void => {
        const stop = new AbortController();
        const request = { signal: stop.signal, maxTokens: asked.length };
        const one = { hold: Promise.withResolvers<void>(), stop, done: Promise.resolve() as Promise<unknown> };
        asked.push(one);
        one.done = text(model, request).catch(() => undefined);
      };
      let [stopped, finished] = [0, 0];
      for (const what of steps) {
        if (what === 'ask') ask();
        else if (what === 'stop') asked[stopped++]?.stop.abort();
        else asked[finished++]?.hold.resolve();
        if (steps.length % 2 === 0) await settle(1); // else all in one turn
        expect(open).toBeLessThanOrEqual(n);
      }
      for (const { hold } of asked) hold.resolve();
      await Promise.all(asked.map(({ done }) => done));
      expect(open).toBe(0);
      for (let i = 0; i <= n; i++) ask();
      await settle(1);
      expect(open).toBe(n);
      for (const { hold } of asked) hold.resolve();
      await Promise.all(asked.map(({ done }) => done));
    }),
    { numRuns: 100 },
  );
});
