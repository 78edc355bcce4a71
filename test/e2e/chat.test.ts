// cortex chat against the whole system: real processes, and a server that speaks the wire format of a model. The answer is printed as it
// is made, at a terminal and through a pipe, and Ctrl-C cancels the job.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startCli } from '../helpers/cli.ts';
import { type EngineProcess, startEngine } from '../helpers/e2e/engine.ts';
import { startSystem, type System } from '../helpers/e2e/system.ts';
import { type ModelServer, startModelServer } from '../helpers/model-server.ts';
import { type ServiceProcess, startService } from '../helpers/service-process.ts';
import { startTerminal, type Terminal } from '../helpers/terminal.ts';
import { until } from '../helpers/until.ts';

let system: System;
let server: ModelServer;
let worker: ServiceProcess;
let engine: EngineProcess;
let terminal: Terminal | undefined;

const startWorker = (env: Readonly<Record<string, string>>): Promise<ServiceProcess> =>
  startService(
    'services/worker/node.ts',
    {
      ...{ NATS_URL: system.nats.url, REDIS_URL: system.redis.url, CONTEXT_ENGINE_ADDR: engine.addr },
      ...{ WORKERS: 'chat-advanced', WORKER_ID: 'talker', ...env },
    },
    ['metrics'],
  );

beforeAll(async () => {
  [system, server] = await Promise.all([startSystem(), startModelServer()]);
  engine = await startEngine(system);
  worker = await startWorker({ OLLAMA_URL: server.url });
}, 60_000);
afterEach(() => terminal?.close());
afterAll(async () => {
  await worker.stop();
  await engine.process.stop();
  await system.stop();
  await server.close();
}, 60_000);

const env = (): Record<string, string> => ({ CORTEX_URL: system.gateway.process.urls['http'] ?? '' });
const messages = async (n: number): Promise<unknown> => (await server.request(n)).body['messages'];
/** The newest job's id. */
const newest = async (): Promise<string> => {
  const { body } = await system.http('GET', '/api/v1/jobs?limit=1');
  return (body as { items: { id: string }[] }).items[0]?.id ?? '';
};

describe('through a pipe', () => {
  test('each line is a question, and what was said goes along', { timeout: 30_000 }, async () => {
    const before = server.requests.length;
    const { code, stdout, stderr } = await startCli(['chat'], { env: env(), stdin: 'one\n\ntwo' }).ended;
    expect([code, stdout, stderr]).toEqual([0, '[scripted] one\n[scripted] two\n', '']);
    expect(await messages(before + 1)).toEqual([
      { role: 'user', content: 'one' },
      { role: 'assistant', content: '[scripted] one' },
      { role: 'user', content: 'two' },
    ]);
  });

  test('--once asks one thing, and prints it as it is made', { timeout: 30_000 }, async () => {
    server.play({ kind: 'endless', piece: 'again ' });
    const running = startCli(['chat', '--once', 'hello'], { env: env() });
    await running.says(/again again/);
    // Interrupted from outside it cancels what it has asked for.
    running.signal('SIGINT');
    const { code, stderr } = await running.ended;
    expect(code).toBe(130);
    expect(stderr).toMatch(/cancelled\ncortex: stopped; job \S+ is CANCELLED\n$/);
    expect(await system.view(await newest())).toMatchObject({ state: 'CANCELLED' });
  });

  test('a question that fails is a line and an exit code, and the next is asked', { timeout: 30_000 }, async () => {
    server.play({ kind: 'cut', pieces: ['half an '], how: 'torn' });
    const { code, stdout, stderr } = await startCli(['chat'], { env: env(), stdin: 'one\ntwo\n' }).ended;
    expect(code).toBe(1);
    expect(stdout).toBe('half an \n[scripted] two\n');
    expect(stderr).toMatch(/^FAILED unavailable: the answer of model ollama was cut off\n$/);
  });

  test('with --history and no memory, a conversation longer than its bound loses its oldest part', {
    timeout: 30_000,
  }, async () => {
    const before = server.requests.length;
    const run = startCli(['chat', '--history', '60'], {
      env: env(),
      stdin: 'first question\nsecond question\nthird\n',
    });
    expect((await run.ended).code).toBe(0);
    expect(await messages(before + 2)).toEqual([
      { role: 'user', content: 'second question' },
      { role: 'assistant', content: '[scripted] second question' },
      { role: 'user', content: 'third' },
    ]);
  });
});

