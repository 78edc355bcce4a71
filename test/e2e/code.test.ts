// job.code.llm and job.workflow.plan: the real worker process, and a server that speaks the provider's wire format.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCli } from '../helpers/cli.ts';
import { startSystem, type System } from '../helpers/e2e/system.ts';
import { type ModelServer, type ModelTurn, startModelServer } from '../helpers/model-server.ts';
import { type ServiceProcess, startService } from '../helpers/service-process.ts';
import { applied, diffBetween } from '../helpers/workers/code.ts';

let system: System;
let server: ModelServer;
let worker: ServiceProcess;

beforeAll(async () => {
  // The shipped pools and time-outs.
  [system, server] = await Promise.all([startSystem({ config: '../../../config' }), startModelServer()]);
  worker = await startWorker({ OLLAMA_URL: server.url });
}, 60_000);

const startWorker = (env: Readonly<Record<string, string>>): Promise<ServiceProcess> =>
  startService(
    'services/worker/node.ts',
    { NATS_URL: system.nats.url, REDIS_URL: system.redis.url, WORKERS: 'code-llm,planner', WORKER_ID: 'coder', ...env },
    ['metrics'],
  );

afterAll(async () => {
  await worker.stop();
  await system.stop();
  await server.close();
});

const path = 'src/grüße.ts';
const code = 'export function sum(a: number, b: number) {\n  return a - b;\n}\n';
const mended = code.replace('a - b', 'a + b');
const diff = diffBetween(path, code, mended);
const job = { file_path: path, code_snippet: code, instruction: 'sum must add' };

const submits = (input: unknown): ModelTurn => ({ kind: 'tool', name: 'submit_patch', input });
const says = (text: string): ModelTurn => ({ kind: 'whole', pieces: [text.slice(0, 7), text.slice(7)] });

/** Hands in a job as a client of the gateway does. */
async function submit(topic: string, context: unknown, more: object = {}): Promise<string> {
  const { status, body } = await system.http('POST', '/api/v1/jobs', { topic, prompt: 'x', context, ...more });
  expect(status).toBe(202);
  return (body as { job_id: string }).job_id;
}

async function resultOf(id: string): Promise<unknown> {
  await system.reach(id, 'SUCCEEDED');
  return ((await system.http('GET', `/api/v1/jobs/${id}`)).body as { result: unknown }).result;
}

/** Runs a job of code with these answers; how often the model was asked. */
async function asked(...turns: ModelTurn[]): Promise<{ id: string; requests: ModelServer['requests'] }> {
  const before = server.requests.length;
  server.play(...turns);
  const id = await submit('job.code.llm', job);
  const view = (await system.ended([id]))[0];
  expect(['SUCCEEDED', 'FAILED']).toContain(view?.state);
  return { id, requests: server.requests.slice(before) };
}

