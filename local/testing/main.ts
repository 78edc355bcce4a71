// `npm test`, second step, on Node 24: runs the chosen suites one after the other, sums up, and prints
// `N passed, N failed, N skipped` alone on the last line. Servers are started by the tests themselves
// (test/helpers/servers.ts); what they leave running is ended here and counts as a failure.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { endProcesses, testChildren } from '../bootstrap/checkout.mjs';
import { runCommand } from '../bootstrap/stop.mjs';
import { ensureServers } from '../servers/install.ts';
import { thisMachine } from '../servers/machine.ts';
import { add, type Count, countVerify, countVitest, exitCode, lastLine, nothing } from './count.ts';
import { chooseSuites, type Suite } from './suites.ts';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const folder = process.env['CORTEX_TEST_RUN'];
const SUITE_MS = 30 * 60_000;
/** Hundreds of processes start from the same files: compiled once in a run, they start in half the time. */
const compileCache = folder === undefined ? {} : { NODE_COMPILE_CACHE: join(folder, 'compiled') };

const say = (line: string) => void process.stdout.write(`${line}\n`);
const stop = new AbortController();
let stoppedBy: NodeJS.Signals | undefined;
const received = (signal: NodeJS.Signals) => {
  stoppedBy ??= signal;
  stop.abort();
};
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, received);
process.on('disconnect', () => received('SIGTERM'));

await runCommand(async () => {
  const { suites, absent, pattern, long } = chooseSuites(root, process.argv.slice(2));
  if (suites.some(({ paths }) => paths !== undefined))
    await ensureServers(['nats-server', 'redis-server'], thisMachine, say, false);
  if (absent.length > 0) say(`not there yet: ${absent.join(', ')}`);
  let total = nothing;
  const summary: string[] = [];
  for (const suite of suites) {
    if (stop.signal.aborted) break;
    say(`\n== ${suite.name}`);
    const begin = Date.now();
    const ran = suite.paths === undefined ? await runVerify() : await runVitest(suite, suite.paths, pattern, long);
    const count = add(ran, await endLeaks());
    total = add(total, count);
    summary.push(`${suite.name.padEnd(16)} ${lastLine(count)} (${((Date.now() - begin) / 1_000).toFixed(1)} s)`);
  }
  if (stoppedBy !== undefined) {
    say(`stopped by ${stoppedBy}`);
    return 128 + constants.signals[stoppedBy];
  }
  say(`\n${summary.join('\n')}\n`);
  say(lastLine(total));
  return exitCode(total);
});
if (process.connected) process.disconnect();

async function runVerify(): Promise<Count> {
  const { code, output } = await run([join('local', 'verify.mjs')], {}, 'pipe');
  return countVerify(output, code);
}

async function runVitest(
  suite: Suite,
  paths: readonly string[],
  pattern: string | undefined,
  long: boolean,
): Promise<Count> {
  const report = join(folder ?? join(root, 'node_modules', '.cache'), 'vitest.json');
  rmSync(report, { force: true });
  const args = [
    join('node_modules', 'vitest', 'vitest.mjs'),
    ...['run', '--config', join('test', 'vitest.config.ts')],
    ...['--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
    ...(suite.atATime === undefined ? [] : [`--maxWorkers=${suite.atATime}`]),
    ...(pattern === undefined ? [] : ['-t', pattern]),
    ...paths,
  ];
  const { code } = await run(args, { ...compileCache, ...(long && { CORTEX_LONG: '1' }) }, 'inherit');
  return countVitest(existsSync(report) ? (JSON.parse(readFileSync(report, 'utf8')) as unknown) : undefined, code);
}

function run(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  stdout: 'pipe' | 'inherit',
): Promise<{ code: number; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', stdout, 'inherit'],
      signal: AbortSignal.any([stop.signal, AbortSignal.timeout(SUITE_MS)]),
      killSignal: 'SIGTERM',
    });
    let output = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      process.stdout.write(text);
    });
    child.once('error', (error) => {
      // Given up by us: its end is told by 'close' like any other.
      if (error.name !== 'AbortError') reject(error);
    });
    child.once('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

async function endLeaks(): Promise<Count> {
  if (folder === undefined) return nothing;
  const leaked = testChildren(folder);
  if (leaked.length === 0) return nothing;
  await endProcesses(leaked);
  say(`left running by tests: ${leaked.map(({ name, pid }) => `${name} (pid ${pid})`).join(', ')}`);
  return { ...nothing, failed: 1 };
}
