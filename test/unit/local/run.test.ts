// The guard before the scripts that npm runs.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { repository } from '../../helpers/checkout.ts';

const run = (root: string, ...args: string[]) => {
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'local/run.mjs'), ...args], { encoding: 'utf8' });
  return { status, stderr };
};

test('a checkout that is not installed is one line', () => {
  const root = mkdtempSync(join(tmpdir(), 'cortex-run-'));
  mkdirSync(join(root, 'local'));
  for (const path of ['local/run.mjs', 'local/bootstrap'])
    cpSync(join(repository, path), join(root, path), { recursive: true });
  const { status, stderr } = run(root, 'local/env-table.ts');
  rmSync(root, { recursive: true });
  expect([status, stderr]).toEqual([
    1,
    `cortex: ${root} is not installed: npm install there, or npm start, which does it too\n`,
  ]);
});

test.each(['local/env-table.ts', 'local/proto.mjs'])('%s refuses an argument that it does not know', (script) => {
  expect(run(repository, script, 'nonsense')).toMatchObject({
    status: 2,
    stderr: expect.stringMatching(/^cortex: nonsense: unknown argument .*\n$/) as unknown,
  });
});
