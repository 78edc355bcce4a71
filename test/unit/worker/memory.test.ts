// A chat with a memory: which one a job speaks with, what the engine is asked for, what is remembered.
import { create } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import type { Engine, GivenWindow, WantedWindow } from '#core/context/engine.ts';
import type { Saying } from '#core/context/memory/log.ts';
import { CortexError } from '#core/errors.ts';
import { createMemoryModel, fails, says } from '#core/model/memory.ts';
import { ModelError } from '#core/model/model.ts';
import { JobRequestSchema } from '#proto/cortex/agent/v1/job_pb.ts';
import { chatAdvanced } from '../../../services/worker/chat-advanced.ts';
import { memoryOf } from '../../../services/worker/memory.ts';
import { patientEngine } from '../../../services/worker/patient-engine.ts';
import { createFakeClock } from '../../helpers/clock.ts';
import { noEngine } from '../../helpers/context/no-engine.ts';
import { jobContext } from '../../helpers/workers/context.ts';

const jobOf = (env: Record<string, string>, more: object = {}) => ({
  id: 'job-1',
  request: create(JobRequestSchema, { jobId: 'job-1', topic: 'job.chat.advanced', env, ...more }),
});

describe('which memory', () => {
  test.each([
    [{}, undefined],
    [{ memory_id: 'm' }, { memory: 'm', mode: 'chat' }],
    [
      { memory_id: 'm', context_mode: 'RAG' },
      { memory: 'm', mode: 'rag' },
    ],
    [{ memory_id: 'm', context_mode: 'raw' }, undefined],
    [{ memory_id: 'session:job-1' }, undefined],
    [
      { memory_id: 'session:job-1', context_mode: 'chat' },
      { memory: 'session:job-1', mode: 'chat' },
    ],
    [{ memory_id: 'session:job-2' }, { memory: 'session:job-2', mode: 'chat' }],
  ])('%o', (env, memory) => expect(memoryOf(jobOf(env as Record<string, string>), 'chat')).toEqual(memory));

  test('a step of a run has not the one that the gateway gave to its run', () => {
    const step = jobOf({ memory_id: 'session:run-1' }, { parentJobId: 'run-1', workflowId: 'run-1' });
    expect(memoryOf(step, 'rag')).toBeUndefined();
  });

  test('a mode that there is not is named', () => {
    expect(() => memoryOf(jobOf({ memory_id: 'm', context_mode: 'all' }), 'chat')).toThrow(
      'env.context_mode: must be raw, chat or rag',
    );
  });
});

function setUp(engine?: Partial<Engine>) {
  const model = createMemoryModel();
  const asked: WantedWindow[] = [];
  const kept: { memory: string; said: readonly Saying[] }[] = [];
  const window: GivenWindow = {
    messages: [
      { role: 'system', content: 'memory 0, 2027-01-15\nRex' },
      { role: 'user', content: 'who?' },
    ],
    ...{ inputTokens: 12, limit: 500, estimated: false, next: 2, repository: '', commit: '', epoch: 'e1' },
    sources: [{ message: 0, source: 'memory 0, 2027-01-15', score: 1.23456, reason: 'says dog', tokens: 7 }],
  };
  const definition = chatAdvanced(
    { default: model, concurrency: 3, cost: () => undefined, providerModel: 'gpt-4o', promptTokens: 500 },
    {
      ...noEngine,
      window: async (wanted) => {
        asked.push(wanted);
        return Promise.resolve(window);
      },
      ...engine,
    },
  );
  const { run } = definition;
  if (!('here' in run)) throw new Error('it runs here');
  const ask = async (env: Record<string, string>) => {
    const { request } = jobOf(env);
    const context = jobContext({
      job: { ...jobContext().job, request },
      remember: (memory, said) => void kept.push({ memory, said }),
    });
    const input = definition.parse({ prompt: 'who?' });
    if (!input.ok) throw input.error;
    return run.here(input.value, context);
  };
  return { model, asked, kept, ask };
}

test('asks for a window within what the model has room for, and remembers what was answered', async () => {
  const { model, asked, kept, ask } = setUp();
  model.play(says('Rex'));
  const result = await ask({ memory_id: 'm', max_input_tokens: '8000' });
  expect(asked).toMatchObject([{ memory: 'm', mode: 'chat', model: 'gpt-4o', prompt: 'who?', maxInputTokens: 500 }]);
  expect(model.requests[0]?.messages.map(({ content }) => content)).toEqual(['memory 0, 2027-01-15\nRex', 'who?']);
  expect(kept).toEqual([
    {
      memory: 'm',
      said: [
        { role: 'user', content: 'who?' },
        { role: 'assistant', content: 'Rex' },
      ],
    },
  ]);
  expect(result).toMatchObject({
    response: 'Rex',
    context: {
      ...{ memory_id: 'm', mode: 'chat', messages: 2, input_tokens: 12, limit: 500, before: 2, counted_for: 'gpt-4o' },
      ...{ epoch: 'e1', history: 0 },
      sources: [{ source: 'memory 0, 2027-01-15', score: 1.235, reason: 'says dog', tokens: 7 }],
    },
  });
});

test('a model that fails, and a job that spoke with no memory, remember nothing', async () => {
  const { model, asked, kept, ask } = setUp();
  model.play(fails(new ModelError('unavailable', 'away')));
  await expect(ask({ memory_id: 'm' })).rejects.toThrow('away');
  model.play(says('hello'));
  await ask({ memory_id: 'm', context_mode: 'raw' });
  expect(asked).toHaveLength(1);
  expect(kept).toEqual([]);
});

test('an engine that is away is asked again for a while, and then the job fails with it', async () => {
  const clock = createFakeClock();
  let calls = 0;
  const engine = patientEngine(
    {
      ...noEngine,
      window: () => {
        calls++;
        return Promise.reject(new CortexError('unavailable', 'the context engine is away'));
      },
    },
    clock,
  );
  const { ask } = setUp(engine);
  await expect(clock.during(ask({ memory_id: 'm' }), 500)).rejects.toMatchObject({ code: 'unavailable' });
  expect(calls).toBeGreaterThan(20);
});
