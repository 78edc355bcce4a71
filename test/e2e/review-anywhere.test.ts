// Reviews of what no worker has on its disk, on real processes: addresses behind TLS on this machine, and folders that the CLI uploads.
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JobView } from '#core/jobs/job.ts';
import { createKeys } from '#core/jobs/keys.ts';
import { createRedisStore } from '#core/jobs/redis-store.ts';
import { isEnd } from '#core/jobs/state.ts';
import type { JobStore } from '#core/jobs/store.ts';
import { connectRedis } from '#core/redis/ioredis.node.ts';
import type { RedisConnection } from '#core/redis/redis.ts';
import { freePort } from '../../local/servers/ports.ts';
import { runCli } from '../helpers/cli.ts';
import { type GitServer, startGitServer } from '../helpers/git-server.ts';
import { startNats, startRedis, type TestServer } from '../helpers/servers.ts';
import { type ServiceProcess, startService } from '../helpers/service-process.ts';
import { type RawEntry, tgz } from '../helpers/tar.ts';
import { until } from '../helpers/until.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'cortex-anywhere-')));
/** Where the worker keeps what it fetches. */
const temporary = join(root, 'tmp');
const servers: TestServer[] = [];
const processes: ServiceProcess[] = [];
let git: GitServer;
let gateway = '';
let redis: RedisConnection;
let store: JobStore;
/** Called when the server that never answers is asked. */
let onAsked: () => void = () => undefined;

const policy = `tenants:
  default: {allow_topics: ["job.*"]}
  near: {allowed_repo_hosts: ["*.example.org", "localhost"]}
  far: {allowed_repo_hosts: ["*.example.org"]}
`;

beforeAll(async () => {
  mkdirSync(temporary);
  writeFileSync(join(root, 'safety.yaml'), policy);
  const [nats, redisServer] = await Promise.all([startNats(), startRedis()]);
  servers.push(nats, redisServer);
  git = await startGitServer((request) => {
    if (!(request.url ?? '').startsWith('/silent')) return false;
    onAsked();
    return true;
  });
  publish('small');
  const env = {
    ...{ NATS_URL: nats.url, REDIS_URL: redisServer.url, LOG_LEVEL: 'warn' },
    ...{ GATEWAY_HTTP_ADDR: '127.0.0.1:0', GATEWAY_RPC_ADDR: '127.0.0.1:0' },
    SAFETY_KERNEL_ADDR: `127.0.0.1:${await freePort()}`,
    SAFETY_POLICY_PATH: join(root, 'safety.yaml'),
  };
  const start = async (entry: string, name: string, more: Record<string, string> = {}): Promise<ServiceProcess> => {
    const one = await startService(entry, { ...env, ...more }, [name]);
    processes.push(one);
    return one;
  };
  await start('functions/safety/node.ts', 'rpc');
  await start('services/scheduler/node.ts', 'metrics');
  const fetches = { REPO_PRIVATE_HOSTS: `localhost:${git.port}`, REPO_CA_FILE: git.caFile, TMPDIR: temporary };
  const [front] = await Promise.all([
    start('functions/gateway/node.ts', 'http'),
    start('services/worker/node.ts', 'metrics', { WORKERS: 'repo-scan,repo-report', ...fetches }),
    start('services/orchestrator/node.ts', 'metrics'),
  ]);
  gateway = front.urls['http'] ?? '';
  redis = await connectRedis({ url: redisServer.url, name: 'test', onError: () => undefined });
  store = createRedisStore({ redis, keys: createKeys(), random: () => 'test' });
}, 60_000);

afterAll(async () => {
  for (const one of processes.toReversed()) await one.stop();
  await git.close();
  await redis.close();
  for (const server of servers) await server.stop();
  rmSync(root, { recursive: true, force: true });
});

function writeTree(folder: string): void {
  mkdirSync(join(folder, 'src'), { recursive: true });
  writeFileSync(join(folder, 'src/a.ts'), 'export const a = 1;\n');
  writeFileSync(join(folder, 'README.md'), '# a\n');
  writeFileSync(join(folder, 'picture.png'), 'x');
}

