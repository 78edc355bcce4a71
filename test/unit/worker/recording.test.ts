// The recording of an attempt: whose is kept, what is in it, and that it is there before the attempt is told to be over.
import { expect, test } from 'vitest';
import { z } from 'zod';
import { CortexError } from '#core/errors.ts';
import { createMemoryModel, says } from '#core/model/memory.ts';
import { type AttemptLine, maxRecordingBytes, parseRecording } from '#core/model/recording.ts';
import type { Models } from '#core/model/serve.ts';
import { asking } from '../../../services/worker/asking.ts';
import { defineWorker } from '../../../services/worker/define.ts';
import { createRecorder, type Recording } from '../../../services/worker/recorder.ts';
import { useTool } from '../../../services/worker/tool.ts';
import type { SteppedStage } from '../../helpers/worker-rig.ts';
import { useStage } from '../../helpers/worker-rig.ts';

const makeStage = useStage();
const model = () => createMemoryModel('fast');

async function setUp(of: Recording['of'] = 'asked') {
  const driver = model();
  const models: Models = { default: driver, concurrency: 4, cost: () => 0.5 };
  const input = z.object({
    ...{ ask: z.string().optional(), fail: z.boolean().optional(), artifact: z.string().optional() },
    ...{ hang: z.boolean().optional(), quiet: z.boolean().optional() },
  });
  const worker = defineWorker({
    ...{ topic: 'job.test', pool: 'test', parallel: 4, input },
    async handle({ ask, fail, artifact, hang, quiet }, context) {
      const begun = context.now();
      if (artifact !== undefined) await context.artifact(artifact, new Uint8Array(10));
      const answer = ask && (await asking(models, context).ask({ messages: [{ role: 'user', content: ask }] }));
      if (hang === true) await new Promise((_, reject) => context.signal.addEventListener('abort', reject));
      if (fail === true) throw new CortexError('failed_precondition', 'it would not');
      return { begun, ...(quiet !== true && { answer }) };
    },
  });
  const stage = await makeStage([worker], { host: { recording: { of, model: 'fast' } } });
  return { stage, driver };
}

const asked = { record: 'true' };

function readRecording(text: string) {
  const read = parseRecording(text);
  if (!read.ok) throw new Error(read.error);
  return read.value;
}

const readBytes = (bytes: Uint8Array) => readRecording(new TextDecoder().decode(bytes));

async function recordingOf(stage: SteppedStage, id: string) {
  const found = await stage.store.recording(id, 'default');
  if (found?.recording === undefined || found.recording === null) return undefined;
  return { ...readRecording(found.recording), payload: found.payload, result: found.result };
}

test('holds what was asked and answered, the clock, the job and the end', async () => {
  const { stage, driver } = await setUp();
  driver.play(says('hi there', 'other'));
  const { id, fence } = await stage.run({ payload: { ask: 'hello' }, env: { ...asked, team: 'a' } });
  await stage.clock.during(stage.seen('committed', id));
  expect(await recordingOf(stage, id)).toEqual({
    attempt: {
      ...{ type: 'attempt', version: 1, topic: 'job.test', tenant: 'default', trace_id: `t-${id}`, worker: 'w0' },
      ...{ fence, attempt: 1, constraints: '', model: 'fast' },
      request: expect.objectContaining({ jobId: id, env: { record: 'true', team: 'a' } }) as unknown,
    },
    exchanges: [
      {
        type: 'exchange',
        request: { messages: [{ role: 'user', content: 'hello' }] },
        parts: [
          { type: 'text', text: 'hi there' },
          {
            ...{ type: 'end', model: 'other', finish: 'stop', cost: 0.5 },
            usage: { inputTokens: 3, outputTokens: 2 },
          },
        ],
      },
    ],
    end: {
      ...{ type: 'end', times: [stage.clock.now()], status: 'SUCCEEDED', error_code: '', error_message: '' },
      ...{ deadline: false, cut: false },
    },
    payload: '{"ask":"hello"}',
    result: await stage.store.result(id, 'default'),
  });
  expect((await stage.view(id)).artifactPtrs).toEqual([`redis://res:${id}-exchanges-${fence}`]);
});

