// Scan and report as workers: in the host, in a thread, on a real store, with the archive behind its pointer.
import { createHash } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { createKeys } from '#core/jobs/keys.ts';
import type { JobStore } from '#core/jobs/store.ts';
import { newJob } from '#core/jobs/submission.ts';
import { repoReportResult, repoScanResult } from '#core/protocol/repo-payloads.ts';
import { systemClock, systemIds } from '#core/system.ts';
import { create } from '@bufbuild/protobuf';
import { JobRequestSchema } from '#proto/cortex/agent/v1/job_pb.ts';
import { type ReadResult, repoReport } from '../../../services/worker/repo/report.ts';
import type { FetchSettings } from '../../../services/worker/repo/fetch.ts';
import { type ReadArchives, repoScan } from '../../../services/worker/repo/scan.ts';
import { createStage, type Stage, type Submit } from '../../helpers/worker-stage.ts';
import { tgz } from '../../helpers/tar.ts';
import { makeStore } from '../../helpers/worker-store.ts';
import { noEngine } from '../../helpers/context/no-engine.ts';
import { git, makeTree } from './tree.ts';

const root = makeTree({ 'a.ts': 'alpha\n', 'b.go': '', 'notes.bin': '', '.gitignore': 'x\n' });
git(root, 'init', '-q');

/** One that fetches from this machine, where nobody listens. */
const fetch: FetchSettings = {
  ...{ schemes: ['https'], privateHosts: [], caFile: undefined, sshKey: undefined, sshKnownHosts: undefined },
  ...{ maxMs: 5000, maxBytes: 2 ** 20 },
};
const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const uploaded = tgz({ name: 'x.ts', body: 'one\ntwo\n' });
/** Archives by tenant and digest; what was dropped. */
const stored = new Map<string, Uint8Array>();
const dropped: string[] = [];
const archives: ReadArchives = {
  read: async ({ tenant, sha256 }) => stored.get(`${tenant}:${sha256}`),
  drop: async ({ tenant, sha256 }) => void dropped.push(`${tenant}:${sha256}`),
};

let stage: Stage | undefined;
afterEach(async () => {
  await stage?.close();
  stage = undefined;
});

async function setUp(roots: readonly string[] = [root], minFiles = 1): Promise<Stage> {
  const store = await makeStore();
  const readResult: ReadResult = (id, tenant) => store.result(id, tenant);
  const definitions = [repoScan({ roots, minFiles, fetch }, archives, noEngine), repoReport(readResult)];
  stage = await createStage({ store, clock: systemClock, definitions });
  return stage;
}

/** Runs a job to its end; what became of it. */
async function ended(s: Stage, submit: Submit) {
  const { id } = await s.run(submit);
  await s.seen('done', id);
  const view = await s.view(id);
  const text = await s.store.result(id, 'default');
  return { id, view, result: JSON.parse(text ?? 'null') as unknown };
}

