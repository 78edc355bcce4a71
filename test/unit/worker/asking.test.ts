// An answer with nothing in it, as an attempt hears of it.
import { expect, test } from 'vitest';
import { createMemoryModel } from '#core/model/memory.ts';
import { asking } from '../../../services/worker/asking.ts';

test.each([
  ['length', 'model memory reached its bound of tokens before it had said anything whole'],
  ['stop', 'model memory answered without a text (stop)'],
] as const)('one that ended by %s says why there is nothing', async (finish, message) => {
  const model = createMemoryModel();
  model.play({ parts: [{ type: 'end', model: 'memory', finish, usage: undefined }] });
  const models = { default: model, concurrency: 1, cost: () => undefined };
  const context = { signal: new AbortController().signal };
  const asked = asking(models, context).ask({ messages: [{ role: 'user', content: 'x' }] });
  await expect(asked).rejects.toMatchObject({ code: 'internal', message });
});
