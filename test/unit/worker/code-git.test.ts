// What git makes of two versions of a file, in its own folder: names and texts of every kind, nobody's settings, and an end in any case.
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { CortexError } from '#core/errors.ts';
import { silentLog } from '#core/log.ts';
import { gitDiff } from '../../../services/worker/code/git-diff.ts';
import { applied, codeRig, submits } from '../../helpers/workers/code.ts';
import { until } from '../../helpers/until.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cortex-git-test-'));
});
afterEach(() => {
  expect(left()).toEqual([]);
  rmSync(folder, { recursive: true });
});

const left = (): string[] =>
  readdirSync(tmpdir()).filter((name) => new RegExp(`^cortex-patch-.*-${process.pid}-`).test(name));
const tools = (more: { signal?: AbortSignal; git?: string; maxMs?: number } = {}) => ({
  ...{ signal: new AbortController().signal, log: silentLog },
  ...more,
});

/** A git of the test's own; where it is looked for. */
function fakeGit(script: string): string {
  const bin = join(folder, 'bin');
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, 'git'), `#!/bin/sh\n${script}\n`);
  chmodSync(join(bin, 'git'), 0o755);
  return `${bin}:/usr/bin:/bin`;
}

describe('the patch applies with plain git', () => {
  test.each([
    ...[
      'a',
      'x/y z/ä 🎉.ts',
      'a/b/a',
      '-x',
      '--help',
      ':(glob)x',
      'a "quoted" name',
      '~',
      '$HOME',
      '`id`',
      "it's",
      ' lead',
      'trail ',
    ],
    ...[
      '.gitignore',
      '.gitmodules',
      '.gitattributes',
      'sub/.gitattributes',
      'x/.github/y',
      'b/dev/null',
      'dev/null',
      'home',
      'HEAD',
    ],
  ])('to %j', async (path) => {
    const patch = await gitDiff({ path, original: 'one\n', result: 'two\n' }, tools());
    expect(applied(path, 'one\n', patch)).toBe('two\n');
    expect(patch).toMatch(/^diff --git /);
  });

  test.each<[string, string, string]>([
    ['no newline at the end', 'a\nb', 'a\nc'],
    ['a newline more', 'a', 'a\n'],
    ['a newline less', 'a\n', 'a'],
    ['an empty file', '', 'a\nb\n'],
    ['nothing left', 'a\nb\n', ''],
    ['CRLF', 'a\r\nb\r\n', 'a\r\nc\r\n'],
    ['CRLF to LF', 'a\r\nb\r\n', 'a\nb\n'],
    ['lines that end in nothing but \\r', 'a\rb\rc', 'a\rX\rc'],
    ['control characters', 'a\u0001\u001b[31m\n', 'b\u0001\u001b[31m\n'],
    ['a line of a megabyte', `${'x'.repeat(2 ** 20)}\nb\n`, `${'x'.repeat(2 ** 20)}\nc\n`],
    [
      'an attribute against itself',
      '* -diff -text ident eol=crlf working-tree-encoding=UTF-16\n$Id$\na\n',
      '* -text ident\n$Id$\nb\n',
    ],
  ])('with %s', async (_name, original, result) => {
    for (const path of ['a.ts', '.gitattributes']) {
      const patch = await gitDiff({ path, original, result }, tools());
      expect(applied('a.ts', original, patch.replaceAll('.gitattributes', 'a.ts'))).toBe(result);
    }
  });

  test('with 100,000 lines, in seconds', { timeout: 60_000 }, async () => {
    const lines = Array.from({ length: 100_000 }, (_, i) => (i % 3 === 0 ? '}' : `line ${i}`));
    const original = `${lines.join('\n')}\n`;
    const result = original.replace('line 50000\n', 'another\n').replace('line 99998\n', '');
    const { model, run } = codeRig();
    const hunk = '@@\n-line 50000\n+another\n@@\n }\n line 99997\n-line 99998\n }\n';
    model.play(submits({ diff: hunk }), submits({ content: result }));
    const job = { file_path: 'big.txt', code_snippet: original, instruction: 'x' };
    const { patch, repaired } = await run(job);
    expect(repaired).toBe(false);
    expect(applied('big.txt', original, patch.content)).toBe(result);
    expect((await run(job)).patch).toEqual(patch);
  });
});