describe('a scan', () => {
  test('stores its result and, under its fence, the archive', async () => {
    const s = await setUp();
    const { id, view, result } = await ended(s, { topic: 'job.repo.scan', payload: { local_path: root } });
    expect(view).toMatchObject({ state: 'SUCCEEDED', errorMessage: '' });
    const scan = repoScanResult.parse(result);
    expect(scan.files.map((f) => f.path)).toEqual(['a.ts', 'b.go']);
    expect(scan.archive_ptr).toBe(`redis://res:${id}-repo-archive-${view.fence}`);
    expect(view.artifactPtrs).toEqual([scan.archive_ptr]);
    expect(scan.skipped_counts).toEqual({ not_included: 2 });
  });

  test.each([
    [{ repo_url: 'https://127.0.0.1/r' }, 'permission_denied', /^repo_url: 127.0.0.1 leads to an address/],
    [{ repo_url: 'file:///etc' }, 'permission_denied', /^repo_url: this worker does not fetch by file/],
    [{ repo_url: 'https://127.0.0.1/r', branch: '-x' }, 'invalid_argument', /^branch: /],
    [{ archive_ptr: 'redis://ctx:1' }, 'invalid_argument', /^archive_ptr: must name an uploaded archive/],
    [{ archive_ptr: `redis://archive:other:${sha(uploaded)}` }, 'not_found', /^archive_ptr: there is no such archive/],
    [{ archive_ptr: `redis://archive:default:${'0'.repeat(64)}` }, 'not_found', /^archive_ptr: /],
    [{ archive_ptr: 'redis://archive:a:0', local_path: root }, 'invalid_argument', /^archive_ptr: cannot go together/],
    [{ local_path: '/etc' }, 'permission_denied', /^local_path: is not below a folder that REPO_LOCAL_ROOTS allows/],
    [{ local_path: root, include_globs: ['{a'] }, 'invalid_argument', /^include_globs.0: /],
    [{ local_path: root, include_globs: ['*.py'] }, 'failed_precondition', /^local_path: 0 files .*MIN_SCAN_FILES/],
    [{}, 'invalid_argument', /repo_url/],
    [{ local_path: 7 }, 'invalid_argument', /^local_path: /],
  ])('of %j is FAILED %s', async (payload, code, message) => {
    const { view } = await ended(await setUp(), { topic: 'job.repo.scan', payload, maxRetries: 3 });
    expect(view).toMatchObject({ state: 'FAILED', errorCode: code, failures: 1 });
    expect(view.errorMessage).toMatch(message);
  });

  test("reads an archive of the tenant's, and refuses one that is not what its name says", async () => {
    stored.set(`default:${sha(uploaded)}`, uploaded);
    const wrong = 'f'.repeat(64);
    stored.set(`default:${wrong}`, uploaded);
    stored.set(`other:${sha(uploaded)}`, uploaded);
    const s = await setUp();
    const of = (digest: string) => ({ archive_ptr: `redis://archive:default:${digest}`, include_globs: ['**'] });
    const good = await ended(s, { topic: 'job.repo.scan', payload: of(sha(uploaded)) });
    expect(repoScanResult.parse(good.result)).toMatchObject({ repo_root: '', files: [{ path: 'x.ts', loc: 3 }] });
    expect(dropped).toEqual([]);
    const bad = await ended(s, { topic: 'job.repo.scan', payload: of(wrong) });
    expect(bad.view).toMatchObject({ state: 'FAILED', errorCode: 'data_loss' });
    expect(bad.view.errorMessage).toMatch(/^archive_ptr: what was uploaded has another SHA-256/);
    expect(dropped).toEqual([`default:${wrong}`]);
  });

  test("fetches from the policy's hosts alone", async () => {
    const constraints = { sandbox: { networkAllowlist: ['git.example.org'] } };
    const s = await setUp();
    const payload = { repo_url: 'https://localhost/r' };
    const { view } = await ended(s, { topic: 'job.repo.scan', payload, constraints });
    expect(view).toMatchObject({ state: 'FAILED', errorCode: 'permission_denied' });
    expect(view.errorMessage).toBe(
      'repo_url: localhost is none of the hosts that the policy allows (allowed_repo_hosts)',
    );
    const local = await ended(s, { topic: 'job.repo.scan', payload: { local_path: root }, constraints });
    expect(local.view).toMatchObject({ state: 'SUCCEEDED' });
  });

  test('reads nothing where no folder is allowed', async () => {
    const { view } = await ended(await setUp([]), { topic: 'job.repo.scan', payload: { local_path: root } });
    expect(view.errorMessage).toBe(
      'local_path: this worker may read no local folder; REPO_LOCAL_ROOTS names those it may read',
    );
  });

  test('takes no more bytes than the policy allows', async () => {
    const constraints = { budgets: { maxArtifactBytes: 100n } };
    const { view } = await ended(await setUp(), {
      ...{ topic: 'job.repo.scan', payload: { local_path: root }, constraints },
    });
    expect(view).toMatchObject({ state: 'FAILED', errorCode: 'out_of_range' });
    expect(view.errorMessage).toContain('artifact.repo-archive');
  });

  test('ends with a cancel while it is at work', async () => {
    const large = makeTree(
      Object.fromEntries(Array.from({ length: 4000 }, (_, i) => [`d${i % 100}/f${i}.ts`, `${i}\n`.repeat(500)])),
    );
    const s = await setUp([large]);
    const { id } = await s.run({ topic: 'job.repo.scan', payload: { local_path: large } });
    await s.seen('started', id);
    await s.cancel(id);
    expect(await s.seen('aborted', id)).toMatchObject({ cause: 'cancelled' });
    await s.seen('done', id);
    expect(await s.view(id)).toMatchObject({ state: 'CANCELLED', artifactPtrs: [] });
  });
});

