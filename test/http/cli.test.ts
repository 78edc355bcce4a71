// The real CLI as a process, against the real gateway as a process with its own NATS and Redis. The test plays scheduler and worker,
// so that a job ends when and how the case wants it.
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { connectBus } from '#core/bus/nats-tcp.node.ts';
import { createKeys } from '#core/jobs/keys.ts';
import { postEvents } from '#core/jobs/post-events.ts';
import { createRedisStore } from '#core/jobs/redis-store.ts';
import type { EndState } from '#core/jobs/state.ts';
import { connectRedis } from '#core/redis/ioredis.node.ts';
import { snapshotKey } from '#core/routing/snapshot.ts';
import { identify } from '../../local/bootstrap/process.mjs';
import { freePort } from '../../local/servers/ports.ts';
import { type CliOptions, type CliRun, runCli, startCli } from '../helpers/cli.ts';
import { startNats, startRedis, type TestServer } from '../helpers/servers.ts';
import { type ServiceProcess, startService } from '../helpers/service-process.ts';
import { finish, start, storedPacket, storedPayload } from './drive.ts';
import type { GatewayUnderTest } from './under-test.ts';

let nats: TestServer;
let redisServer: TestServer;
let gateway: ServiceProcess;
let folder: string;
let closeClients: () => Promise<void>;
/** As much of a gateway under test as driving a job needs. */
let stage: GatewayUnderTest;

function startGateway(env: Record<string, string> = {}): Promise<ServiceProcess> {
  const addresses = { GATEWAY_HTTP_ADDR: '127.0.0.1:0', GATEWAY_RPC_ADDR: '127.0.0.1:0' };
  return startService(
    'functions/gateway/node.ts',
    { NATS_URL: nats.url, REDIS_URL: redisServer.url, ...addresses, ...env },
    ['http'],
  );
}

beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'cortex-cli-')));
  [nats, redisServer] = await Promise.all([startNats(), startRedis()]);
  gateway = await startGateway();
  const onError = (error: unknown): never => {
    throw error;
  };
  const redis = await connectRedis({ url: redisServer.url, name: 'test', onError });
  const bus = await connectBus({ url: nats.url, name: 'test', onError });
  const onEvents = postEvents((message) => bus.post(message));
  const random = (): string => randomUUID().replaceAll('-', '');
  const parts: Pick<GatewayUnderTest, 'redis' | 'store'> = {
    redis: { get: (key) => redis.get(key), set: (key, value) => redis.set(key, value).then(() => undefined) },
    store: createRedisStore({ redis, keys: createKeys(1), random, onEvents }),
  };
  stage = parts as GatewayUnderTest;
  closeClients = async () => {
    await bus.close();
    await redis.close();
  };
});
afterAll(async () => {
  await closeClients();
  await gateway.stop();
  await Promise.all([nats.stop(), redisServer.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

function environment(env: CliOptions['env'] = {}): Record<string, string> {
  return { CORTEX_URL: gateway.urls['http'] ?? '', ...env };
}

function cortex(args: readonly string[], options: CliOptions = {}): Promise<CliRun> {
  return runCli(args, { ...options, env: environment(options.env) });
}

function json(run: CliRun): Record<string, unknown> {
  expect(run.stderr).toBe('');
  return JSON.parse(run.stdout) as Record<string, unknown>;
}

async function submitted(...args: string[]): Promise<string> {
  const run = await cortex(['submit', ...args, '--json']);
  expect(run).toMatchObject({ code: 0 });
  return String(json(run)['job_id']);
}

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
    const { items } = json(await cortex(['list', '--limit', '1', '--json'])) as { items: { id: string }[] };
    const id = items[0]?.id ?? '';
    const job = await start(stage, id);
    await finish(stage, job, {
      status,
      ...(status === 'SUCCEEDED' ? { result: '{"ok":true}' } : { code: 'why', message: 'because' }),
    });
    const ended = await running.ended;
    expect(ended.code).toBe(code);
    const direct = await fetch(`${gateway.urls['http']}/api/v1/jobs/${id}`);
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
    expect(stderr).toMatch(new RegExp(`job ${id} has not ended: PENDING\\. To wait again: .* get ${id} --wait\n$`));
    expect(await cortex(['get', id])).toMatchObject({ code: 9, stdout: expect.stringContaining('PENDING') });
  });

  test('Ctrl-C leaves the job running, says so, and is 130', async () => {
    const id = await submitted('x');
    const waiting = startCli(['get', id, '--wait'], { env: environment() });
    await waiting.says(/PENDING/);
    waiting.signal('SIGINT');
    const { code, stderr } = await waiting.ended;
    expect(code).toBe(130);
    expect(stderr).toMatch(new RegExp(`stopped waiting; job ${id} goes on. To cancel it: .* cancel ${id}`));
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
    const raw = await fetch(`${gateway.urls['http']}/api/v1/jobs?limit=20&topic=${topic}&state=PENDING`);
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

describe('review', () => {
  const result = JSON.stringify({
    summary: 'Looked at 2 files.',
    action_required: false,
    decision: 'No blocking issues.',
    sections: [],
    scan_summary: {
      files: 2,
      bytes: 3_000,
      lines: 120,
      languages: [{ language: 'go', files: 2, lines: 120, bytes: 3_000 }],
      largest: [{ path: 'main.go', language: 'go', bytes: 2_000, loc: 100 }],
      skipped: [{ path: 'link', reason: 'symlink' }],
      skipped_counts: { symlink: 1 },
    },
  });

  test('sends the real path, waits, and prints the report', async () => {
    mkdirSync(join(folder, 'repo'));
    symlinkSync('repo', join(folder, 'link'));
    const running = startCli(['review', 'link', '--exclude', '*.md', '--max-files', '9'], {
      env: environment(),
      cwd: folder,
    });
    await running.says(new RegExp(`^review of ${folder}/repo: job \\S+\n`));
    const { items } = json(await cortex(['list', '--limit', '1', '--json'])) as {
      items: { id: string; topic: string }[];
    };
    const { id = '', topic } = items[0] ?? {};
    expect(topic).toBe('job.workflow.repo.code_review');
    const payload = await storedPayload(stage, id);
    expect(payload).toMatchObject({ local_path: join(folder, 'repo'), repo_url: '', max_files: 9 });
    expect(payload['exclude_globs']).toEqual(expect.arrayContaining(['node_modules/**', '*.md']));
    await finish(stage, await start(stage, id), { result });
    const { code, stdout } = await running.ended;
    expect(code).toBe(0);
    expect(stdout).toContain('2 files, 120 lines, 3.0 kB');
    expect(stdout).toMatch(/^ {2}go +2 files +120 lines +3\.0 kB/m);
    expect(stdout).toMatch(/2\.0 kB +100 lines +main\.go/);
    expect(stdout).toMatch(/^ +1 {2}symlink +link$/m);
    expect((await cortex(['get', id])).stdout).toContain('Largest files');
  });

  test('an address goes as it is; a password in it is not shown', async () => {
    const { code, stdout, stderr } = await cortex(['review', 'https://ann:pw@example.test/r.git', '--wait=0']);
    expect({ code, stdout }).toEqual({ code: 9, stdout: '' });
    expect(stderr).toContain('review of https://example.test/r.git: job ');
    expect(stderr).not.toContain('pw@');
    const run = json(await cortex(['review', 'git@example.test:a/b.git', '--branch', 'dev', '--no-wait', '--json']));
    expect(await storedPayload(stage, String(run['job_id']))).toMatchObject({
      repo_url: 'git@example.test:a/b.git',
      branch: 'dev',
    });
  });
});

describe('keys', () => {
  let guarded: ServiceProcess | undefined;
  afterEach(async () => {
    await guarded?.stop();
    guarded = undefined;
  });

  test('made here, taken there: each role may do what it may', async () => {
    const file = join(folder, 'keys.yaml');
    const API_KEYS_PATH = file;
    const add = async (...args: string[]): Promise<Record<string, string>> => {
      const { code, stdout, stderr } = await runCli(['keys', 'add', ...args], { env: { API_KEYS_PATH } });
      expect(code).toBe(0);
      expect(stdout).toMatch(/^cortex_\S+\n$/);
      expect(stderr).not.toContain(stdout.trim());
      return { CORTEX_API_KEY: stdout.trim(), CORTEX_URL: guarded?.urls['http'] ?? '' };
    };
    await add('--tenant', 'acme', '--role', 'admin', '--principal', 'root');
    guarded = await startGateway({ API_KEYS_PATH });
    const [ann, viewer, rival, admin] = [
      await add('--tenant', 'acme', '--principal', 'ann@acme'),
      await add('--tenant', 'acme', '--role', 'viewer'),
      await add('--tenant', 'rival', '--role', 'operator'),
      await add('--tenant', 'home', '--role', 'admin'),
    ];
    const CORTEX_URL = guarded.urls['http'] ?? '';
    const nobody = await runCli(['list'], { env: { CORTEX_URL } });
    expect(nobody).toMatchObject({ code: 4, stderr: expect.stringMatching(/an API key is needed.*CORTEX_API_KEY/) });
    const wrong = await runCli(['list'], { env: { CORTEX_URL, CORTEX_API_KEY: 'cortex_wrong' } });
    expect(wrong).toMatchObject({ code: 4, stderr: 'cortex: the API key is not known\n' });

    const id = String(json(await runCli(['submit', 'x', '--json'], { env: ann }))['job_id']);
    expect(await runCli(['get', id, '--json'], { env: viewer })).toMatchObject({
      code: 9,
      stdout: expect.stringContaining('"ann@acme"'),
    });
    expect(await runCli(['submit', 'x'], { env: viewer })).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('role submitter'),
    });
    expect(await runCli(['get', id], { env: rival })).toMatchObject({ code: 5 });
    expect(await runCli(['cancel', id], { env: rival })).toMatchObject({ code: 5 });
    expect(await runCli(['get', id, '--tenant', 'acme'], { env: rival })).toMatchObject({ code: 4 });
    expect(await runCli(['get', id, '--tenant', 'acme'], { env: admin })).toMatchObject({ code: 9 });

    const keyFile = join(folder, 'ann.key');
    writeFileSync(keyFile, `${ann['CORTEX_API_KEY']}\n`, { mode: 0o600 });
    const fromFile = await runCli(['cancel', id, '--key-file', 'ann.key', '--gateway', CORTEX_URL], { cwd: folder });
    expect(fromFile).toMatchObject({ code: 0, stderr: '' });
  });

  test('list and remove', async () => {
    const env = { API_KEYS_PATH: join(folder, 'more.yaml') };
    await runCli(['keys', 'add', '--tenant', 'acme', '--principal', 'ann'], { env });
    const listed = await runCli(['keys', 'list', '--json'], { env });
    const [key] = JSON.parse(listed.stdout) as { id: string }[];
    expect(key).toMatchObject({ tenant: 'acme', principal: 'ann', role: 'submitter' });
    expect(listed.stdout).not.toContain('sha256');
    expect((await runCli(['keys', 'list'], { env })).stdout).toMatch(
      /^ID +TENANT +PRINCIPAL +ROLE +CREATED\n.*acme {4}ann/,
    );
    expect(await runCli(['keys', 'remove', key?.id ?? ''], { env })).toMatchObject({ code: 0 });
    expect(await runCli(['keys', 'remove', key?.id ?? ''], { env })).toMatchObject({ code: 5 });
    expect(await runCli(['keys', 'list'], { env })).toEqual({ code: 0, stdout: '', stderr: 'no keys\n' });
  });
});

describe('finding the gateway', () => {
  test('in what npm start noted, from a folder inside', async () => {
    const inside = join(folder, 'checkout', 'a', 'b');
    mkdirSync(inside, { recursive: true });
    mkdirSync(join(folder, 'checkout', '.cortex'));
    const run = { ...identify(process.pid), urls: { gateway: gateway.urls['http'] } };
    writeFileSync(join(folder, 'checkout', '.cortex', 'run.json'), JSON.stringify(run));
    expect(await runCli(['list', '--json'], { cwd: inside })).toMatchObject({ code: 0 });
    // npm runs its scripts in the root of the checkout and tells where the person stood.
    const byNpm = { npm_lifecycle_event: 'cortex', INIT_CWD: inside };
    const listed = await runCli(['submit', 'x'], { env: byNpm });
    expect(listed).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/^its result: npm run cortex -- get \S+ --wait\n$/),
    });
  });

  test('nobody there is 3, in one line that says what was tried', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const { code, stdout, stderr } = await runCli(['list'], { env: { CORTEX_URL: url } });
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toBe(`cortex: cannot reach the gateway at ${url} (from CORTEX_URL): connection refused\n`);
  });
});
