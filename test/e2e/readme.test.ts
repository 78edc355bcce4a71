// What the README tells people to type, typed: the commands are read from it, in its order, against the system that its own
// `npm start` brings up. A command that is not known here fails, and so does an entry here that no page holds any more.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RunNote } from '../../local/bootstrap/checkout.mjs';
import { isAlive } from '../../local/bootstrap/process.mjs';
import { repository } from '../helpers/checkout.ts';
import { createNewcomer, type Newcomer, type Running } from '../helpers/newcomer.ts';
import { shellCommands } from '../helpers/shell-blocks.ts';

const pages = ['README.md', 'docs/gateway.md', 'docs/rpc.md'];
const up = 'npm start';

/** Commands that are not typed here, each for a reason. */
const notTyped: Readonly<Record<string, string>> = {
  'npm test': 'it is what runs this test; test/unit/local/testing.test.ts tries its first step',
};

interface Known {
  readonly command: RegExp;
  /** Looks at what it printed. */
  readonly expects: (stdout: string) => void | Promise<void>;
}

/** The newest ids: what JOB_ID and TRACE_ID stand for. */
const ids = { JOB_ID: '', TRACE_ID: '' };

const known: readonly Known[] = [
  { command: /^npm run cortex -- submit "hello" --wait$/, expects: (out) => expect(out).toContain('Echo: hello') },
  { command: /^curl .*\/api\/v1\/jobs -H .* -d '\{"prompt":/, expects: accepted },
  {
    command: /^curl .*\/jobs\/JOB_ID\?wait=\d+'$/,
    expects: (out) => expect(JSON.parse(out)).toMatchObject({ id: ids.JOB_ID, state: 'SUCCEEDED', result: echo }),
  },
  {
    command: /^curl .*-X POST .*\/jobs\/JOB_ID\/cancel$/,
    expects: (out) => expect(JSON.parse(out)).toMatchObject({ id: ids.JOB_ID, state: 'SUCCEEDED' }),
  },
  {
    command: /^curl .*\/api\/v1\/workers$/,
    expects: (out) => expect(JSON.stringify(JSON.parse(out))).toContain('chat'),
  },
  {
    command: /^curl .*\/api\/v1\/traces\/TRACE_ID$/,
    expects: (out) => expect(JSON.parse(out)).toMatchObject([{ id: ids.JOB_ID, state: 'SUCCEEDED' }]),
  },
  {
    command: /^curl .*\/cortex\.v1\.CortexApi\/SubmitJob -H .* -d /,
    expects: (out) => expect(JSON.parse(out)).toEqual({ jobId: expect.any(String), traceId: expect.any(String) }),
  },
  {
    command: /^curl .*\/cortex\.agent\.v1\.SafetyKernel\/Check -H .* -d /,
    expects: (out) => expect(JSON.parse(out)).toMatchObject({ decision: 'DECISION_TYPE_ALLOW' }),
  },
  { command: /^npm run cortex -- review \.$/, expects: (out) => expect(out).toMatch(/^ +typescript +[\d,]+ files/m) },
  {
    command: /^curl .*\/api\/v1\/repo-review .*"local_path":"\/path\/to\/checkout"/,
    async expects(out) {
      accepted(out);
      const response = await fetch(`${run.urls['gateway']}/api/v1/jobs/${ids.JOB_ID}?wait=30`);
      expect(await response.json()).toMatchObject({ state: 'SUCCEEDED' });
    },
  },
  {
    command: /^npm run cortex -- workflow JOB_ID$/,
    expects: (out) => expect(out).toMatch(/^scan +SUCCEEDED .*\nreport +SUCCEEDED /m),
  },
  { command: /^npm run smoke$/, expects: (out) => expect(out).toMatch(/^smoke: 4 ok, 3 without a model, 0 failed$/m) },
  // `npm run sample` needs a registry, so a small repository lies where it would put the large one.
  {
    command: /^npm run cortex -- review \.cortex\/samples\/rxjs-[\d.]+ --include .* --no-default-excludes --exclude /,
    expects: (out) => expect(out).toMatch(/^2 files, /m),
  },
];

const echo = expect.objectContaining({ response: 'Echo: hello' }) as unknown;

const curl = spawnSync('curl', ['--version']).status === 0;

let newcomer: Newcomer;
let system: Running;
let run: RunNote;
const commands = pages.flatMap((page) => shellCommands(readFileSync(join(repository, page), 'utf8')));

beforeAll(async () => {
  newcomer = createNewcomer();
  const sample = commands.find((command) => command.includes('.cortex/samples/'))?.match(/\.cortex\/samples\/\S+/)?.[0];
  if (sample !== undefined) makeRepository(join(newcomer.root, sample), ['src/index.ts', 'dist/index.js']);
  ({ running: system, run } = await newcomer.up(up));
}, 90_000);
afterAll(() => newcomer.leave(), 60_000);

test('every entry here is in a page', () => {
  expect(commands).toContain(up);
  for (const command of Object.keys(notTyped)) expect(commands).toContain(command);
  for (const { command } of known)
    expect(
      commands.filter((one) => command.test(one)),
      String(command),
    ).not.toEqual([]);
});

test.for(commands.filter((command) => command !== up && !(command in notTyped)))(
  '%s',
  { timeout: 60_000 },
  async (command, { skip }) => {
    skip(command.startsWith('curl ') && !curl, 'curl is not installed');
    const fits = known.filter((one) => one.command.test(command));
    if (fits.length !== 1) throw new Error(`a page tells to type this, and ${fits.length} entries here know it`);
    const { code, stdout, stderr } = await newcomer.type(filled(command));
    expect(code, stdout + stderr).toBe(0);
    await fits[0]?.expects(stdout);
  },
);

test('Ctrl-C ends everything in order', { timeout: 60_000 }, async () => {
  expect(system.output()).toContain('A first job went through');
  system.interrupt();
  expect(await system.ended).toMatchObject({ code: 0 });
  expect(run.children.filter(isAlive)).toEqual([]);
});

/** Ids, paths and the ports that this system has in place of those of the page. */
function filled(command: string): string {
  const here = (name: string): string => `localhost:${new URL(run.urls[name] ?? '').port}`;
  return command
    .replaceAll('localhost:8081', here('gateway'))
    .replaceAll('localhost:8080', here('gateway_rpc'))
    .replaceAll('localhost:50051', here('safety'))
    .replaceAll('/path/to/checkout', newcomer.root)
    .replaceAll('JOB_ID', ids.JOB_ID)
    .replaceAll('TRACE_ID', ids.TRACE_ID);
}

function accepted(stdout: string): void {
  const { job_id: job, trace_id: trace } = JSON.parse(stdout) as { job_id: string; trace_id: string };
  expect([job, trace]).toEqual([expect.stringMatching(/^[\w-]{36}/), expect.stringMatching(/./)]);
  Object.assign(ids, { JOB_ID: job, TRACE_ID: trace });
}

function makeRepository(folder: string, files: readonly string[]): void {
  for (const file of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), 'export const one = 1;\n');
  }
  const who = ['-c', 'user.name=t', '-c', 'user.email=t@example.org'];
  for (const args of [
    ['init', '-q'],
    ['add', '.'],
    ['commit', '-q', '-m', 'x'],
  ]) {
    execFileSync('git', [...who, ...args], { cwd: folder });
  }
}
