// cortex submit, get, list, cancel, trace, workers: the real CLI against a real gateway.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { EndState } from '#core/jobs/state.ts';
import { snapshotKey } from '#core/routing/snapshot.ts';
import { freePort } from '../../local/servers/ports.ts';
import { startCli } from '../helpers/cli.ts';
import { cortex, environment, folder, gatewayUrl, json, newest, stage, startGateway, submitted } from './cli-stage.ts';
import { finish, start, storedPacket, storedPayload } from './drive.ts';

describe('submit', () => {
  test('hands in what was asked for', async () => {
    writeFileSync(join(folder, 'context.json'), '{"n": 1}');
    const id = await submitted(
      ...['say "hi"', '--topic', 'job.echo', '--priority', 'batch', '--context', `@${folder}/context.json`],
      ...['--label', 'gpu=a=b', '--label', 'zone=', '--tag', 'x', '--memory-id', 'm1', '--deadline-ms', '60000'],
      ...['--meta', '{"capability":"echo","risk_tags":["low"]}', '--allow-retrieval', '--max-output-tokens', '7'],
    );
    const { request } = await storedPacket(stage, id);
    expect(request).toMatchObject({
      topic: 'job.echo',
      priority: 2,
      labels: { gpu: 'a=b', zone: '' },
      memoryId: 'm1',
      contextHints: { tags: ['x'], allowRetrieval: true, allowSummarization: false },
      budget: { maxOutputTokens: 7n, deadlineMs: 60_000n },
      meta: { capability: 'echo', riskTags: ['low'] },
    });
    expect(await storedPayload(stage, id)).toMatchObject({ prompt: 'say "hi"', context: { n: 1 } });
  });

  test('reads a prompt or a context from stdin', async () => {
    const prompt = json(await cortex(['submit', '-', '--json'], { stdin: 'two\nlines' }));
    expect(await storedPayload(stage, String(prompt['job_id']))).toMatchObject({ prompt: 'two\nlines' });
    const context = json(await cortex(['submit', '--context', '-', '--json'], { stdin: '[1]' }));
    expect(await storedPayload(stage, String(context['job_id']))).toMatchObject({ context: [1], prompt: '' });
  });

  test('for people: the ids, and on stderr what to do next', async () => {
    const { code, stdout, stderr } = await cortex(['submit', 'hello']);
    expect(code).toBe(0);
    const [, id] = /^job {3}(\S+)\ntrace \S+\n$/.exec(stdout) ?? [];
    expect(stderr).toMatch(new RegExp(`^its result: node .*main.ts get ${id} --wait\n$`));
  });

  test('the same idempotency key: the same job, and it says so', async () => {
    const args = ['submit', 'once', '--idempotency-key', 'cli-1'];
    const id = json(await cortex([...args, '--json']))['job_id'];
    const again = await cortex([...args, '--json']);
    expect(JSON.parse(again.stdout)).toHaveProperty('job_id', id);
    expect(again.stderr).toMatch(/used before/);
    const other = await cortex(['submit', 'other', '--idempotency-key', 'cli-1']);
    expect(other).toMatchObject({
      code: 4,
      stdout: '',
      stderr: expect.stringMatching(/^cortex: Idempotency-Key: [^\n]+\n$/),
    });
  });

  test('what the gateway refuses is one line that names the field', async () => {
    const refused = await cortex(['submit', 'x', '--topic', 'nonsense']);
    expect(refused).toMatchObject({ code: 4, stdout: '', stderr: expect.stringMatching(/^cortex: topic: [^\n]+\n$/) });
  });
});

