// A repository review on real processes: from POST /api/v1/repo-review to the report, and through the death of an orchestrator.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { unpackTar } from 'modern-tar';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { JobView } from '#core/jobs/job.ts';
import { createKeys } from '#core/jobs/keys.ts';
import { createRedisStore } from '#core/jobs/redis-store.ts';
import { isEnd } from '#core/jobs/state.ts';
import type { JobStore } from '#core/jobs/store.ts';
import { connectRedis } from '#core/redis/ioredis.node.ts';
import type { RedisConnection } from '#core/redis/redis.ts';
import { freePort } from '../../local/servers/ports.ts';
import { repoReviewResult } from '../../services/orchestrator/repo-review.ts';
import { startNats, startRedis, type TestServer } from '../helpers/servers.ts';
import { type ServiceProcess, startService } from '../helpers/service-process.ts';
import { until } from '../helpers/until.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'cortex-review-')));
const servers: TestServer[] = [];
const processes = new Map<string, ServiceProcess>();
let env: Record<string, string> = {};
let redis: RedisConnection;
let store: JobStore;

async function start(name: string, entry: string, names: readonly string[], more: Record<string, string> = {}) {
  processes.set(name, await startService(entry, { ...env, ...more }, names));
}

const gateway = (): string => processes.get('gateway')?.urls['http'] ?? '';

beforeAll(async () => {
  const [nats, redisServer] = await Promise.all([startNats(), startRedis()]);
  servers.push(nats, redisServer);
  const kernel = `127.0.0.1:${await freePort()}`;
  env = { NATS_URL: nats.url, REDIS_URL: redisServer.url, SAFETY_KERNEL_ADDR: kernel, LOG_LEVEL: 'warn' };
  Object.assign(env, { GATEWAY_HTTP_ADDR: '127.0.0.1:0', GATEWAY_RPC_ADDR: '127.0.0.1:0', REPO_LOCAL_ROOTS: root });
  await start('safety', 'functions/safety/node.ts', ['rpc']);
  // First, so that it hears the first heartbeats and not only the next ones, seconds later.
  await start('scheduler', 'services/scheduler/node.ts', ['metrics']);
  const workers = { WORKERS: 'repo-scan,repo-report' };
  await Promise.all([
    start('worker', 'services/worker/node.ts', ['metrics'], workers),
    start('one', 'services/orchestrator/node.ts', ['metrics'], { WORKER_ID: 'one' }),
    start('gateway', 'functions/gateway/node.ts', ['http']),
  ]);
  redis = await connectRedis({ url: redisServer.url, name: 'test', onError: () => undefined });
  store = createRedisStore({ redis, keys: createKeys(), random: () => 'test' });
}, 60_000);

afterAll(async () => {
  for (const one of [...processes.values()].toReversed()) await one.stop();
  await redis.close();
  for (const server of servers) await server.stop();
  rmSync(root, { recursive: true, force: true });
});

/** A committed repository below the allowed root. */
function makeRepo(name: string, files: number): string {
  const folder = join(root, name);
  for (let i = 0; i < files; i++) {
    mkdirSync(join(folder, `src/d${i % 40}`), { recursive: true });
    writeFileSync(join(folder, `src/d${i % 40}/f${i}.ts`), `export const n${i} = ${i};\n`.repeat(30));
  }
  writeFileSync(join(folder, '.gitignore'), 'secret.ts\n');
  writeFileSync(join(folder, 'secret.ts'), 'ignored');
  const who = ['-c', 'user.name=t', '-c', 'user.email=t@example.org'];
  for (const args of [
    ['init', '-q'],
    ['add', '.'],
    ['commit', '-q', '-m', 'x'],
  ]) {
    execFileSync('git', [...who, ...args], { cwd: folder });
  }
  return folder;
}

async function call(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }> {
  const response = await fetch(gateway() + path, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    signal: AbortSignal.timeout(40_000),
  });
  return { status: response.status, body: await response.json() };
}

async function review(body: object): Promise<string> {
  const answer = await call('POST', '/api/v1/repo-review', body);
  expect(answer.status).toBe(202);
  return (answer.body as { job_id: string }).job_id;
}