function publish(name: string): void {
  const folder = join(root, `tree-${name}`);
  writeTree(folder);
  const who = ['-c', 'user.name=t', '-c', 'user.email=t@example.org', '-c', 'commit.gpgsign=false'];
  const run = (...args: string[]): void =>
    void execFileSync('git', [...who, ...args], { cwd: folder, stdio: 'ignore' });
  run('init', '-q', '-b', 'trunk');
  run('add', '.');
  run('commit', '-q', '-m', 'x');
  run('clone', '-q', '--bare', '.', join(git.folder, name));
}

async function post(path: string, body: BodyInit, tenant = 'default'): Promise<{ status: number; body: unknown }> {
  const headers = { 'content-type': 'application/json', 'x-cortex-tenant': tenant };
  const response = await fetch(gateway + path, { method: 'POST', body, headers, signal: AbortSignal.timeout(10_000) });
  return { status: response.status, body: await response.json() };
}

async function review(body: object, tenant?: string): Promise<string> {
  const answer = await post('/api/v1/repo-review', JSON.stringify(body), tenant);
  expect(answer).toMatchObject({ status: 202 });
  return (answer.body as { job_id: string }).job_id;
}

function ended(id: string): Promise<JobView> {
  const look = async (): Promise<JobView | undefined> => {
    const view = await store.view(id, undefined);
    return view !== undefined && isEnd(view.state) ? view : undefined;
  };
  return until(look, { timeout: 30_000, message: `the end of ${id}` });
}

const leftovers = (): string[] => readdirSync(temporary).filter((name) => name.startsWith('cortex-repo-'));

describe('an address', () => {
  test('that the configuration allows is fetched and reported', async () => {
    const id = await review({ repo_url: `${git.url}/small` });
    expect(await ended(id)).toMatchObject({ state: 'SUCCEEDED', errorMessage: '' });
    const result = JSON.parse((await store.result(id, 'default')) ?? 'null') as object;
    expect(result).toMatchObject({ scan_summary: { files: 2, skipped_counts: { not_included: 1 } } });
    expect(leftovers()).toEqual([]);
  });

  test('goes through the CLI', async () => {
    const args = ['review', `${git.url}/small`, '--branch', 'trunk'];
    const run = await runCli(args, { env: { CORTEX_URL: gateway } });
    expect(run.code, run.stderr).toBe(0);
    expect(run.stdout).toMatch(/^2 files, /m);
    const wrong = await runCli([...args.slice(0, 3), 'nobody'], { env: { CORTEX_URL: gateway } });
    expect(wrong).toMatchObject({ code: 1 });
    expect(wrong.stdout + wrong.stderr).toContain('branch: the repository has no such branch or tag');
  });

  test.each([
    ['https://127.0.0.1:<port>/small', 'permission_denied', /127.0.0.1 leads to an address that is not public/],
    ['https://localhost:1/small', 'permission_denied', /localhost leads to an address that is not public/],
    ['https://169.254.169.254/latest', 'permission_denied', /not public/],
    ['file:///etc', 'permission_denied', /does not fetch by file/],
    ['ssh://git@localhost/x', 'permission_denied', /does not fetch by ssh/],
    ['https://localhost:<port>/nobody', 'not_found', /no repository/],
  ])('%s fails as %s', async (url, code, message) => {
    const before = git.requests.length;
    const view = await ended(await review({ repo_url: url.replace('<port>', String(git.port)) }));
    expect(view).toMatchObject({ state: 'FAILED', errorCode: code });
    expect(view.errorMessage).toMatch(/^scan failed: repo_url: /);
    expect(view.errorMessage).toMatch(message);
    expect(view.errorMessage).not.toContain('\n');
    if (code === 'permission_denied') expect(git.requests.length).toBe(before);
    expect(leftovers()).toEqual([]);
  });

  test("a tenant fetches from its policy's hosts alone", async () => {
    const near = await review({ repo_url: `${git.url}/small` }, 'near');
    expect(await ended(near)).toMatchObject({ state: 'SUCCEEDED' });
    expect(await ended(`${near}.scan.1`)).toMatchObject({ safetyDecision: 'ALLOW_WITH_CONSTRAINTS' });
    const before = git.requests.length;
    const far = await ended(await review({ repo_url: `${git.url}/small` }, 'far'));
    expect(far).toMatchObject({ state: 'FAILED', errorCode: 'permission_denied' });
    expect(far.errorMessage).toContain('localhost is none of the hosts that the policy allows');
    expect(git.requests.length).toBe(before);
  });

  test('a cancel ends a fetch from a server that never answers, and nothing is left', async () => {
    const asked = new Promise<void>((resolve) => {
      onAsked = resolve;
    });
    const id = await review({ repo_url: `${git.url}/silent` });
    await asked;
    expect(leftovers()).toHaveLength(1);
    expect(await post(`/api/v1/jobs/${id}/cancel`, '')).toMatchObject({ status: 200 });
    await until(async () => ((await store.view(`${id}.scan.1`, undefined))?.stoppedAt ?? 0) > 0);
    expect(await store.view(`${id}.scan.1`, undefined)).toMatchObject({ state: 'CANCELLED' });
    expect(leftovers()).toEqual([]);
  });
});