describe('waiting tells the outcome', () => {
  test.each<readonly [EndState, number]>([
    ['SUCCEEDED', 0],
    ['FAILED', 1],
    ['DENIED', 6],
    ['TIMEOUT', 8],
  ])('%s is %i', async (status, code) => {
    const running = startCli(['submit', 'hi', '--topic', 'job.echo', '--wait', '--json'], { env: environment() });
    await running.says(/^PENDING$/m);
    const { id } = await newest();
    const job = await start(stage, id);
    await finish(stage, job, {
      status,
      ...(status === 'SUCCEEDED' ? { result: '{"ok":true}' } : { code: 'why', message: 'because' }),
    });
    const ended = await running.ended;
    expect(ended.code).toBe(code);
    const direct = await fetch(`${gatewayUrl()}/api/v1/jobs/${id}`);
    expect(ended.stdout).toBe(`${await direct.text()}\n`);
    // A second look, without waiting, has the same code.
    const seen = await cortex(['get', id]);
    expect(seen.code).toBe(code);
    expect(seen.stdout).toMatch(new RegExp(`^state +${status} in `, 'm'));
    expect(seen.stdout).toContain(status === 'SUCCEEDED' ? '"ok": true' : 'why: because');
  });

  test('CANCELLED is 7', async () => {
    const id = await submitted('x');
    const waiting = startCli(['get', id, '--wait'], { env: environment() });
    await waiting.says(/PENDING/);
    expect(await cortex(['cancel', id])).toEqual({ code: 0, stdout: `job ${id} CANCELLED\n`, stderr: '' });
    expect(await waiting.ended).toMatchObject({ code: 7 });
  });

  test('not ended in time is 9, and it says how to wait again', async () => {
    const id = await submitted('x');
    const { code, stdout, stderr } = await cortex(['get', id, '--wait=1']);
    expect({ code, stdout }).toEqual({ code: 9, stdout: '' });
    expect(stderr).toMatch(new RegExp(`job ${id} has not ended: PENDING\n  wait again:  .* get ${id} --wait\n`));
    expect(await cortex(['get', id])).toMatchObject({ code: 9, stdout: expect.stringContaining('PENDING') });
  });

  test('Ctrl-C leaves the job running, says so, and is 130', async () => {
    const id = await submitted('x');
    const waiting = startCli(['get', id, '--wait'], { env: environment() });
    await waiting.says(/PENDING/);
    waiting.signal('SIGINT');
    const { code, stderr } = await waiting.ended;
    expect(code).toBe(130);
    expect(stderr).toMatch(new RegExp(`stopped waiting; job ${id} goes on\n.*\n  cancel it:   .* cancel ${id}\n$`));
    expect(await stage.store.view(id, 'default')).toMatchObject({ state: 'PENDING' });
  });

  test('a gateway that is restarted meanwhile does not end it', async () => {
    const port = await freePort();
    const GATEWAY_HTTP_ADDR = `127.0.0.1:${port}`;
    let mine = await startGateway({ GATEWAY_HTTP_ADDR });
    const id = await submitted('x', '--topic', 'job.echo');
    const waiting = startCli(['get', id, '--wait'], { env: { CORTEX_URL: mine.urls['http'] ?? '' } });
    await waiting.says(/PENDING/);
    await mine.kill();
    await waiting.says(/waiting for the gateway: .*(connection refused|the connection broke)/);
    await finish(stage, await start(stage, id), { result: '"there"' });
    mine = await startGateway({ GATEWAY_HTTP_ADDR });
    expect(await waiting.ended).toMatchObject({ code: 0, stdout: expect.stringMatching(/\nthere\n$/) });
    await mine.stop();
  });
});

