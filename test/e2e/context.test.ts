// The context engine in the whole system: chats that remember, repositories that windows speak of, and what becomes of both when
// something dies. Real processes, and a server that speaks the wire format of a model.
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRpcClient } from '#core/http/connect.ts';
import { ContextEngine } from '#proto/cortex/v1/context_pb.ts';
import { startCli } from '../helpers/cli.ts';
import { type EngineProcess, startEngine } from '../helpers/e2e/engine.ts';
import { startSystem, type System } from '../helpers/e2e/system.ts';
import { type ModelServer, startModelServer } from '../helpers/model-server.ts';
import { type ServiceProcess, startService } from '../helpers/service-process.ts';
import { until } from '../helpers/until.ts';

let system: System;
let models: ModelServer;
let engine: EngineProcess;
let worker: ServiceProcess;
const root = realpathSync(mkdtempSync(join(tmpdir(), 'cortex-context-')));

beforeAll(async () => {
  [system, models] = await Promise.all([startSystem(), startModelServer()]);
  engine = await startEngine(system);
  worker = await startService(
    'services/worker/node.ts',
    {
      ...{ NATS_URL: system.nats.url, REDIS_URL: system.redis.url, OLLAMA_URL: models.url, LOG_LEVEL: 'warn' },
      ...{ WORKERS: 'chat-advanced,code-llm,repo-scan', CONTEXT_ENGINE_ADDR: engine.addr, REPO_LOCAL_ROOTS: root },
    },
    ['metrics'],
  );
}, 60_000);
afterAll(async () => {
  await worker.stop();
  await engine.process.stop();
  await system.stop();
  await models.close();
  rmSync(root, { recursive: true, force: true });
}, 60_000);

interface Ended {
  readonly id: string;
  readonly state: string;
  readonly error_message: string;
  readonly result: {
    readonly response?: string;
    readonly context?: { readonly sources: readonly { readonly source: string; readonly lines?: object }[] } & object;
    readonly index?: object;
  };
}
const run = async (job: object): Promise<Ended> => {
  const { body } = await system.http('POST', '/api/v1/jobs?wait=25', job);
  const { job_id: id } = body as { job_id: string };
  return { ...(body as Ended), id };
};
const chat = (prompt: string, more: object = {}): Promise<Ended> =>
  run({ topic: 'job.chat.advanced', prompt, ...more });
const asked = async (n: number): Promise<readonly string[]> =>
  ((await models.request(n)).body['messages'] as { content: string }[]).map(({ content }) => content);
const cli = (args: readonly string[]) =>
  startCli([...args], {
    env: { CORTEX_URL: system.gateway.process.urls['http'] ?? '', CONTEXT_ENGINE_ADDR: engine.addr },
  }).ended;

