// job.workflow.demo: a patch and the explanation of that very patch; with a planner, and with plans that cannot be done. The real workers
// with a model in memory; the plan is a worker's of the test.
import { beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createMemoryModel, says } from '#core/model/memory.ts';
import type { Models } from '#core/model/serve.ts';
import { chat } from '../../../services/worker/chat.ts';
import { codeLlm } from '../../../services/worker/code/code.ts';
import { defineWorker } from '../../../services/worker/define.ts';
import { planner } from '../../../services/worker/plan/plan.ts';
import { demo } from '../../../services/orchestrator/demo.ts';
import { noEngine } from '../../helpers/context/no-engine.ts';
import { makeWorld } from './world.ts';

// Long enough that a patch does not show its end.
const rest = Array.from({ length: 20 }, (_, i) => `// line ${i}\n`).join('');
const input = { file_path: 'src/a.ts', code_snippet: `const a = 1;\n${rest}`, instruction: 'make it 2' };
const topics = ['job.code.llm', 'job.chat.simple', 'job.workflow.plan', 'job.plan.test'];
const fixed = `\`\`\`\nconst a = 2;\n${rest}\`\`\``;
const patch = { type: 'unified_diff', content: expect.stringContaining('+const a = 2;') as string };

let model = createMemoryModel();
beforeEach(() => {
  model = createMemoryModel();
});

async function setUp(options: { readonly usePlanner: boolean; readonly plan?: unknown }) {
  const models: Models = { default: model, concurrency: 4, cost: () => undefined };
  const test = options.plan !== undefined;
  const plannerTopic = test ? 'job.plan.test' : 'job.workflow.plan';
  const world = await makeWorld({ workflows: demo({ usePlanner: options.usePlanner, plannerTopic }), topics });
  const asked: unknown[] = [];
  const planning = defineWorker({
    ...{ topic: 'job.plan.test', pool: 'plan.test', parallel: 1, input: z.unknown() },
    handle(facts) {
      asked.push(facts);
      return options.plan;
    },
  });
  const pooled = (worker: ReturnType<typeof chat>) => ({ ...worker, pool: worker.topic.slice(4) });
  await world.work([pooled(codeLlm(models, noEngine)), pooled(chat(models)), pooled(planner(undefined)), planning]);
  await world.orchestrate();
  return { world, asked, start: (more = {}) => world.submit('job.workflow.demo', input, more) };
}

describe('plain', () => {
  test('a patch, and an explanation by a model that sees the code and that very patch', async () => {
    const { world, start } = await setUp({ usePlanner: false });
    model.play(says(fixed), says('it makes a two'));
    const id = await start();
    expect(await world.ended(id)).toMatchObject({ state: 'SUCCEEDED' });
    expect(await world.result(id)).toEqual({
      ...{ file_path: 'src/a.ts', original_code: input.code_snippet, instruction: input.instruction },
      ...{ patch, explanation: 'it makes a two', workflow_id: id },
    });
    const [code, explain] = model.requests.map(({ messages }) => JSON.stringify(messages));
    expect(code).toContain('const a = 1;');
    expect(explain).toContain('+const a = 2;');
    expect(explain).toContain('const a = 1;');
    expect(explain).toContain('// line 19');
    expect(explain).toContain('make it 2');
  });

  test('the children are what clients of the original expect', async () => {
    const { world, start } = await setUp({ usePlanner: false });
    model.play(says(fixed), says('x'));
    const id = await start({ workflowId: 'wf-7' });
    expect(await world.ended(id)).toMatchObject({ state: 'SUCCEEDED' });
    expect(await world.result(id)).toMatchObject({ workflow_id: 'wf-7' });
    expect(await world.payload(`${id}.patch.1`)).toEqual({
      ...input,
      ...{ patch: null, step_index: 0, workflow_id: 'wf-7', prompt: 'make it 2' },
    });
    expect(await world.payload(`${id}.explain.1`)).toMatchObject({ patch, step_index: 1, workflow_id: 'wf-7' });
  });

  test('without a model it fails with what to set', async () => {
    const world = await makeWorld({
      workflows: demo({ usePlanner: false, plannerTopic: 'job.workflow.plan' }),
      topics,
    });
    await world.work([{ ...codeLlm(undefined, noEngine), pool: 'code.llm' }]);
    await world.orchestrate();
    const view = await world.ended(await world.submit('job.workflow.demo', input));
    expect(view).toMatchObject({ state: 'FAILED', errorCode: 'unavailable' });
    // Its worker said that another try would not help.
    expect(await world.store.view(`${view.id}.patch.2`, 'default')).toBeUndefined();
    expect(view.errorMessage).toMatch(/^patch failed: .*OLLAMA_MODEL/);
  });

  test('input without a file is refused by name', async () => {
    const { world } = await setUp({ usePlanner: false });
    const view = await world.ended(await world.submit('job.workflow.demo', { ...input, file_path: '../x' }));
    expect(view).toMatchObject({ state: 'FAILED', errorCode: 'invalid_argument' });
    expect(view.errorMessage).toMatch(/^file_path: /);
  });
});

