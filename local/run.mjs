// `node local/run.mjs SCRIPT ...`: a script of this checkout on Node 24, whatever Node this is, or one line that says what is
// missing. Plain JavaScript for Node 18 to 24, `node:` modules only.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findRuntime } from './bootstrap/runtime.mjs';
import { runCommand, Stop } from './bootstrap/stop.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

await runCommand(async () => {
  const [script, ...args] = process.argv.slice(2);
  if (!existsSync(join(root, 'node_modules', 'zod'))) {
    throw new Stop(`${root} is not installed: npm install there, or npm start, which does it too`);
  }
  const child = spawn(findRuntime(root), [join(root, script), ...args], { stdio: 'inherit' });
  // Ctrl-C reaches both of us; the one that knows what it was doing answers it. A kill reaches this one alone.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? 'SIGTERM']));
  });
});