describe('a folder outside the allowed roots', () => {
  test('is uploaded by the CLI, and reported', async () => {
    const folder = join(root, 'mine');
    writeTree(folder);
    mkdirSync(join(folder, 'node_modules'));
    writeFileSync(join(folder, 'node_modules/x.js'), '');
    const run = await runCli(['review', folder], { env: { CORTEX_URL: gateway } });
    expect(run.code, run.stderr).toBe(0);
    expect(run.stderr).toMatch(/^uploaded 2 files of /m);
    expect(run.stderr).toMatch(/^left out here: 1 excluded folder, 1 not included$/m);
    expect(run.stdout).toMatch(/^2 files, 4 lines, 24 B$/m);
  });
});

describe('an archive by somebody else', () => {
  const upload = async (archive: Uint8Array<ArrayBuffer>, named = archive): Promise<string> => {
    const sha256 = createHash('sha256').update(named).digest('hex');
    const begun = await post('/api/v1/archives', JSON.stringify({ sha256, bytes: archive.length }));
    expect(begun.status).toBe(200);
    expect(await post(`/api/v1/archives/${sha256}/parts/0`, archive)).toMatchObject({ status: 200 });
    return (begun.body as { archive_ptr: string }).archive_ptr;
  };

  const cases: readonly (readonly [string, RawEntry, RegExp])[] = [
    ['leads out', { name: '../../etc/cron.d/x.ts' }, /path with "\.\."/],
    ['is absolute', { name: '/etc/cron.d/x.ts' }, /absolute path/],
    ['has a link', { name: 'x.ts', type: '2', link: '/etc/passwd' }, /a symbolic link/],
    ['has a device', { name: 'x.ts', type: '3' }, /a device/],
    ['is a bomb', { name: 'x.ts', body: Buffer.alloc(20 * 2 ** 20) }, /more than 200 times its size/],
  ];

  test.each(cases)('that %s fails, once', async (_, bad, message) => {
    const archive_ptr = await upload(new Uint8Array(tgz({ name: 'a.ts', body: 'x' }, bad)));
    const id = await review({ archive_ptr });
    const view = await ended(id);
    expect(view).toMatchObject({ state: 'FAILED' });
    expect(view.errorMessage).toMatch(/^scan failed: archive_ptr: /);
    expect(view.errorMessage).toMatch(message);
    expect(await store.view(`${id}.scan.1`, undefined)).toMatchObject({ state: 'FAILED', failures: 1 });
    expect(await store.view(`${id}.scan.2`, undefined)).toBeUndefined();
  });

  test('that is not what its name says fails, and can be uploaded again', async () => {
    const good = new Uint8Array(tgz({ name: 'a.ts', body: 'x\n' }));
    const bad = new Uint8Array(good);
    bad[bad.length - 1] = 1 - (bad.at(-1) ?? 0);
    const archive_ptr = await upload(bad, good);
    const view = await ended(await review({ archive_ptr }));
    expect(view).toMatchObject({ state: 'FAILED', errorCode: 'data_loss' });
    expect(await post('/api/v1/repo-review', JSON.stringify({ archive_ptr }))).toMatchObject({ status: 404 });
    expect(await ended(await review({ archive_ptr: await upload(good) }))).toMatchObject({ state: 'SUCCEEDED' });
  });
});
