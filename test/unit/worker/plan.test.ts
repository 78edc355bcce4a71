// job.workflow.plan: who plans, and that a model can move files but never lose or invent one.
import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { CortexError } from '#core/errors.ts';
import { createMemoryModel, fails, says } from '#core/model/memory.ts';
import { ModelError } from '#core/model/model.ts';
import { riskOrder } from '#core/planning/order.ts';
import { unwrap } from '#core/result.ts';
import { JobRequestSchema } from '#proto/cortex/agent/v1/job_pb.ts';
import type { JobContext } from '../../../services/worker/define.ts';
import { planner } from '../../../services/worker/plan/plan.ts';
import { submits } from '../../helpers/workers/code.ts';
import { jobContext } from '../../helpers/workers/context.ts';

function rig(isThere = true) {
  const model = createMemoryModel();
  const definition = planner(isThere ? { default: model, concurrency: 3, cost: () => 0.5 } : undefined);
  const { run } = definition;
  if (!('here' in run)) throw new Error('it runs here');
  const plan = async (payload: unknown, context: Partial<JobContext> = {}): Promise<unknown> =>
    unwrap(definition.check(await run.here(unwrap(definition.parse(payload)), jobContext(context))));
  return { model, definition, plan };
}

const files = ['src/a.ts', 'src/auth.ts', 'src/a.test.ts', 'go.sum'].map((path) => ({
  path,
  language: 'typescript',
  bytes: 10,
  loc: 2,
}));
const byRules = ['src/auth.ts', 'src/a.ts', 'src/a.test.ts', 'go.sum'];
const usage = { input_tokens: 3, output_tokens: 2, cost: 0.5 };
const order = (...paths: unknown[]) => submits({ files: paths }, 'submit_order');

test('without files the plan is a patch and its explanation, under the name of the workflow', async () => {
  const { plan } = rig();
  const steps = [
    { id: 'patch', topic: 'job.code.llm', adapter_id: 'refactor' },
    { id: 'explain', topic: 'job.chat.simple', adapter_id: 'explain', depends_on: ['patch'] },
  ];
  const fromJob = { job: { ...jobContext().job, request: create(JobRequestSchema, { workflowId: 'w1' }) } };
  expect(await plan({ workflow: 'mine', files: null, file_path: 'x' }, fromJob)).toEqual({
    workflow: 'mine',
    steps,
    planned_by: 'rules',
  });
  expect(await plan(null, fromJob)).toMatchObject({ workflow: 'w1', steps });
  expect(await plan({})).toMatchObject({ workflow: 'code_review_demo', steps });
});

test('without a model rules order the files', async () => {
  const { plan } = rig(false);
  expect(await plan({ workflow: 'w', files })).toEqual({ workflow: 'w', files: byRules, planned_by: 'rules' });
  expect(await plan({ files, max_files: 2 })).toMatchObject({ files: byRules.slice(0, 2) });
  expect(await plan({ files, max_batches: 1, batch_size: 3 })).toMatchObject({ files: byRules.slice(0, 3) });
  expect(await plan({ prompt: '', context: { files, max_files: 1 } })).toMatchObject({ files: ['src/auth.ts'] });
});

test('a model moves files to the front, and can neither lose, double nor invent one', async () => {
  const { model, plan } = rig();
  model.play(
    order({ path: 'go.sum', reason: 'new hash' }, { path: '/etc/passwd', reason: 'x' }, 'src/a.ts', 7, {
      ...{ path: 'go.sum', reason: 'again' },
    }),
  );
  expect(await plan({ workflow: 'w', files })).toEqual({
    ...{ workflow: 'w', planned_by: 'model', model: 'memory', usage },
    files: ['go.sum', 'src/a.ts', 'src/auth.ts', 'src/a.test.ts'],
    reasons: [{ path: 'go.sum', reason: 'new hash' }],
  });
  const [request] = model.requests;
  expect(request?.tools).toMatchObject([{ name: 'submit_order' }]);
  expect(request?.messages[1]?.content.split('\n').slice(0, 2)).toEqual([
    '"src/auth.ts" typescript 2 lines 10 bytes',
    '"src/a.ts" typescript 2 lines 10 bytes',
  ]);
});

