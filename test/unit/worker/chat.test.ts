// job.chat.simple with a model: what it answers, and what a failure becomes. Without one: host.test.ts.
import { expect, test } from 'vitest';
import { CortexError } from '#core/errors.ts';
import { createMemoryModel, fails, says } from '#core/model/memory.ts';
import { ModelError } from '#core/model/model.ts';
import type { Models } from '#core/model/serve.ts';
import { chat } from '../../../services/worker/chat.ts';
import { jobContext } from '../../helpers/workers/context.ts';

function setUp(cost: number | undefined = 0.5) {
  const model = createMemoryModel();
  const models: Models = { default: model, concurrency: 3, cost: () => cost };
  const { run, parallel } = chat(models);
  if (!('here' in run)) throw new Error('it runs here');
  const ask = async (prompt: string, signal = new AbortController().signal, env: Record<string, string> = {}) => {
    const { job } = jobContext();
    return run.here({ prompt }, jobContext({ signal, job: { ...job, request: { ...job.request, env } } }));
  };
  return { model, parallel, ask };
}

test('gives the text, the model that answered, and the usage', async () => {
  const { model, parallel, ask } = setUp();
  model.play(says('hi there', 'other'));
  expect(await ask('hello')).toEqual({
    job_id: 'job-1',
    prompt: 'hello',
    response: 'hi there',
    processed_by: 'worker-1',
    completed_at: '2027-01-15T08:00:00Z',
    model: 'other',
    finish: 'stop',
    usage: { input_tokens: 3, output_tokens: 2, cost: 0.5 },
  });
  expect(model.requests[0]?.messages).toEqual([{ role: 'user', content: 'hello' }]);
  expect(parallel).toBe(3);
});

test('tells no cost and no usage that it does not know', async () => {
  const { model, ask } = setUp(undefined);
  model.play(says('a'), {
    parts: [
      { type: 'text', text: 'b' },
      { type: 'end', model: 'memory', finish: 'length', usage: undefined },
    ],
  });
  expect(await ask('x')).toMatchObject({ usage: { input_tokens: 3, output_tokens: 2 } });
  const second = await ask('x');
  expect(second).toMatchObject({ response: 'b', finish: 'length' });
  expect(second).not.toHaveProperty('usage');
});

test('a model that fails is a failure, never an echo', async () => {
  const { model, ask } = setUp();
  const error = new ModelError('unavailable', 'model memory answered 500');
  model.play(fails(error), { parts: [{ type: 'text', text: 'half' }] });
  await expect(ask('x')).rejects.toBe(error);
  await expect(ask('x')).rejects.toMatchObject({ code: 'unavailable' });
});

test('an answer without a text is a failure; an empty prompt is not sent', async () => {
  const { model, ask } = setUp();
  model.play({ parts: [{ type: 'end', model: 'memory', finish: 'filtered', usage: undefined }] });
  await expect(ask('x')).rejects.toMatchObject({
    code: 'internal',
    message: 'model memory answered without a text (filtered)',
  });
  await expect(ask(' ')).rejects.toMatchObject({ code: 'invalid_argument', field: 'prompt' });
  expect(model.requests).toHaveLength(1);
});

test('the signal of the attempt reaches the model', async () => {
  const { model, ask } = setUp();
  model.play({ ...says('never'), hold: new Promise(() => undefined) });
  const stop = new AbortController();
  const asked = ask('x', stop.signal);
  stop.abort(new CortexError('canceled', 'the job was cancelled'));
  await expect(asked).rejects.toThrow('the job was cancelled');
  expect(model.open).toBe(0);
});

test('max_output_tokens of the request bounds the answer', async () => {
  const { model, ask } = setUp();
  model.play(says('hi'));
  await ask('hello', undefined, { max_output_tokens: '7' });
  expect(model.requests[0]?.maxTokens).toBe(7);
});
