// cortex review and keys, and how the gateway is found: the real CLI against a real gateway.
import { randomBytes } from 'node:crypto';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { unpackTar } from 'modern-tar';
import { afterEach, describe, expect, test } from 'vitest';
import { identify } from '../../local/bootstrap/process.mjs';
import { freePort } from '../../local/servers/ports.ts';
import { runCli, startCli } from '../helpers/cli.ts';
import type { ServiceProcess } from '../helpers/service-process.ts';
import { archives, cortex, environment, folder, gatewayUrl, json, newest, stage, startGateway } from './cli-stage.ts';
import { finish, start, storedPayload } from './drive.ts';

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

  test('sends the real path where a worker reads it, waits, and prints the report', async () => {
    mkdirSync(join(folder, 'repo'));
    symlinkSync('repo', join(folder, 'link'));
    const running = startCli(['review', 'link', '--exclude', '*.md', '--max-files', '9'], {
      env: environment({ REPO_LOCAL_ROOTS: `/nowhere:${join(folder, 'link')}` }),
      cwd: folder,
    });
    await running.says(new RegExp(`^review of ${folder}/repo: job \\S+\n`));
    const { id, topic } = await newest();
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
    const refused = await cortex(['review', 'https://ann:pw@example.test/r.git', '--wait=0']);
    expect(refused).toMatchObject({ code: 4, stdout: '' });
    expect(refused.stderr).toContain('repo_url: must not hold a name or password');
    expect(refused.stderr).not.toContain('pw@');
    const { code, stdout, stderr } = await cortex(['review', 'https://example.test/r.git', '--wait=0']);
    expect({ code, stdout }).toEqual({ code: 9, stdout: '' });
    expect(stderr).toContain('review of https://example.test/r.git: job ');
    const run = json(await cortex(['review', 'git@example.test:a/b.git', '--branch', 'dev', '--no-wait', '--json']));
    expect(await storedPayload(stage, String(run['job_id']))).toMatchObject({
      repo_url: 'git@example.test:a/b.git',
      branch: 'dev',
    });
  });
});

describe('review of a folder that no worker is known to read', () => {
  const elsewhere = join(folder, 'elsewhere');
  const write = (path: string, content: string | Uint8Array): void => {
    mkdirSync(dirname(join(elsewhere, path)), { recursive: true });
    writeFileSync(join(elsewhere, path), content);
  };
  const review = (...args: string[]) => cortex(['review', elsewhere, '--no-wait', ...args]);
  /** What the archive of the newest review holds: text by path. */
  const uploaded = async (): Promise<Record<string, string>> => {
    const payload = await storedPayload(stage, (await newest()).id);
    expect(payload).toMatchObject({ local_path: '', repo_url: '' });
    const sha256 = /^redis:\/\/archive:default:([0-9a-f]{64})$/.exec(String(payload['archive_ptr']))?.[1] ?? '';
    const archive = await archives.read({ tenant: 'default', sha256 });
    if (archive === undefined) throw new Error('the archive is not there');
    const entries = await unpackTar(gunzipSync(archive), { strict: true });
    return Object.fromEntries(entries.map(({ header, data }) => [header.name, new TextDecoder().decode(data)]));
  };

  test('packs it by the patterns and uploads it in parts', async () => {
    write('a.ts', 'one\n');
    write('src/b.py', 'two\n');
    write('node_modules/c.ts', 'three');
    write('picture.ts', new Uint8Array([0, 1, 2]));
    write('noise.txt', randomBytes(600_000).toString('hex'));
    symlinkSync('/etc/passwd', join(elsewhere, 'passwd.txt'));
    const run = await review();
    expect(run.code, run.stderr).toBe(0);
    expect(run.stderr).toMatch(/^uploaded 3 files of \S+elsewhere \(1\.2 MB, 6\d\d kB packed\)$/m);
    expect(run.stderr).toMatch(/^left out here: 1 binary, 1 excluded folder, 1 symlink$/m);
    const files = await uploaded();
    expect(Object.keys(files)).toEqual(['a.ts', 'noise.txt', 'src/b.py']);
    expect(files['noise.txt']).toHaveLength(1_200_000);
    await review('--include', '*.py');
    expect(Object.keys(await uploaded())).toEqual(['src/b.py']);
  });

  test('the same content is uploaded once, and a repeated review is the same job', async () => {
    const [first, second] = [
      await review('--json', '--idempotency-key', 'once'),
      await review('--json', '--idempotency-key', 'once'),
    ];
    expect(JSON.parse(second.stdout)).toEqual(JSON.parse(first.stdout));
  });

  test('--pack uploads what a worker could read, --no-pack sends a path that none is known to read', async () => {
    await cortex(['review', elsewhere, '--no-wait', '--pack'], { env: { REPO_LOCAL_ROOTS: folder } });
    expect(Object.keys(await uploaded())).toHaveLength(3);
    await review('--no-pack');
    expect(await storedPayload(stage, (await newest()).id)).toMatchObject({ local_path: elsewhere });
    expect(await review('--pack', '--no-pack')).toMatchObject({ code: 2 });
  });

  test('an empty folder, and a pattern that is none, are told before anything is sent', async () => {
    mkdirSync(join(folder, 'empty'));
    const empty = await cortex(['review', join(folder, 'empty'), '--no-wait']);
    expect(empty).toMatchObject({ code: 2, stdout: '' });
    expect(empty.stderr).toMatch(/^cortex: review: \S+empty: there is nothing to review \(it is empty\)$/m);
    const none = await review('--include', '*.rs');
    expect(none.stderr).toMatch(/there is nothing to review \(left out: .*4 not included/);
    expect(await review('--include', '{a')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('include_globs.0') as string,
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
    const run = { ...identify(process.pid), urls: { gateway: gatewayUrl() } };
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