describe('job.code.llm', () => {
  test('a patch by a call of the tool', { timeout: 30_000 }, async () => {
    const analysis = [{ severity: 'high', description: 'it subtracts' }];
    const { id, requests } = await asked(submits({ diff, summary: 'It adds now.', analysis }));
    const result = await resultOf(id);
    expect(result).toEqual({
      ...{ file_path: path, original_code: code, instruction: 'sum must add' },
      patch: { type: 'unified_diff', content: diff },
      ...{ model: 'ollama', finish: 'tool_calls', usage: { input_tokens: 11, output_tokens: 7, cost: 0 } },
      ...{ repaired: false, summary: 'It adds now.', analysis },
    });
    expect(applied(path, code, diff)).toBe(mended);
    expect(requests).toHaveLength(1);
    // The gateway's own default for a job bounds the answer.
    expect(requests[0]?.body).toMatchObject({ max_tokens: 1024, tools: [{ function: { name: 'submit_patch' } }] });
  });

  test.each<[string, ModelTurn]>([
    [
      'in a text, with wrong counts',
      says(
        `Sure:\n\n\`\`\`diff\n--- ${path}\n+++ ${path}\n@@ -7,1 +9 @@\n-  return a - b;\n+  return a + b;\n\`\`\`\n`,
      ),
    ],
    ['as the whole file in a text', says(`\`\`\`ts\n${mended}\`\`\``)],
    ['as the whole file by the tool', submits({ content: mended, summary: 's' })],
  ])('a patch %s', { timeout: 30_000 }, async (_name, turn) => {
    const { id } = await asked(turn);
    expect(await resultOf(id)).toMatchObject({ patch: { content: diff }, repaired: false });
  });

  test('one repair: the model sees its own answer and the reason', { timeout: 30_000 }, async () => {
    const { id, requests } = await asked(
      submits({ diff: diff.replace('-  return a - b', '-  return a * b') }),
      says(diff),
    );
    expect(await resultOf(id)).toMatchObject({
      patch: { content: diff },
      ...{ repaired: true, finish: 'stop', usage: { input_tokens: 22, output_tokens: 14 } },
    });
    expect(requests).toHaveLength(2);
    const said = requests[1]?.body['messages'] as unknown[] | undefined;
    expect(said?.slice(-2)).toMatchObject([
      { role: 'assistant', tool_calls: [{ id: 'scripted-call-1', function: { name: 'submit_patch' } }] },
      {
        role: 'tool',
        tool_call_id: 'scripted-call-1',
        content: expect.stringContaining('is no line of the file') as unknown,
      },
    ]);
  });

  test.each<[string, ModelTurn[], string]>([
    ['that cannot be used twice', [says('No.'), says('No!')], 'there is no patch in the answer'],
    ['that is empty', [submits({ diff: '' }), submits({ diff: '' })], 'the patch is empty'],
    ['that changes nothing', [submits({ content: code }), submits({ content: code })], 'it changes nothing'],
    [
      'for another file',
      [submits({ diff: diff.replaceAll('src/', 'etc/') }), says('No.')],
      'there is no patch in the answer',
    ],
  ])('a patch %s is a failure with the reason', { timeout: 30_000 }, async (_name, turns, reason) => {
    const { id, requests } = await asked(...turns);
    expect(await system.view(id)).toMatchObject({
      ...{ state: 'FAILED', errorCode: 'internal', attempts: 1 },
      errorMessage: `model ollama gave no patch that can be used, twice: ${reason}`,
    });
    expect(requests).toHaveLength(2);
  });

  test('a recorded one is replayed to the same bytes, without its model and without git', {
    timeout: 60_000,
  }, async () => {
    server.play(submits({ diff: diff.replace('-  return', '-  retour') }), submits({ diff, summary: 'It adds now.' }));
    const id = await submit('job.code.llm', job, { record: true });
    expect(await resultOf(id)).toMatchObject({ repaired: true });
    const before = server.requests.length;
    const env = { CORTEX_URL: system.gateway.process.urls['http'] ?? '' };
    const run = await runCli(['replay', id, '--json'], { env });
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(run.stdout)).toMatchObject({ identical: true, result: await system.store.result(id, 'default') });
    expect(server.requests).toHaveLength(before);
    expect(await runCli(['replay', id], { env })).toMatchObject({
      stdout: 'identical: SUCCEEDED, 2 of 2 exchanges with models, 1 of 1 with tools\n',
    });
    const other = await runCli(['replay', id, '--payload', '-'], {
      env,
      stdin: JSON.stringify({ context: { ...job, code_snippet: `${code}// end\n` } }),
    });
    expect(other).toMatchObject({ code: 1, stdout: expect.stringMatching(/^exchange 1 differs/) as unknown });
  });

  test('a model without tools is asked in words', { timeout: 30_000 }, async () => {
    const { id, requests } = await asked({ kind: 'status', status: 400 }, says(`\`\`\`diff\n${diff}\`\`\``));
    expect(await resultOf(id)).toMatchObject({ patch: { content: diff }, repaired: false });
    expect(requests.map(({ body }) => 'tools' in body)).toEqual([true, false]);
  });

  test('a wrong field is named, and the model not asked', { timeout: 30_000 }, async () => {
    const before = server.requests.length;
    const id = await submit('job.code.llm', { ...job, file_path: '../x' });
    expect(await system.reach(id, 'FAILED')).toMatchObject({
      ...{ errorCode: 'invalid_argument', errorMessage: 'file_path: must not hold empty parts, "." or ".."' },
    });
    expect(server.requests).toHaveLength(before);
  });

  test('cancel ends the request to the model', { timeout: 30_000 }, async () => {
    const before = server.requests.length;
    server.play({ kind: 'endless', piece: 'x' });
    const id = await submit('job.code.llm', job);
    const request = await server.request(before);
    expect((await system.http('POST', `/api/v1/jobs/${id}/cancel`)).status).toBe(200);
    expect(await request.closed).toBe('left');
  });
});

describe('job.workflow.plan', () => {
  const files = ['src/a.go', 'src/auth.go', 'src/a_test.go'].map((name) => ({
    path: name,
    language: 'go',
    bytes: 9,
    loc: 1,
  }));

  test('a model orders the files', { timeout: 30_000 }, async () => {
    server.play({
      kind: 'tool',
      name: 'submit_order',
      input: { files: [{ path: 'src/a_test.go', reason: 'flaky' }, { path: 'x' }] },
    });
    const id = await submit('job.workflow.plan', { workflow: 'repo_code_review', files });
    expect(await resultOf(id)).toEqual({
      ...{ workflow: 'repo_code_review', planned_by: 'model', model: 'ollama' },
      files: ['src/a_test.go', 'src/auth.go', 'src/a.go'],
      ...{
        reasons: [{ path: 'src/a_test.go', reason: 'flaky' }],
        usage: { input_tokens: 11, output_tokens: 7, cost: 0 },
      },
    });
  });

  test('a model that answers rubbish: rules do', { timeout: 30_000 }, async () => {
    server.play(says('As you like.'));
    const id = await submit('job.workflow.plan', { files, max_files: 2 });
    expect(await resultOf(id)).toMatchObject({
      ...{ planned_by: 'rules', note: 'model ollama: its answer holds no order' },
      files: ['src/auth.go', 'src/a.go'],
    });
  });
});

test('without a model: code fails at once with what to set, and plans are made by rules', {
  timeout: 30_000,
}, async () => {
  await worker.stop();
  worker = await startWorker({});
  const id = await submit('job.code.llm', job);
  expect(await system.reach(id, 'FAILED')).toMatchObject({
    ...{ errorCode: 'unavailable', attempts: 1 },
    errorMessage: expect.stringMatching(
      /^no model is configured: set OLLAMA_MODEL .*OLLAMA_URL.*config\/models\.yaml \(MODELS_PATH\)$/,
    ) as unknown,
  });
  const plan = await submit('job.workflow.plan', {});
  expect(await resultOf(plan)).toMatchObject({
    workflow: 'code_review_demo',
    planned_by: 'rules',
    steps: [{ id: 'patch' }, { id: 'explain' }],
  });
});