describe('with a planner', () => {
  test('the steps are those of the plan', async () => {
    const { world, start } = await setUp({ usePlanner: true });
    model.play(says(fixed), says('planned'));
    const id = await start();
    expect(await world.ended(id)).toMatchObject({ state: 'SUCCEEDED' });
    expect(await world.result(id)).toMatchObject({ patch, explanation: 'planned' });
    expect(await world.payload(`${id}.plan.1`)).toMatchObject({
      ...input,
      workflow: 'code_review_demo',
      step_index: -1,
    });
  });

  test('in the order of their dependencies, however they are listed', async () => {
    const steps = [
      { id: 'why', topic: 'job.chat.simple', depends_on: ['b'] },
      { id: 'a', topic: 'job.code.llm' },
      { id: 'b', topic: 'job.code.llm', depends_on: ['a'] },
    ];
    const { world, start } = await setUp({ usePlanner: true, plan: { steps } });
    model.play(says(fixed), says(fixed), says('why'));
    const id = await start();
    expect(await world.ended(id)).toMatchObject({ state: 'SUCCEEDED' });
    expect(await world.view(`${id}.why.1`)).toMatchObject({ state: 'SUCCEEDED' });
  });

  test('with ids that are no keys, or look like keys of ours', async () => {
    const steps = [
      { id: 'step-1', topic: 'job.code.llm' },
      { id: 'Explain It', topic: 'job.chat.simple', depends_on: ['step-1'] },
    ];
    const { world, start } = await setUp({ usePlanner: true, plan: { steps } });
    model.play(says(fixed), says('explained'));
    const id = await start();
    expect(await world.ended(id)).toMatchObject({ state: 'SUCCEEDED' });
    expect(await world.result(id)).toMatchObject({ explanation: 'explained' });
  });

  const chatStep = { id: 'x', topic: 'job.chat.simple' };
  const codeStep = { id: 'p', topic: 'job.code.llm' };
  test.each([
    [{ steps: [] }, 'it has no steps'],
    [{}, 'it has no steps'],
    [{ steps: [{ id: 'e', topic: 'job.echo' }] }, 'step "e" has the topic job.echo'],
    [{ steps: [chatStep, codeStep] }, 'step "x" explains a patch before there is one'],
    [
      {
        steps: [
          { ...codeStep, depends_on: ['x'] },
          { ...chatStep, depends_on: ['p'] },
        ],
      },
      'waits for itself',
    ],
    [{ steps: [codeStep, { ...chatStep, depends_on: ['q'] }] }, 'there is no such step'],
    [{ steps: [codeStep, codeStep] }, 'is there twice'],
  ])('%j cannot be done: %s', async (plan, problem) => {
    const { world, start } = await setUp({ usePlanner: true, plan });
    const view = await world.ended(await start());
    expect(view).toMatchObject({ state: 'FAILED', errorCode: 'failed_precondition' });
    expect(view.errorMessage).toContain(problem);
  });
});
