// job.chat.advanced: which prompt and history a payload means, what is given out and answered, and what a failure becomes.
import { create } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { CortexError } from '#core/errors.ts';
import { createMemoryModel, fails, says } from '#core/model/memory.ts';
import { ModelError } from '#core/model/model.ts';
import type { Models } from '#core/model/serve.ts';
import { maxConversationLength } from '#core/protocol/conversation.ts';
import { maxPromptLength } from '#core/protocol/payloads.ts';
import { JobRequestSchema } from '#proto/cortex/agent/v1/job_pb.ts';
import { chatAdvanced } from '../../../services/worker/chat-advanced.ts';
import { noEngine } from '../../helpers/context/no-engine.ts';
import { jobContext } from '../../helpers/workers/context.ts';

function setUp(configured = true) {
  const model = createMemoryModel();
  const models: Models = { default: model, concurrency: 3, cost: () => 0.5 };
  const definition = chatAdvanced(configured ? models : undefined, noEngine);
  const { run } = definition;
  if (!('here' in run)) throw new Error('it runs here');
  const given: string[] = [];
  const ask = async (payload: unknown, env: Record<string, string> = {}, signal = new AbortController().signal) => {
    const input = definition.parse(payload);
    if (!input.ok) throw input.error;
    const base = jobContext();
    const request = create(JobRequestSchema, { jobId: 'job-1', topic: 'job.chat.advanced', env });
    const context = { signal, output: (text: string) => void given.push(text), job: { ...base.job, request } };
    return run.here(input.value, jobContext(context));
  };
  return { model, definition, given, ask };
}

test('gives out each piece as it comes, and answers with all of it', async () => {
  const { model, definition, given, ask } = setUp();
  model.play({
    parts: [
      { type: 'text', text: 'hi ' },
      { type: 'text', text: 'there' },
      { type: 'end', model: 'memory', finish: 'stop', usage: { inputTokens: 3, outputTokens: 2 } },
    ],
  });
  expect(await ask({ prompt: 'hello' })).toEqual({
    ...{ job_id: 'job-1', prompt: 'hello', response: 'hi there', processed_by: 'worker-1' },
    ...{ completed_at: '2027-01-15T08:00:00Z', model: 'memory', finish: 'stop' },
    usage: { input_tokens: 3, output_tokens: 2, cost: 0.5 },
  });
  expect(given).toEqual(['hi ', 'there']);
  expect(definition).toMatchObject({
    ...{ topic: 'job.chat.advanced', pool: 'chat-advanced', capabilities: ['chat-advanced'], parallel: 3 },
  });
});

describe('the prompt', () => {
  const user = (content: string) => ({ role: 'user', content });
  const assistant = { role: 'assistant', content: 'A' };
  test.each([
    [{ prompt: 'p', message: 'm' }, [user('p')]],
    [{ prompt: ' ', message: 'm' }, [user('m')]],
    [{ prompt: null, message: 'm' }, [user('m')]],
    ['as it is', [user('as it is')]],
    [{ question: 1 }, [user('{"question":1}')]],
    [[1, 2], [user('[1,2]')]],
    [{ messages: [user('1'), assistant, user('2')] }, [user('1'), assistant, user('2')]],
    [{ prompt: 'p', messages: [user('1'), assistant] }, [user('1'), assistant, user('p')]],
    // As the gateway stores what came beside an empty prompt.
    [{ prompt: '', topic: 't', context: { messages: [user('1')] } }, [user('1')]],
    [{ prompt: 'p', context: { other: 1 } }, [user('p')]],
    [{ prompt: 'p', context: null }, [user('p')]],
  ])('of %j', async (payload, messages) => {
    const { model, ask } = setUp();
    model.play(says('x'));
    expect(await ask(payload)).toMatchObject({ prompt: messages.at(-1)?.content });
    expect(model.requests[0]?.messages).toEqual(messages);
  });

  const long = user('x'.repeat(maxPromptLength));
  test.each([
    [undefined, 'prompt'],
    [null, 'prompt'],
    [{ prompt: ' ' }, 'prompt'],
    [{ prompt: '', context: {} }, 'prompt'],
    [{ prompt: 1 }, 'prompt'],
    [{ prompt: 'x'.repeat(maxPromptLength + 1) }, 'prompt'],
    [{ a: 'x'.repeat(maxPromptLength + 1) }, 'payload'],
    [{ messages: 'no' }, 'messages'],
    [{ messages: [user('1'), { role: 'robot', content: 'x' }] }, 'messages.1.role'],
    [{ messages: [user('')] }, 'messages.0.content'],
    [{ messages: [user('1'), assistant] }, 'messages.1.role'],
    [{ prompt: '', context: { messages: [assistant] } }, 'context.messages.0.role'],
    [{ prompt: '', context: { messages: [{ role: 'user' }] } }, 'context.messages.0.content'],
    [{ messages: Array.from({ length: 201 }, () => user('x')) }, 'messages'],
    [{ messages: Array.from({ length: maxConversationLength / maxPromptLength + 1 }, () => long) }, 'messages'],
  ])('is refused, case %#, naming the field', async (payload, field) => {
    const { model, ask } = setUp();
    await expect(ask(payload)).rejects.toMatchObject({ code: 'invalid_argument', field });
    expect(model.requests).toEqual([]);
  });
});