test('is kept of an attempt that fails, with the error of the model', async () => {
  const { stage, driver } = await setUp();
  driver.play({ parts: [{ type: 'text', text: 'half' }] });
  const { id } = await stage.run({ payload: { ask: 'x' }, env: asked });
  await stage.clock.during(stage.seen('committed', id));
  expect(await recordingOf(stage, id)).toMatchObject({
    exchanges: [
      { parts: [{ text: 'half' }], error: { code: 'unavailable', message: 'the answer of model fast was cut off' } },
    ],
    end: { status: 'FAILED', error_code: 'unavailable', error_message: 'the answer of model fast was cut off' },
    result: null,
  });
});

test('is kept of an attempt whose time was over', async () => {
  const { stage, driver } = await setUp();
  driver.play(says('hi', 'fast'));
  const { id } = await stage.run({ payload: { ask: 'x', hang: true }, env: asked, timeoutMs: 1_500 });
  await stage.clock.during(stage.seen('committed', id));
  expect(await stage.view(id)).toMatchObject({ state: 'TIMEOUT' });
  expect(await recordingOf(stage, id)).toMatchObject({
    exchanges: [{ parts: [{ text: 'hi' }, {}] }],
    end: { status: 'TIMEOUT', deadline: true },
  });
});

test('of attempts that are tried again the newest is shown', async () => {
  const { stage, driver } = await setUp();
  driver.play({ parts: [] }, says('hi', 'fast'));
  const first = await stage.run({ payload: { ask: 'x' }, env: asked, maxRetries: 1 });
  const { id } = first;
  await stage.clock.during(stage.seen('committed', id));
  expect(await recordingOf(stage, id)).toMatchObject({ attempt: { attempt: 1 }, end: { status: 'FAILED' } });
  stage.told.length = 0;
  await stage.clock.advance(2_000);
  const seen = { state: 'SCHEDULED', fence: first.fence } as const;
  await stage.store.requeue([{ id, tenant: 'default', seen, why: 'ready', delayMs: 0 }]);
  const [again] = (await stage.claim()).jobs;
  if (again === undefined) throw new Error('nothing to claim');
  await stage.send(again);
  await stage.clock.during(stage.seen('committed', id));
  expect(await recordingOf(stage, id)).toMatchObject({
    attempt: { attempt: 2, fence: again.fence },
    end: { status: 'SUCCEEDED' },
  });
  expect((await stage.view(id)).artifactPtrs).toEqual([`redis://res:${id}-exchanges-${again.fence}`]);
});

test.each<[Recording['of'], Record<string, string>, boolean, boolean]>([
  ['asked', { record: 'true' }, true, true],
  ['asked', { record: 'false' }, true, false],
  ['asked', { record: 'TRUE' }, true, false],
  ['asked', {}, true, false],
  ['all', {}, true, true],
  ['all', {}, false, false],
  ['all', { record: 'true' }, false, true],
  ['off', { record: 'true' }, true, false],
])('MODEL_RECORD=%s, env %j, asking a model %s: %s', async (of, env, ask, kept) => {
  const { stage, driver } = await setUp(of);
  driver.play(says('hi', 'fast'));
  const { id } = await stage.run({ payload: ask ? { ask: 'x' } : {}, env });
  await stage.clock.during(stage.seen('committed', id));
  expect((await recordingOf(stage, id)) !== undefined).toBe(kept);
  expect(stage.outage.counts.get('artifact') ?? 0).toBe(kept ? 1 : 0);
});

test('says that it is cut when there is too much to keep, and stays small', async () => {
  const { stage, driver } = await setUp();
  driver.play(says('y'.repeat(999_000), 'fast'));
  const { id } = await stage.run({ payload: { ask: 'ä'.repeat(maxRecordingBytes / 2) }, env: asked });
  await stage.clock.during(stage.seen('committed', id));
  expect(await stage.view(id)).toMatchObject({ state: 'SUCCEEDED' });
  expect(await recordingOf(stage, id)).toMatchObject({ exchanges: [], end: { status: 'SUCCEEDED', cut: true } });
});