describe('a memory', () => {
  const memory = { memory_id: 'chat:ann' };

  test('is told what was said before, and the result says where from', { timeout: 60_000 }, async () => {
    expect(await chat('My dog is called Rex.', memory)).toMatchObject({ state: 'SUCCEEDED' });
    const before = models.requests.length;
    const second = await chat('What is my dog called?', memory);
    expect(await asked(before)).toEqual([
      'My dog is called Rex.',
      '[scripted] My dog is called Rex.',
      'What is my dog called?',
    ]);
    expect(second.result.context).toMatchObject({ ...memory, mode: 'chat', messages: 3, before: 2, sources: [] });
  });

  test('keeps nothing of what failed, was cancelled or asked in raw', { timeout: 60_000 }, async () => {
    const own = { memory_id: 'chat:bob' };
    models.play({ kind: 'status', status: 400 });
    expect(await chat('a failure', own)).toMatchObject({ state: 'FAILED' });
    expect(await chat('in raw', { ...own, context_mode: 'raw' })).toMatchObject({ state: 'SUCCEEDED' });
    models.play({ kind: 'endless', piece: 'and on ' });
    const before = models.requests.length;
    const { body } = await system.http('POST', '/api/v1/jobs', {
      topic: 'job.chat.advanced',
      prompt: 'cancel',
      ...own,
    });
    const { job_id: id } = body as { job_id: string };
    const request = await models.request(before);
    await system.http('POST', `/api/v1/jobs/${id}/cancel`);
    expect(await request.closed).toBe('left');
    expect(await cli(['context', 'show', 'chat:bob'])).toMatchObject({ code: 5, stdout: '' });
  });

  test('another tenant has another one, and a job that names none has none', { timeout: 60_000 }, async () => {
    const shown = await cli(['context', 'show', 'chat:ann', '--tenant', 'other']);
    expect(shown).toMatchObject({ code: 5, stdout: '' });
    const alone = await chat('My cat is called Tom.');
    expect(alone.result.context).toBeUndefined();
    expect(await cli(['context', 'show', `session:${alone.id}`])).toMatchObject({ code: 5 });
  });

  test('context explain shows the window of a job as it was', { timeout: 60_000 }, async () => {
    const job = await chat('Where does Rex sleep?', memory);
    await chat('Rex sleeps in the kitchen.', memory);
    const { code, stdout, stderr } = await cli(['context', 'explain', job.id, '--texts']);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain('What is my dog called?');
    expect(stdout).not.toContain('kitchen');
    expect(stdout).toMatch(/^\d+ of 7,168 tokens \(\d+%\), estimated/); // what llama3 has room for beside its answer
    const none = await cli(['context', 'explain', (await chat('x')).id]);
    expect(none).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^cortex: job \S+ cannot be explained/) as string,
    });
  });

  test('the first job of a memory is explained as what it was', { timeout: 60_000 }, async () => {
    const first = await chat('Hello there.', { memory_id: 'chat:first' });
    await chat('And again.', { memory_id: 'chat:first' });
    const { code, stdout } = await cli(['context', 'explain', first.id, '--texts']);
    expect(code).toBe(0);
    expect(stdout).toContain('Hello there.');
    expect(stdout).not.toContain('[scripted]');
  });

  test('what somebody said cannot make a terminal do anything, and a bound that cannot be is a line', async () => {
    const shown = await cli(['context', 'explain', '--prompt', 'a\u001b]0;title\u0007b', '--texts']);
    expect([shown.code, shown.stderr]).toEqual([0, '']);
    expect(shown.stdout).toContain('a\\x1b]0;title\\x07b');
    const large = await cli(['context', 'explain', '--prompt', 'x', '--budget', '3000000000']);
    expect(large).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('--budget: is too large') as string,
    });
  });

  test('half of a pair of surrogates costs no job', { timeout: 60_000 }, async () => {
    expect(await chat('half a smiley \ud83d', { memory_id: 'chat:torn' })).toMatchObject({
      state: 'SUCCEEDED',
      attempts: 1,
    });
  });

  test('a recorded one is replayed to the same bytes, without the engine', { timeout: 60_000 }, async () => {
    const own = { memory_id: 'chat:replay', record: true };
    await chat('My boat is Ida.', own);
    const job = await chat('What is my boat?', own);
    await engine.process.kill();
    try {
      const { code, stdout, stderr } = await startCli(['replay', job.id], {
        env: { CORTEX_URL: system.gateway.process.urls['http'] ?? '', REDIS_URL: system.redis.url },
      }).ended;
      expect([code, stdout, stderr]).toEqual([0, expect.stringMatching(/^identical: SUCCEEDED/) as string, '']);
    } finally {
      engine = await startEngine(system, { addr: engine.addr });
    }
  });

  test('context note, show and forget', { timeout: 60_000 }, async () => {
    expect(await cli(['context', 'note', 'chat:ann', 'Invoices go to Ann'])).toMatchObject({ code: 0, stderr: '' });
    const shown = await cli(['context', 'show', 'chat:ann']);
    expect(shown.stdout).toContain('Invoices go to Ann');
    expect(shown.stdout).toContain('My dog is called Rex.');
    const before = models.requests.length;
    const answer = await chat('Who gets the invoices?', memory);
    expect((await asked(before)).join('\n')).toContain('\nInvoices go to Ann');
    expect(answer.result.context?.sources.some(({ source }) => source.startsWith('memory '))).toBe(true);
    expect(await cli(['context', 'forget', 'chat:ann'])).toMatchObject({ code: 0, stderr: 'forgotten: chat:ann\n' });
    expect(await cli(['context', 'forget', 'chat:ann'])).toMatchObject({ code: 5 });
  });
});

