// The large packages that the README reviews, as it tells people to: fetched by npm from its registry, so in long runs alone.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createNewcomer, type Newcomer } from '../helpers/newcomer.ts';
import { long } from '../helpers/long.ts';

describe.runIf(long)('large packages', () => {
  let newcomer: Newcomer;
  beforeAll(async () => {
    newcomer = createNewcomer();
    await newcomer.up('npm start');
  }, 90_000);
  afterAll(() => newcomer.leave(), 60_000);

  test('rxjs 7.8.2 is fetched, committed and reviewed: 2,277 files', { timeout: 120_000 }, async () => {
    // Not as the newcomer: which registry npm asks, and how, is the affair of whoever runs this.
    const options = { cwd: newcomer.root, encoding: 'utf8' } as const;
    const path = execFileSync('npm', ['run', '--silent', 'sample', '--', 'rxjs'], options).trim();
    expect(path).toMatch(/rxjs-7\.8\.2$/);
    expect(
      execFileSync('git', ['ls-files'], { ...options, cwd: path })
        .trim()
        .split('\n'),
    ).toHaveLength(2_277);
    const all = `--include '**/*' --no-default-excludes --exclude '.git/**'`;
    const review = await newcomer.type(`npm run cortex -- review .cortex/samples/rxjs-7.8.2 ${all}`);
    expect(review.code, review.stdout + review.stderr).toBe(0);
    expect(review.stdout).toMatch(/^2,277 files, /m);
  });

  test('date-fns 4.4.0, moved out of the allowed roots, is uploaded and reviewed: 5,136 files', {
    timeout: 120_000,
  }, async () => {
    const options = { cwd: newcomer.root, encoding: 'utf8' } as const;
    const path = execFileSync('npm', ['run', '--silent', 'sample', '--', 'date-fns'], options).trim();
    const outside = mkdtempSync(join(tmpdir(), 'cortex-date-fns-'));
    try {
      renameSync(path, join(outside, 'date-fns'));
      const all = `--include '**/*' --no-default-excludes --exclude '.git/**'`;
      const review = await newcomer.type(`npm run cortex -- review ${outside}/date-fns ${all}`);
      expect(review.code, review.stdout + review.stderr).toBe(0);
      expect(review.stderr + review.stdout).toMatch(/^uploaded 5,136 files of /m);
      expect(review.stdout).toMatch(/^5,136 files, /m);
    } finally {
      rmSync(outside, { recursive: true, force: true });
    }
  });
});