describe('at a terminal', () => {
  test('answers as it goes, Ctrl-C cancels the job and not the conversation, Ctrl-D leaves', {
    timeout: 60_000,
  }, async () => {
    terminal = await startTerminal(['chat'], env());
    await terminal.says(/> $/);
    terminal.types('hello\r');
    await terminal.says(/\[scripted\] hello\r\n> $/m);

    server.play({ kind: 'endless', piece: 'and on ' });
    const before = server.requests.length;
    terminal.types('for ever\r');
    await terminal.says(/and on and on/);
    const request = await server.request(before);
    terminal.types('\u0003');
    expect(await request.closed).toBe('left');
    await terminal.says(/cancelled\r\n[^]*> $/);
    expect(await system.view(await newest())).toMatchObject({ state: 'CANCELLED' });

    const next = server.requests.length;
    terminal.types('still there?\r');
    await terminal.says(/\[scripted\] still there\?\r\n> $/);
    expect(await messages(next)).toEqual([
      { role: 'user', content: 'hello' },
      { role: 'assistant', content: '[scripted] hello' },
      { role: 'user', content: 'still there?' },
    ]);
    terminal.types('\u0004');
    // What was cancelled is not remembered; the rest is, for whoever goes on.
    await terminal.says(/goes on here/);
    const memory = /chat --memory (chat:\S+) goes on here/.exec(terminal.screen())?.[1] ?? '';
    expect(await terminal.ended).toBe(0);
    const more = server.requests.length;
    const again = startCli(['chat', '--memory', memory, '--once', 'and now?'], { env: env() });
    expect((await again.ended).code).toBe(0);
    expect(((await messages(more)) as { content: string }[]).map(({ content }) => content)).toEqual([
      ...['hello', '[scripted] hello', 'still there?', '[scripted] still there?', 'and now?'],
    ]);
  });

  test('Ctrl-C at the prompt leaves', { timeout: 30_000 }, async () => {
    terminal = await startTerminal(['chat'], env());
    await terminal.says(/> $/);
    terminal.types('\u0003');
    expect(await terminal.ended).toBe(0);
  });

  test('a model cannot make the terminal do anything', { timeout: 30_000 }, async () => {
    server.play({ kind: 'whole', pieces: ['a\u001b', ']0;title\u0007', 'b'] });
    terminal = await startTerminal(['chat', '--once', 'x'], env());
    expect(await terminal.ended).toBe(0);
    expect(terminal.screen()).toContain('a\\x1b]0;title\\x07b');
  });
});

test('a gateway that is killed in the midst of an answer costs nothing of it', { timeout: 60_000 }, async () => {
  const gate = Promise.withResolvers<void>();
  const pieces = Array.from({ length: 200 }, (_, i) => `${i} `);
  server.play({ kind: 'whole', pieces, hold: gate.promise });
  const running = startCli(['chat', '--once', 'count'], { env: env() });
  await until(async () => (await system.view(await newest()).catch(() => undefined))?.state === 'RUNNING', {
    message: 'the job to run',
  });
  await system.gateway.kill();
  gate.resolve();
  await system.gateway.start();
  const { code, stdout } = await running.ended;
  expect([code, stdout]).toEqual([0, `${pieces.join('')}\n`]);
});

test('without a model the line says what to set', { timeout: 60_000 }, async () => {
  await worker.stop();
  worker = await startWorker({});
  const { code, stdout, stderr } = await startCli(['chat', '--once', 'hello'], { env: env() }).ended;
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(
    /^FAILED unavailable: no model is configured[^\n]*OLLAMA_URL[^\n]*config\/models.yaml[^\n]*\n$/,
  );
});
