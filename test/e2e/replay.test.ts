// Recordings and cortex replay on the real processes: what a model said once is said again without it, and nothing else is reached.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CliRun, runCli } from '../helpers/cli.ts';
import { startSystem, type System } from '../helpers/e2e/system.ts';
import { type ModelServer, startModelServer } from '../helpers/model-server.ts';
import { type ServiceProcess, startService } from '../helpers/service-process.ts';
import { until } from '../helpers/until.ts';

let system: System;
let server: ModelServer;
let worker: ServiceProcess;
let folder: string;

beforeAll(async () => {
  [system, server] = await Promise.all([startSystem(), startModelServer()]);
  folder = mkdtempSync(join(tmpdir(), 'cortex-replay-'));
  const fast = {
    ...{ provider: 'openai-compatible', model: 'some-model', base_url: `${server.url}/v1`, context: 8_000 },
    price: { input: 1, output: 10 },
  };
  writeFileSync(join(folder, 'models.yaml'), JSON.stringify({ default: 'fast', models: { fast } }));
  worker = await startService(
    'services/worker/node.ts',
    {
      ...{ NATS_URL: system.nats.url, REDIS_URL: system.redis.url, WORKERS: 'chat,echo', WORKER_ID: 'chatty' },
      MODELS_PATH: join(folder, 'models.yaml'),
    },
    ['metrics'],
  );
}, 60_000);

afterAll(async () => {
  await worker.stop();
  await system.stop();
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

const cortex = (...args: string[]): Promise<CliRun> =>
  runCli(args, { env: { CORTEX_URL: system.gateway.process.urls['http'] ?? '' }, cwd: folder });

/** The id of a job that was submitted with --record and has come to its end. */
async function recorded(state: 'SUCCEEDED' | 'FAILED', ...args: string[]): Promise<string> {
  const { stdout } = await cortex('submit', '--record', '--json', ...args);
  const id = (JSON.parse(stdout) as { job_id: string }).job_id;
  await system.reach(id, state);
  return id;
}

test('a recorded job comes to the same, byte by byte, as often as it is run, and without its model', {
  timeout: 60_000,
}, async () => {
  server.play({ kind: 'whole', pieces: ['[scripted] ', 'a lease ', 'is a promise – "with an end"\n'] });
  const id = await recorded('SUCCEEDED', 'What is a lease?');
  const before = server.requests.length;
  const runs = [await cortex('replay', id, '--json'), await cortex('replay', id, '--json')];
  for (const run of runs) expect(run).toMatchObject({ code: 0, stderr: '' });
  expect(runs[0]?.stdout).toBe(runs[1]?.stdout);
  const stored = await system.store.result(id, 'default');
  expect(JSON.parse(runs[0]?.stdout ?? '')).toEqual({
    ...{ identical: true, status: 'SUCCEEDED', result: stored, error_code: '', error_message: '', divergence: null },
  });
  expect(JSON.parse(stored ?? '')).toMatchObject({ processed_by: 'chatty-chat', usage: { cost: 0.000_081 } });
  expect(await cortex('replay', id)).toEqual({
    ...{ code: 0, stderr: '', stdout: 'identical: SUCCEEDED, 1 of 1 exchanges with models\n' },
  });
  expect(server.requests.length).toBe(before);
});

test('another prompt: the first words that differ', { timeout: 60_000 }, async () => {
  const id = await recorded('SUCCEEDED', 'What is a lease, and who keeps it?');
  const { code, stdout, stderr } = await cortex('replay', id, '--prompt', 'What is a lock, and who keeps it?');
  expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
  expect(stdout).toBe(
    [
      'exchange 1 differs at messages[0].content, character 12',
      '- What is a lease, and who keeps it?',
      '+ What is a lock, and who keeps it?',
      '',
    ].join('\n'),
  );
  writeFileSync(join(folder, 'payload.json'), '{"prompt":"What is a lease, and who keeps it?"}');
  expect(await cortex('replay', id, '--payload', 'payload.json')).toMatchObject({ code: 0 });
  writeFileSync(join(folder, 'broken.json'), '{');
  expect(await cortex('replay', id, '--payload', 'broken.json')).toMatchObject({
    ...{
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/^cortex: replay: --payload: is not JSON [^\n]+\n$/) as string,
    },
  });
});

test('a job that failed fails the same way', { timeout: 60_000 }, async () => {
  server.play({ kind: 'cut', pieces: ['half ', 'of it'], how: 'ended' });
  const id = await recorded('FAILED', 'cut');
  const run = await cortex('replay', id, '--json');
  expect(run).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(run.stdout)).toMatchObject({
    identical: true,
    status: 'FAILED',
    result: null,
    error_code: 'unavailable',
  });
});

test('a job without models is run again as well, and shows what another payload comes to', {
  timeout: 60_000,
}, async () => {
  const id = await recorded('SUCCEEDED', '--topic', 'job.echo', '--context', '{"n":1}', 'hello');
  expect(await cortex('replay', id)).toMatchObject({
    code: 0,
    stdout: 'identical: SUCCEEDED, 0 of 0 exchanges with models\n',
  });
  const { code, stdout } = await cortex('replay', id, '--prompt', 'hi');
  expect(code).toBe(1);
  expect(stdout).toMatch(
    /^--- recorded\n\+\+\+ replayed\n@@ -\d+,7 \+\d+,7 @@\n(?: .*\n){3}-  +"prompt": "hello",\n\+ +"prompt": "hi",\n(?: .*\n){3}$/,
  );
});

test('what was not recorded, is not there or belongs to somebody else is one line', { timeout: 60_000 }, async () => {
  const id = await system.submit('job.chat.simple', 'hello');
  await system.reach(id, 'SUCCEEDED');
  const how = 'submit it with "record": true to a worker without MODEL_RECORD=off, or set MODEL_RECORD=all there';
  expect(await cortex('replay', id)).toEqual({
    ...{ code: 5, stdout: '', stderr: `cortex: the job has no recording (any more): ${how}\n` },
  });
  const mine = await recorded('SUCCEEDED', 'mine');
  const gone = { code: 5, stdout: '', stderr: 'cortex: job not found\n' };
  expect(await cortex('replay', mine, '--tenant', 'rival')).toEqual(gone);
  expect(await cortex('replay', 'never-there')).toEqual(gone);
});

test('all that was asked is in the usage, also what was cancelled in the midst', { timeout: 60_000 }, async () => {
  const usage = async () =>
    (await system.http('GET', '/api/v1/usage')).body as { totals: Record<string, number>; items: { model: string }[] };
  const { totals: before } = await usage();
  const requests = server.requests.length;
  server.play({ kind: 'endless', piece: '[scripted] ' });
  const id = await system.submit('job.chat.simple', 'for ever');
  const request = await server.request(requests);
  expect((await system.http('POST', `/api/v1/jobs/${id}/cancel`)).status).toBe(200);
  await request.closed;
  const { totals, items } = await until(
    async () => {
      const now = await usage();
      return now.totals['requests'] === (before['requests'] ?? 0) + 1 ? now : undefined;
    },
    { timeout: 10_000, message: 'the cancelled request to be counted' },
  );
  expect(totals).toEqual({
    ...before,
    requests: (before['requests'] ?? 0) + 1,
    unmetered_requests: (before['unmetered_requests'] ?? 0) + 1,
  });
  expect(items.map(({ model }) => model)).toEqual(['fast']);
  // One of those before was cut; the last one makes two without tokens.
  expect(totals).toMatchObject({ input_tokens: 11 * (before['requests'] ?? 0) - 11, unmetered_requests: 2 });
});