test('a model does not bring back what the cap left out', async () => {
  const { model, plan } = rig();
  model.play(order('go.sum', 'src/a.ts'));
  expect(await plan({ files, max_files: 2 })).toMatchObject({
    planned_by: 'model',
    files: ['src/a.ts', 'src/auth.ts'],
  });
});

test.each([
  ['JSON', '{"files": ["src/a.ts"]}'],
  ['JSON in a fence', 'Here:\n```json\n{"files": [{"path": "src/a.ts"}]}\n```'],
  ['a call that is written as a text', '{"name": "submit_order", "arguments": {"files": ["src/a.ts"]}}'],
])('an answer as %s counts, from a model without tools as well', async (_name, text) => {
  const { model, plan } = rig();
  model.play(says(text), fails(new ModelError('invalid_argument', 'no tools')), says(text));
  for (let i = 0; i < 2; i++)
    expect(await plan({ files })).toMatchObject({
      planned_by: 'model',
      files: ['src/a.ts', 'src/auth.ts', 'src/a.test.ts', 'go.sum'],
    });
  expect(model.requests.map(({ tools }) => tools?.length)).toEqual([1, 1, undefined]);
});

test.each([
  ['that fails', fails(new ModelError('unavailable', 'model memory answered 500')), 'model memory answered 500'],
  ['that answers words', says('I like them all.'), 'model memory: its answer holds no order'],
  ['that answers half of JSON', says('{"files": ["src/a.ts"'), 'model memory: its answer holds no order'],
  ['that knows none of them', order('x', 'y'), 'model memory: its answer names none of the files'],
  [
    'that answers another shape',
    submits({ files: 'src/a.ts' }, 'submit_order'),
    'model memory: its answer holds no order',
  ],
  ['that says nothing', says(''), 'model memory answered without a text (stop)'],
])('a model %s: rules plan, and the result says why', async (_name, turn, note) => {
  const { model, plan } = rig();
  model.play(turn);
  expect(await plan({ files })).toMatchObject({ planned_by: 'rules', files: byRules, note });
});

test('a job that is told to stop is no plan by rules', async () => {
  const { model, plan } = rig();
  model.play({ ...says('never'), hold: new Promise(() => undefined) });
  const stop = new AbortController();
  const planned = plan({ files }, { signal: stop.signal });
  stop.abort(new CortexError('canceled', 'the job was cancelled'));
  await expect(planned).rejects.toThrow('the job was cancelled');
});

test('a long list is cut for the model, not for the plan', async () => {
  const { model, plan } = rig();
  const many = Array.from({ length: 1_000 }, (_, i) => ({ path: `src/${'x'.repeat(60)}/${i}.ts` }));
  model.play(order(many[900]?.path));
  const { files: planned } = (await plan({ files: many, max_files: 1_000 })) as { files: string[] };
  const rules = riskOrder(
    many.map(({ path }) => ({ path, language: '', bytes: 0, loc: 0 })),
    { maxFiles: 1_000, batchSize: 0, maxBatches: 0 },
  );
  expect(planned).toEqual([
    many[900]?.path,
    ...rules.map(({ path }) => path).filter((path) => path !== many[900]?.path),
  ]);
  expect(model.requests[0]?.messages[1]?.content.length).toBeLessThan(20_001);
});

test.each<[string, unknown]>([
  ['files', { files: 'all' }],
  ['files.1.path', { files: [{ path: 'a' }, {}] }],
  ['files.0.bytes', { files: [{ path: 'a', bytes: -1 }] }],
  ['max_files', { max_files: 1.5 }],
  ['max_batches', { context: { max_batches: '3' } }],
  ['batch_size', { batch_size: -1 }],
  ['workflow', { workflow: 3 }],
  ['payload', [1]],
])('a wrong %s is refused by that name', (field, payload) => {
  expect(planner(undefined).parse(payload)).toMatchObject({ ok: false, error: { code: 'invalid_argument', field } });
});