describe('looking', () => {
  test('list: filters, pages, JSON as the API has it', async () => {
    const topic = 'job.cli.list';
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) ids.unshift(await submitted('x', '--topic', topic));
    const page = await cortex(['list', '--topic', topic, '--limit', '2', '--updated-after', '1h']);
    expect(page.code).toBe(0);
    const lines = page.stdout.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^JOB +STATE +TOPIC +AGE$/);
    expect(lines.slice(1).map((line) => line.split(' ')[0])).toEqual(ids.slice(0, 2));
    const [, more = ''] = /^more: node \S+ (.*)\n$/.exec(page.stderr) ?? [];
    const next = await cortex(more.split(' '));
    expect(next.stdout).toContain(ids[2]);
    const raw = await fetch(`${gatewayUrl()}/api/v1/jobs?limit=20&topic=${topic}&state=PENDING`);
    const same = await cortex(['list', '--topic', topic, '--state', 'pending', '--json']);
    expect(same.stdout).toBe(`${await raw.text()}\n`);
    expect(await cortex(['list', '--topic', 'job.cli.none'])).toEqual({ code: 0, stdout: '', stderr: 'no jobs\n' });
    expect(await cortex(['list', '--limit', '999'])).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(/^cortex: limit: /),
    });
    expect(await cortex(['list', '--updated-after', 'noon'])).toMatchObject({ code: 2 });
  });

  test('trace: the jobs that belong together, or 5', async () => {
    const accepted = json(await cortex(['submit', 'x', '--json']));
    const found = await cortex(['trace', String(accepted['trace_id'])]);
    expect(found).toMatchObject({ code: 0, stdout: expect.stringContaining(String(accepted['job_id'])) });
    const none = await cortex(['trace', 'nothing', '--json']);
    expect(none).toEqual({ code: 5, stdout: '[]\n', stderr: 'no job has the trace nothing\n' });
  });

  test('workers, and that there are none', async () => {
    expect(await cortex(['workers'])).toMatchObject({ code: 0, stderr: 'no workers: jobs wait until one arrives\n' });
    const workers = [
      {
        worker_id: 'w1',
        pool: 'echo',
        active_jobs: 2,
        max_parallel_jobs: 8,
        cpu_load: 12.4,
        labels: { 'cortex.topics': 'job.echo' },
      },
    ];
    await stage.redis.set(snapshotKey, JSON.stringify({ ts: Date.now(), workers }));
    const { stdout } = await cortex(['workers']);
    expect(stdout).toBe('WORKER  POOL  BUSY  CPU  TOPICS\nw1      echo   2/8  12%  job.echo\n');
  });

  test('usage: a table with what is unknown, its sum, and the days without any', async () => {
    const of = { id: 'j', tenant: 'default', attempt: 'a', model: 'fast' };
    const tokens = { inputTokens: 1_234_567, outputTokens: 7 };
    await stage.store.meter([
      { ...of, number: 1, usage: tokens, cost: 12_345_600_000_000 },
      { ...of, number: 2, usage: undefined, cost: undefined },
      { ...of, number: 3, model: 'local', usage: tokens, cost: undefined },
    ]);
    const { code, stdout, stderr } = await cortex(['usage']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [title, fast, local, total, end] = stdout.split('\n');
    expect(title).toBe('DATE        MODEL  REQUESTS      INPUT  OUTPUT        COST  UNMETERED  UNPRICED');
    expect(fast).toMatch(/^\d{4}-\d\d-\d\d {2}fast {10}2 {2}1,234,567 {7}7 {2}\$12,345\.60 {10}1$/);
    expect(local).toMatch(/ {2}local {9}1 {2}1,234,567 {7}7 {5}unknown {20}1$/);
    expect(total).toBe('total                     3  2,469,134      14  $12,345.60          1         1');
    expect(end).toBe('');
    const none = await cortex(['usage', '--to', '2024-01-31', '--model', 'fast']);
    expect(none).toEqual({ code: 0, stdout: '', stderr: 'no requests to models from 2024-01-02 to 2024-01-31\n' });
    expect(json(await cortex(['usage', '--model', 'local', '--json']))).toMatchObject({ totals: { requests: 1 } });
    const wrong = await cortex(['usage', '--from', 'yesterday']);
    expect(wrong).toMatchObject({ code: 4, stderr: 'cortex: from: is not a day such as 2026-01-31\n' });
  });

  test('replay: a recording that is cut, and a prompt for a payload that holds none, are refused in one line', async () => {
    const id = await submitted('x', '--record');
    const { tenant, fence, attempt } = await start(stage, id);
    const record = async (cut: boolean): Promise<void> => {
      const facts = { worker: 'w', trace_id: 't', tenant, fence, attempt: 1, constraints: '', model: null };
      const request = { jobId: id, contextPtr: `redis://ctx:${id}` };
      const first = { type: 'attempt', version: 1, topic: 'job.echo', request, ...facts };
      const outcome = { status: 'SUCCEEDED', error_code: '', error_message: '' };
      const last = { type: 'end', times: [], ...outcome, deadline: false, cut };
      const bytes = new TextEncoder().encode(`${JSON.stringify(first)}\n${JSON.stringify(last)}\n`);
      await stage.store.artifact({ id, tenant, fence, attempt, name: 'exchanges', bytes });
    };
    await record(true);
    expect(await cortex(['replay', id])).toEqual({
      ...{ code: 2, stdout: '' },
      stderr: 'cortex: the recording is cut, since there was too much to keep: it cannot be replayed\n',
    });
    await record(false);
    await stage.redis.set(`ctx:${id}`, 'null');
    expect(await cortex(['replay', id, '--prompt', 'y'])).toMatchObject({
      ...{ code: 2, stderr: expect.stringMatching(/^cortex: [^\n]+no object/) as string },
    });
  });

  test('what is not there is 5', async () => {
    const gone = { code: 5, stdout: '', stderr: 'cortex: job not found\n' };
    expect(await cortex(['get', '0199-no'])).toEqual(gone);
    expect(await cortex(['get', '../../health'])).toEqual(gone);
    expect(await cortex(['cancel', '0199-no'])).toEqual(gone);
  });

  test('a cancel that comes too late is 4; of a cancelled job it is 0', async () => {
    const id = await submitted('x', '--topic', 'job.echo');
    await finish(stage, await start(stage, id));
    const late = await cortex(['cancel', id, '--json']);
    expect(late).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(/was not cancelled: it had ended before, SUCCEEDED/),
    });
    expect(JSON.parse(late.stdout)).toEqual({ id, state: 'SUCCEEDED', reason: 'job already terminal' });
    const other = await submitted('x');
    expect(await cortex(['cancel', other])).toMatchObject({ code: 0 });
    expect(await cortex(['cancel', other])).toMatchObject({ code: 0 });
  });

  test('a reader who has seen enough is no error', async () => {
    const listing = startCli(['list', '--limit', '200'], { env: environment() });
    listing.closeStdout();
    expect(await listing.ended).toMatchObject({ code: 0, stderr: expect.not.stringMatching(/EPIPE|Error/) });
  });
});
