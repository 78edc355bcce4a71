// `npm start` and `npm run dev`, first step: install when the lockfile changed, then run the supervisor
// (local/up/main.ts) on Node 24. Plain JavaScript for Node 18 to 24, `node:` modules only.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { claimRun, endLeftovers, lockFile, readRun, releaseRun } from './bootstrap/checkout.mjs';
import { install, needsInstall } from './bootstrap/install.mjs';
import { withLock } from './bootstrap/lock.mjs';
import { isAlive } from './bootstrap/process.mjs';
import { findRuntime, runOn } from './bootstrap/runtime.mjs';
import { runsAlready } from './bootstrap/second-start.mjs';
import { startArguments, usage } from './bootstrap/start-arguments.mjs';
import { runCommand, Stop } from './bootstrap/stop.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const say = (line) => process.stdout.write(`${line}\n`);

await runCommand(async () => {
  const args = process.argv.slice(2);
  const { help, problems } = startArguments(args);
  if (help) {
    process.stdout.write(usage);
    return 0;
  }
  // Before anything else: a system that runs already must not hide a slip.
  if (problems.length > 0) throw new Stop(problems.join('\ncortex: '), 2);
  let runtime;
  while (runtime === undefined) {
    if (await runsAlready(root, say)) return 0;
    runtime = await withLock(lockFile(root), prepare, { say });
  }
  try {
    return await runOn(runtime, join(root, 'local', 'up', 'main.ts'), args, { cwd: root });
  } finally {
    releaseRun(root);
  }
});

// The Node to run on; undefined when another start was quicker and holds the checkout now.
async function prepare(hold) {
  if (isAlive(readRun(root))) return undefined;
  const ended = await endLeftovers(root);
  if (ended.length > 0) say(`ended what a killed start had left running: ${ended.join(', ')}`);
  if (needsInstall(root)) await install(root, hold, say);
  const runtime = findRuntime(root);
  claimRun(root);
  return runtime;
}