describe('a repository', () => {
  const repo = join(root, 'demo');
  const lease = [
    '/** Keeps a lease alive. */',
    'export class LeaseKeeper {',
    '  renew(now: number): boolean {',
    '    return now > 0;',
    '  }',
    '}',
    '',
  ].join('\n');

  test('is indexed by its scan, and windows speak of it byte for byte', { timeout: 60_000 }, async () => {
    mkdirSync(join(repo, 'src'), { recursive: true });
    writeFileSync(join(repo, 'src', 'lease.ts'), lease);
    writeFileSync(join(repo, 'src', 'queue.ts'), 'export const queue: string[] = [];\n');
    const scanned = await run({
      ...{ topic: 'job.repo.scan', memory_id: 'repo:demo', context_mode: 'rag' },
      context: { local_path: repo, include_globs: ['**/*.ts'] },
    });
    expect(scanned).toMatchObject({ state: 'SUCCEEDED' });
    expect(scanned.result.index).toEqual({
      ...{ repository: repo, files: 2, chunks: 2 },
      commit: expect.stringMatching(/^tree-[0-9a-f]{40}$/) as string,
    });
    const before = models.requests.length;
    const answer = await chat('What does LeaseKeeper renew?', { memory_id: 'repo:demo', context_mode: 'rag' });
    const source = answer.result.context?.sources.find((one) => one.source === 'src/lease.ts');
    expect(source).toMatchObject({ lines: { first: 1, last: 6 } });
    const piece = (await asked(before)).find((content) => content.startsWith('src/lease.ts:1-6\n'));
    expect(`${piece?.slice(piece.indexOf('\n') + 1)}\n`).toBe(readFileSync(join(repo, 'src', 'lease.ts'), 'utf8'));
  });

  test('what stands around a file goes with a patch for it', { timeout: 60_000 }, async () => {
    const before = models.requests.length;
    const changed = lease.replace('now > 0', 'now >= 0');
    models.play({ kind: 'tool', name: 'submit_patch', input: { content: changed, summary: '[scripted] done' } });
    const patched = await run({
      ...{ topic: 'job.code.llm', memory_id: 'repo:demo' },
      context: { file_path: 'src/lease.ts', code_snippet: lease, instruction: 'the queue may begin at 0' },
    });
    const contents = await asked(before);
    expect(contents.some((content) => content.startsWith('src/queue.ts:1-1\n'))).toBe(true);
    expect(contents.some((content) => content.startsWith('src/lease.ts:'))).toBe(false);
    expect(patched.result.context?.sources.map(({ source }) => source)).toContain('src/queue.ts');
  });

  test('context explain says what of it goes in, and why', { timeout: 60_000 }, async () => {
    const question = ['--memory', 'repo:demo', '--mode', 'rag', '--prompt', 'LeaseKeeper'];
    const { code, stdout, stderr } = await cli(['context', 'explain', ...question, '--budget', '60']);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/src\/lease\.ts:1-\d/);
    expect(stdout).toContain('Left out');
  });
});

test('where a model is configured that compares meanings, what no word finds is found', {
  timeout: 60_000,
}, async () => {
  const repo = join(root, 'meanings');
  mkdirSync(repo);
  writeFileSync(join(repo, 'lease.ts'), 'export class LeaseKeeper {}\n');
  const scanned = await run({ topic: 'job.repo.scan', context: { local_path: repo, include_globs: ['**/*.ts'] } });
  const meanings = await startModelServer(() => [1, 0]);
  const path = join(root, 'models.yaml');
  writeFileSync(path, JSON.stringify({ embeddings: { model: 'scripted', base_url: `${meanings.url}/v1` } }));
  const other = await startEngine(system, { env: { MODELS_PATH: path } });
  try {
    const client = createRpcClient(ContextEngine, { baseUrl: `http://${other.addr}` });
    const scanResult = new TextEncoder().encode(JSON.stringify(scanned.result));
    await client.ingestRepo({ repository: repo, scanResult });
    await until(() => other.process.log.some(({ msg }) => msg === 'a repository has its vectors'));
    const { chunks } = await client.searchRepo({ repository: repo, query: 'my reservation' });
    expect(chunks).toMatchObject([{ path: 'lease.ts', reason: 'its meaning is near' }]);
    const series = 'cortex_context_embeddings_total{use="question",outcome="ok"} 1';
    expect(await (await fetch(`${other.process.urls['metrics']}/metrics`)).text()).toContain(series);
  } finally {
    expect(await other.process.stop()).toBe(0);
    await meanings.close();
  }
  // The engine beside it has no model, and asks nobody.
  const plain = createRpcClient(ContextEngine, { baseUrl: `http://${engine.addr}` });
  expect((await plain.searchRepo({ repository: repo, query: 'my reservation' })).chunks).toEqual([]);
});

test('the engine dies and comes back: a chat with a memory waits for it, one without does not', {
  timeout: 60_000,
}, async () => {
  await engine.process.kill();
  expect(await chat('alone')).toMatchObject({ state: 'SUCCEEDED' });
  const { body } = await system.http('POST', '/api/v1/jobs', {
    ...{ topic: 'job.chat.advanced', prompt: 'My boat is called Ida.', memory_id: 'chat:eve' },
  });
  const { job_id: id } = body as { job_id: string };
  await system.reach(id, 'RUNNING', 10_000);
  engine = await startEngine(system, { addr: engine.addr });
  expect((await system.ended([id], 30_000))[0]).toMatchObject({ state: 'SUCCEEDED' });
  expect((await cli(['context', 'show', 'chat:eve'])).stdout).toContain('My boat is called Ida.');
});