test('settings, hooks and attributes of this machine and of a repository around the folder have no say', async () => {
  const config = join(folder, 'config');
  execFileSync('git', ['init', '-q', folder]);
  writeFileSync(join(folder, '.gitattributes'), '* eol=crlf ident working-tree-encoding=UTF-16\n');
  writeFileSync(join(folder, '.git/config'), '[core]\n\tautocrlf = true\n[diff]\n\tnoprefix = true\n');
  writeFileSync(config, '[diff]\n\tnoprefix = true\n\texternal = false\n[apply]\n\twhitespace = error\n');
  const hostile = {
    ...{ TMPDIR: folder, GIT_CONFIG_GLOBAL: config, HOME: folder, GIT_DIR: '/nowhere' },
    ...{ GIT_EXTERNAL_DIFF: '/bin/false', GIT_DIFF_OPTS: '-u0' },
  };
  for (const [name, value] of Object.entries(hostile)) vi.stubEnv(name, value);
  try {
    expect(tmpdir()).toBe(folder);
    const patch = await gitDiff({ path: 'a', original: '$Id$\n', result: 'y  \n' }, tools());
    expect(patch).toContain('--- a/a\n+++ b/a\n@@ -1 +1 @@\n-$Id$\n+y  \n');
  } finally {
    vi.unstubAllEnvs();
  }
});

test('without room for a folder it fails at once, and leaves no timer that keeps the process alive', async () => {
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const before = timers();
  vi.stubEnv('TMPDIR', join(folder, 'nowhere'));
  try {
    await expect(gitDiff({ path: 'a', original: 'a', result: 'b' }, tools())).rejects.toThrow('ENOENT');
  } finally {
    vi.unstubAllEnvs();
  }
  expect(timers()).toBe(before);
});

test('without git the worker says so, in one line', async () => {
  const empty = join(folder, 'empty');
  mkdirSync(empty);
  const { model, run } = codeRig(empty);
  model.play(submits({ content: 'b\n' }));
  await expect(run({ file_path: 'a', code_snippet: 'a\n', instruction: 'x' })).rejects.toMatchObject({
    code: 'unavailable',
    message: 'the worker has no git to make the patch with; install git where it runs',
  });
});

test('a git that hangs ends with the time, or with the job', async () => {
  const git = fakeGit(`touch ${join(folder, 'began')}; exec sleep 60`);
  const versions = { path: 'a', original: 'a\n', result: 'b\n' };
  await expect(gitDiff(versions, tools({ git, maxMs: 200 }))).rejects.toMatchObject({ code: 'deadline_exceeded' });
  rmSync(join(folder, 'began'), { force: true });
  const stop = new AbortController();
  const made = gitDiff(versions, tools({ git, signal: stop.signal }));
  await until(() => readdirSync(folder).includes('began'), { timeout: 10_000, message: 'git to begin' });
  stop.abort(new CortexError('canceled', 'the job was cancelled'));
  await expect(made).rejects.toThrow('the job was cancelled');
});

test.each([
  ['fails', 'echo "fatal: no" >&2; exit 128', 'git could not make the patch'],
  ['says nothing', 'cat >/dev/null', 'the patch that git made does not make the file that is meant'],
])('a git that %s is no success', async (_name, script, message) => {
  const versions = { path: 'a', original: 'a\n', result: 'b\n' };
  await expect(gitDiff(versions, tools({ git: fakeGit(script) }))).rejects.toMatchObject({
    code: 'internal',
    message: expect.stringContaining(message) as unknown,
  });
});