describe('a report', () => {
  /** A job of another tenant, with this result. */
  async function foreign(store: JobStore): Promise<string> {
    const id = systemIds().job(createKeys(1).ofTenant('other'));
    const request = create(JobRequestSchema, { jobId: id, topic: 'job.test' });
    const facts = { tenant: 'other', principal: 'p', traceId: 't', sender: 's', now: Date.now(), payload: '{}' };
    await store.create([newJob({ request, ...facts })]);
    return id;
  }

  test('describes the scan behind the pointer, in both spellings', async () => {
    const s = await setUp();
    const scan = await ended(s, { topic: 'job.repo.scan', payload: { local_path: root } });
    for (const scan_ptr of [scan.view.resultPtr, `redis://res/${scan.id}`]) {
      const { view, result } = await ended(s, { topic: 'job.repo.report', payload: { scan_ptr } });
      expect(view).toMatchObject({ state: 'SUCCEEDED' });
      const report = repoReportResult.parse(result);
      expect(report.scan_summary).toMatchObject({ files: 2, lines: 3, skipped_counts: { not_included: 2 } });
      expect(report.tests_summary).toBeUndefined();
    }
  });

  test("says no to what is not the tenant's, not there, not a result, not a scan", async () => {
    const s = await setUp();
    const theirs = await foreign(s.store);
    const failing = await ended(s, { topic: 'job.repo.scan', payload: {} });
    const report = await ended(s, { topic: 'job.repo.scan', payload: { local_path: root } });
    const other = await ended(s, { topic: 'job.repo.report', payload: { scan_ptr: report.view.resultPtr } });
    for (const [scan_ptr, code, message] of [
      ['', 'invalid_argument', 'scan_ptr: is empty'],
      ['redis://ctx:1', 'invalid_argument', 'scan_ptr: must name the result of a job: redis://res:<job id>'],
      ['redis://res:nobody', 'not_found', 'scan_ptr: there is no such job'],
      [`redis://res:${theirs}`, 'not_found', 'scan_ptr: there is no such job'],
      [`redis://res:${failing.id}`, 'failed_precondition', 'scan_ptr: the job has no result'],
      [`redis://res:${other.id}`, 'invalid_argument', 'repo_root: '],
    ] as const) {
      const { view } = await ended(s, { topic: 'job.repo.report', payload: { scan_ptr } });
      expect(view).toMatchObject({ state: 'FAILED', errorCode: code });
      expect(view.errorMessage).toContain(message);
    }
  });

  test.each(['tests_ptr', 'sast_ptr'])('fails rather than leave %s out', async (field) => {
    const payload = { scan_ptr: 'redis://res:1', [field]: 'redis://res:2' };
    const { view } = await ended(await setUp(), { topic: 'job.repo.report', payload });
    expect(view).toMatchObject({
      state: 'FAILED',
      errorCode: 'unimplemented',
      errorMessage: `${field}: is not read by this worker yet`,
    });
  });
});
