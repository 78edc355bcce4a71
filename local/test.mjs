// `npm test`, first step: install when the lockfile changed, then run the tests (local/testing/main.ts)
// on Node 24. They start servers of their own and ignore NATS_URL and REDIS_URL. Plain JavaScript for
// Node 18 to 24, `node:` modules only.
import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { claimTests, endTestLeftovers, lockFile } from './bootstrap/checkout.mjs';
import { install, needsInstall } from './bootstrap/install.mjs';
import { withLock } from './bootstrap/lock.mjs';
import { findRuntime, runOn } from './bootstrap/runtime.mjs';
import { runCommand } from './bootstrap/stop.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const say = (line) => process.stdout.write(`${line}\n`);

await runCommand(async () => {
  const { runtime, folder } = await withLock(
    lockFile(root),
    async (hold) => {
      await endTestLeftovers(root);
      if (needsInstall(root)) await install(root, hold, say);
      return { runtime: findRuntime(root), folder: claimTests(root) };
    },
    { say },
  );
  const { NATS_URL: _nats, REDIS_URL: _redis, ...env } = process.env;
  try {
    return await runOn(runtime, join(root, 'local', 'testing', 'main.ts'), process.argv.slice(2), {
      cwd: root,
      env: { ...env, CORTEX_TEST_RUN: folder },
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
