// Finds Node 24 and runs the rest of a command on it. Plain JavaScript for Node 18 to 24.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { Stop } from './stop.mjs';

const WANTED = 24;

/**
 * The Node to run on: the one that the lockfile brings on Linux, else the current one. Throws Stop
 * with one line when that is older than 24, so that a silent fallback cannot happen.
 */
export function findRuntime(
  root,
  { platform = process.platform, arch = process.arch, current = process.execPath } = {},
) {
  const bundled = join(root, 'node_modules', `node-${platform}-${arch}`, 'bin', 'node');
  const runtime = existsSync(bundled) ? bundled : current;
  assertNewEnough(runtime);
  return runtime;
}

/** Throws Stop with one line when that Node is older than 24, or does not run. */
export function assertNewEnough(runtime) {
  const version =
    spawnSync(runtime, ['--version'], { encoding: 'utf8' }).stdout?.trim() || 'one that does not run here';
  if (Number.parseInt(version.replace(/^v/, ''), 10) >= WANTED) return;
  throw new Stop(
    `CortexOS needs Node ${WANTED} or newer, and ${runtime} is ${version}: install Node ${WANTED} and try again`,
  );
}

const ENDED = 'ended';

/**
 * The last act of a script that runOn runs. Node lets go of its signal handlers before the process is gone, so a signal passed
 * on at that moment would change its exit code: from here on none is.
 */
export function leaveParent() {
  if (!process.connected) return;
  process.once('disconnect', () => {}); // a listener keeps this process until the parent has answered, or is gone
  process.send(ENDED, undefined, {}, () => {});
}

/**
 * Runs a script on that Node until it ends; resolves with its exit code (128 + n for a signal). Signals
 * to this process are passed on. The child has its own process group, so that Ctrl-C reaches it once,
 * through us, and its IPC channel tells it when this process is gone.
 */
export function runOn(runtime, script, args, { cwd, env = process.env }) {
  return new Promise((resolve, reject) => {
    const child = spawn(runtime, [script, ...args], {
      cwd,
      env,
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const passOn = (signal) => {
      if (child.connected) child.kill(signal);
    };
    child.on('message', (message) => {
      if (message === ENDED) child.disconnect();
    });
    // Kept after the child's end: an impatient signal must not end us before we have cleaned up.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, passOn);
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + (constants.signals[signal] ?? 0)));
  });
}