function ended(id: string): Promise<JobView> {
  const look = async (): Promise<JobView | undefined> => {
    const view = await store.view(id, undefined);
    return view !== undefined && isEnd(view.state) ? view : undefined;
  };
  return until(look, { timeout: 30_000, message: `the end of ${id}` });
}

test('a review of a repository ends with its report, the archive behind its pointer', async () => {
  const folder = makeRepo('small', 3);
  const id = await review({ local_path: folder });
  expect(await ended(id)).toMatchObject({ state: 'SUCCEEDED', errorMessage: '' });
  const { body } = await call('GET', `/api/v1/jobs/${id}`);
  const { result, result_ptr } = body as { result: unknown; result_ptr: string };
  expect(result_ptr).toBe(`redis://res:${id}`);
  const report = repoReviewResult.parse(result);
  expect(report).toMatchObject({
    action_required: false,
    sections: [{ title: 'Code Findings', items: [] }],
    scan_summary: { files: 3, lines: 93, skipped_counts: { not_included: 1, ignored: 1 } },
    scan_ptr: `redis://res:${id}.scan.1`,
    report_ptr: `redis://res:${id}.report.1`,
  });
  const archive = await redis.getBytes(report.archive_ptr.replace('redis://', ''));
  const entries = await unpackTar(gunzipSync(archive ?? new Uint8Array(0)), { strict: true });
  expect(entries.map((e) => e.header.name)).toEqual(['src/d0/f0.ts', 'src/d1/f1.ts', 'src/d2/f2.ts']);
  const metrics = await (await fetch(`${processes.get('one')?.urls['metrics']}/metrics`)).text();
  expect(metrics).toContain('cortex_orchestrator_workflows_started_total{workflow="repo_code_review"} 1');
  const labels = 'workflow="repo_code_review",status="completed"';
  expect(metrics).toContain(`cortex_orchestrator_workflows_completed_total{${labels}} 1`);
});

test.each([
  [{ local_path: '/etc' }, 'permission_denied', /^scan failed: local_path: is not below/],
  [{ repo_url: 'https://127.0.0.1/x.git' }, 'permission_denied', /^scan failed: repo_url: 127.0.0.1 leads to/],
])('a review of %j fails with the step and the field', async (body, code, message) => {
  const view = await ended(await review(body));
  expect(view).toMatchObject({ state: 'FAILED', errorCode: code });
  expect(view.errorMessage).toMatch(message);
});

test('kill -9 of the orchestrator: another one goes on, and the scan is not done twice', async () => {
  const folder = makeRepo('large', 4000);
  const id = await review({ local_path: folder });
  const scanning = async (): Promise<boolean> => (await store.view(`${id}.scan.1`, undefined))?.state === 'RUNNING';
  await until(scanning, { interval: 5, timeout: 10_000 });
  await processes.get('one')?.kill();
  processes.delete('one');
  expect((await store.view(id, undefined))?.state).toBe('RUNNING');
  await start('two', 'services/orchestrator/node.ts', ['metrics'], { WORKER_ID: 'two' });
  expect(await ended(id)).toMatchObject({ state: 'SUCCEEDED', losses: 1, worker: 'two-repo-orchestrator' });
  expect(await ended(`${id}.scan.1`)).toMatchObject({ state: 'SUCCEEDED', attempts: 1 });
  const trace = await store.trace((await ended(id)).traceId, 'default');
  expect(trace.map((v) => v.id).toSorted()).toEqual([id, `${id}.report.1`, `${id}.scan.1`]);
});

test('a cancel of the review stops the scan', async () => {
  const id = await review({ local_path: join(root, 'large') });
  const begun = async (): Promise<boolean> => (await store.view(`${id}.scan.1`, undefined))?.state === 'RUNNING';
  await until(begun, { interval: 5, timeout: 10_000 });
  expect(await call('POST', `/api/v1/jobs/${id}/cancel`)).toMatchObject({ status: 200, body: { state: 'CANCELLED' } });
  expect(await ended(`${id}.scan.1`)).toMatchObject({ state: 'CANCELLED' });
  expect(await store.view(`${id}.report.1`, undefined)).toBeUndefined();
  await until(async () => ((await store.view(`${id}.scan.1`, undefined))?.stoppedAt ?? 0) > 0);
});