describe('max_output_tokens', () => {
  test.each([
    [{}, undefined],
    [{ max_output_tokens: '' }, undefined],
    [{ max_output_tokens: '0' }, undefined],
    [{ max_output_tokens: '77' }, 77],
  ])('%j asks for %s', async (env: Record<string, string>, maxTokens) => {
    const { model, ask } = setUp();
    model.play(says('x'));
    await ask({ prompt: 'p' }, env);
    expect(model.requests[0]?.maxTokens).toBe(maxTokens);
  });

  test.each(['-1', '1.5', 'many', '1e3', ' 7', '12345678901'])('%j is refused', async (max_output_tokens) => {
    const { ask } = setUp();
    await expect(ask({ prompt: 'p' }, { max_output_tokens })).rejects.toMatchObject({
      ...{ code: 'invalid_argument', field: 'env.max_output_tokens' },
    });
  });
});

describe('failure', () => {
  test('without a model is one line that says what to set', async () => {
    const { ask, given } = setUp(false);
    const error = await ask({ prompt: 'p' }).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'unavailable' });
    expect((error as Error).message).toMatch(
      /^[^\n]*OLLAMA_MODEL[^\n]*OLLAMA_URL[^\n]*config\/models.yaml[^\n]*MODELS_PATH[^\n]*$/,
    );
    expect(given).toEqual([]);
  });

  test('of the model is the failure of the job, also after a part of the answer', async () => {
    const { model, ask, given } = setUp();
    const error = new ModelError('unavailable', 'model memory answered 500');
    model.play(fails(error), { parts: [{ type: 'text', text: 'half' }] });
    await expect(ask({ prompt: 'p' })).rejects.toBe(error);
    await expect(ask({ prompt: 'p' })).rejects.toMatchObject({ code: 'unavailable', message: /cut off/ });
    expect(given).toEqual(['half']);
  });

  test('is an answer without a text', async () => {
    const { model, ask } = setUp();
    model.play({ parts: [{ type: 'end', model: 'memory', finish: 'filtered', usage: undefined }] });
    await expect(ask({ prompt: 'p' })).rejects.toMatchObject({ code: 'internal', message: /without a text/ });
  });

  test('follows the signal to the model', async () => {
    const { model, ask } = setUp();
    model.play({ ...says('never'), hold: new Promise(() => undefined) });
    const stop = new AbortController();
    const asked = ask({ prompt: 'p' }, {}, stop.signal);
    stop.abort(new CortexError('canceled', 'the job was cancelled'));
    await expect(asked).rejects.toThrow('the job was cancelled');
    expect(model.open).toBe(0);
  });
});