const first: AttemptLine = {
  ...{ type: 'attempt', version: 1, topic: 'job.test', tenant: 'default', trace_id: 't', worker: 'w', fence: '1' },
  ...{ attempt: 1, request: {}, constraints: '', model: 'fast' },
};
const end = { status: 'SUCCEEDED', error_code: '', error_message: '', deadline: false };

test('counts what it writes: many small pieces have the same 4 MiB, to the byte', () => {
  const bytesOf = (ask: string): [number, boolean] => {
    const recorder = createRecorder(first, true);
    const exchange = recorder.exchange({ messages: [{ role: 'user', content: ask }] });
    for (let i = 0; i < 130_000; i++) exchange.part({ type: 'text', text: 'word' }, undefined);
    const bytes = recorder.bytes(end, maxRecordingBytes);
    return [bytes.length, readBytes(bytes).end.cut];
  };
  const [length, isCut] = bytesOf('');
  expect(isCut).toBe(false);
  const rest = maxRecordingBytes - length;
  expect(bytesOf('x'.repeat(rest))).toEqual([maxRecordingBytes, false]);
  expect(bytesOf('x'.repeat(rest + 1))).toEqual([expect.any(Number), true]);
});

test('keeps what a tool answered, or that it failed', async () => {
  const recorder = createRecorder(first, true);
  const use = { tool: 'git diff', input: { path: 'a' } };
  expect(await useTool({ recorder }, use, () => Promise.resolve('the diff'))).toBe('the diff');
  const error = new CortexError('unavailable', 'no git');
  await expect(useTool({ recorder }, use, () => Promise.reject(error))).rejects.toBe(error);
  const { exchanges } = readBytes(recorder.bytes(end));
  expect(exchanges).toEqual([
    { type: 'exchange', request: use, parts: [{ type: 'text', text: 'the diff' }] },
    { type: 'exchange', request: use, parts: [], error: { code: 'unavailable', message: 'no git' } },
  ]);
});

test('keeps to the bytes of the policy, and says that it is cut', async () => {
  const { stage, driver } = await setUp();
  driver.play(says('y'.repeat(5_000), 'fast'));
  const constraints = { budgets: { maxArtifactBytes: 6_000n } };
  const { id } = await stage.run({ payload: { ask: 'x'.repeat(1_000), artifact: 'mine' }, env: asked, constraints });
  await stage.clock.during(stage.seen('committed', id));
  expect(await recordingOf(stage, id)).toMatchObject({ exchanges: [], end: { cut: true } });
});

test('what cannot be written down costs the recording, not the job', async () => {
  const { stage, driver } = await setUp();
  let input: unknown = [];
  for (let i = 0; i < 20_000; i++) input = [input];
  driver.play({ parts: [{ type: 'tool_call', id: 'c', name: 't', input }, ...says('hi', 'fast').parts] });
  const { id } = await stage.run({ payload: { ask: 'x', quiet: true }, env: asked });
  await stage.clock.during(stage.seen('committed', id));
  expect(await stage.view(id)).toMatchObject({ state: 'SUCCEEDED' });
  expect(await recordingOf(stage, id)).toMatchObject({ exchanges: [], end: { cut: true } });
});

test('its name is not for handlers', async () => {
  const { stage } = await setUp();
  const { id } = await stage.run({ payload: { artifact: 'exchanges' } });
  await stage.clock.during(stage.seen('committed', id));
  expect(await stage.view(id)).toMatchObject({ state: 'FAILED', errorCode: 'invalid_argument' });
});

test('a store that cannot take it holds no job up', async () => {
  const { stage, driver } = await setUp();
  driver.play(says('hi', 'fast'));
  stage.outage.only = ['artifact'];
  stage.outage.mode = 'down';
  const { id } = await stage.run({ payload: { ask: 'x' }, env: asked });
  await stage.clock.during(stage.seen('done', id));
  expect(await stage.view(id)).toMatchObject({ state: 'SUCCEEDED' });
  expect(await recordingOf(stage, id)).toBeUndefined();
});
