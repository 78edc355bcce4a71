// `npm run proto -- --check` must fail when what is committed is not what the .proto files produce, and say where.
// It runs on a copy of proto/ in a repository of its own, so that nothing here is touched.
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

const checkout = fileURLToPath(new URL('../../..', import.meta.url));
const job = 'proto/cortex/agent/v1/job.proto';
let copy: string;

beforeEach(() => {
  copy = mkdtempSync(join(tmpdir(), 'cortex-proto-test-'));
  mkdirSync(join(copy, 'local'));
  cpSync(join(checkout, 'proto'), join(copy, 'proto'), { recursive: true });
  cpSync(join(checkout, 'local/proto.mjs'), join(copy, 'local/proto.mjs'));
  symlinkSync(join(checkout, 'node_modules'), join(copy, 'node_modules'));
});

afterEach(() => {
  rmSync(copy, { recursive: true });
});

test('a fresh copy passes; without a repository nothing is compared, which it says', () => {
  const { status, output } = proto('--check');
  expect(output).toContain('proto breaking: skipped');
  expect(output).toContain('proto generate: ok');
  expect(status).toBe(0);
});

test('generated files that were changed, lost or left over are named, and stay as they are', () => {
  appendFileSync(join(copy, 'proto/gen/cortex/v1/gateway_pb.ts'), '// by hand\n');
  rmSync(join(copy, 'proto/gen/cortex/agent/v1/alert_pb.ts'));
  writeFileSync(join(copy, 'proto/gen/old_pb.ts'), '');
  const { status, output } = proto('--check');
  expect(status).toBe(1);
  expect(output).toContain('proto/gen/cortex/v1/gateway_pb.ts differs');
  expect(output).toContain('proto/gen/cortex/agent/v1/alert_pb.ts is missing');
  expect(output).toContain('proto/gen/old_pb.ts is left over');
  expect(output).not.toContain('packet_pb.ts');
  expect(readFileSync(join(copy, 'proto/gen/cortex/v1/gateway_pb.ts'), 'utf8')).toContain('// by hand');
});

test('a field that moved breaks main, a field that came does not, and without --check the code is written', {
  timeout: 60_000,
}, () => {
  git('init', '--quiet', '--initial-branch=main');
  git('add', 'proto', 'local');
  git('-c', 'user.name=test', '-c', 'user.email=test@example.org', 'commit', '--quiet', '--message', 'first');
  const before = readFileSync(join(copy, job), 'utf8');

  writeFileSync(join(copy, job), before.replace('string topic = 2;', 'string topic = 17;'));
  const moved = proto();
  expect(moved.output).toContain('with name "topic" on message "JobRequest" was deleted');
  expect(moved.status).toBe(1);

  writeFileSync(
    join(copy, job),
    before.replace('JobMetadata meta = 16;', 'JobMetadata meta = 16;\n  string added_later = 17;'),
  );
  const added = proto();
  expect(added.output).toContain('proto breaking: ok');
  expect(added.status).toBe(0);
  expect(readFileSync(join(copy, 'proto/gen/cortex/agent/v1/job_pb.ts'), 'utf8')).toContain('addedLater');
});

function proto(...args: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['local/proto.mjs', ...args], {
    cwd: copy,
    encoding: 'utf8',
  });
  return { status, output: stdout + stderr };
}

function git(...args: string[]): void {
  const done = spawnSync('git', args, { cwd: copy, encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`git ${args[0]}: ${done.stderr}`);
}
