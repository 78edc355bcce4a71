// job.chat.simple with a model: the real worker process against a server that speaks the provider's wire format.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startSystem, type System } from '../helpers/e2e/system.ts';
import { type ModelServer, startModelServer } from '../helpers/model-server.ts';
import { type ServiceProcess, startService } from '../helpers/service-process.ts';

let system: System;
let server: ModelServer;
let worker: ServiceProcess;
let folder: string;

beforeAll(async () => {
  [system, server] = await Promise.all([startSystem(), startModelServer()]);
  folder = mkdtempSync(join(tmpdir(), 'cortex-models-'));
  writeFileSync(
    join(folder, 'models.yaml'),
    JSON.stringify({
      default: 'fast',
      models: {
        fast: {
          provider: 'openai-compatible',
          model: 'some-model',
          base_url: `${server.url}/v1`,
          key_env: 'FAST_MODEL_KEY',
          context: 8_000,
          price: { input: 1, output: 10 },
        },
      },
    }),
  );
  worker = await startWorker({ MODELS_PATH: join(folder, 'models.yaml'), FAST_MODEL_KEY: 'sk-of-the-test' });
}, 60_000);

const startWorker = (env: Readonly<Record<string, string>>): Promise<ServiceProcess> =>
  startService(
    'services/worker/node.ts',
    { NATS_URL: system.nats.url, REDIS_URL: system.redis.url, WORKERS: 'chat', WORKER_ID: 'chatty', ...env },
    ['metrics'],
  );

afterAll(async () => {
  await worker.stop();
  await system.stop();
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

const shown = async (id: string): Promise<unknown> => (await system.http('GET', `/api/v1/jobs/${id}`)).body;

test('the model answers, and the result says which, and what it took', { timeout: 30_000 }, async () => {
  const id = await system.submit('job.chat.simple', 'What is a lease?');
  await system.reach(id, 'SUCCEEDED');
  expect(await shown(id)).toMatchObject({
    result: {
      job_id: id,
      prompt: 'What is a lease?',
      response: '[scripted] What is a lease?',
      processed_by: 'chatty',
      completed_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/) as unknown,
      model: 'fast',
      finish: 'stop',
      usage: { input_tokens: 11, output_tokens: 7, cost: 0.000_081 },
    },
  });
  expect((await server.request(0)).headers).toMatchObject({ authorization: 'Bearer sk-of-the-test' });
});

test('429 is asked again when the server said', { timeout: 30_000 }, async () => {
  const before = server.requests.length;
  server.play({ kind: 'status', status: 429, headers: { 'retry-after-ms': '300' } });
  const id = await system.submit('job.chat.simple', 'again');
  await system.reach(id, 'SUCCEEDED');
  expect(server.requests.length - before).toBe(2);
  expect(await shown(id)).toMatchObject({ attempts: 1, result: { response: '[scripted] again' } });
});

test('cancel ends the request to the model', { timeout: 30_000 }, async () => {
  const before = server.requests.length;
  server.play({ kind: 'endless', piece: '[scripted] ' });
  const id = await system.submit('job.chat.simple', 'for ever');
  const request = await server.request(before);
  expect((await system.http('POST', `/api/v1/jobs/${id}/cancel`)).status).toBe(200);
  expect(await request.closed).toBe('left');
  expect(await system.view(id)).toMatchObject({ state: 'CANCELLED' });
});

test('a model that fails is a failure with its reason, and no echo', { timeout: 30_000 }, async () => {
  const before = server.requests.length;
  server.play(...Array.from({ length: 3 }, () => ({ kind: 'status', status: 500 }) as const));
  const id = await system.submit('job.chat.simple', 'no');
  expect(await system.reach(id, 'FAILED')).toMatchObject({
    errorCode: 'unavailable',
    errorMessage: 'model fast answered 500: [scripted] failure',
  });
  expect(server.requests.length - before).toBe(3);
  expect(await shown(id)).toMatchObject({ result: null });
});

test('no key is in what the worker wrote', async () => {
  const wrote = JSON.stringify([worker.log, worker.stderr]);
  expect(wrote).not.toContain('sk-of-the-test');
});

test('OLLAMA_URL alone makes Ollama answer; one that is not there fails and says what to set', {
  timeout: 30_000,
}, async () => {
  await worker.stop();
  worker = await startWorker({ OLLAMA_URL: server.url });
  const before = server.requests.length;
  const id = await system.submit('job.chat.simple', 'hello');
  await system.reach(id, 'SUCCEEDED');
  expect(await shown(id)).toMatchObject({
    result: { response: '[scripted] hello', model: 'ollama', usage: { cost: 0 } },
  });
  expect(await server.request(before)).toMatchObject({ path: '/v1/chat/completions', body: { model: 'llama3' } });

  await server.close();
  const lost = await system.submit('job.chat.simple', 'hello?');
  expect(await system.reach(lost, 'FAILED')).toMatchObject({
    errorCode: 'unavailable',
    errorMessage:
      'model ollama cannot be reached (ECONNREFUSED): set OLLAMA_URL, or its base_url in config/models.yaml',
  });
});

test('without any model it echoes, and says so', { timeout: 30_000 }, async () => {
  await worker.stop();
  worker = await startWorker({});
  const id = await system.submit('job.chat.simple', 'hello');
  await system.reach(id, 'SUCCEEDED');
  expect(await shown(id)).toMatchObject({ result: { response: 'Echo: hello', model: 'echo' } });
});
