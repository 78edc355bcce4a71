// The life of the supervisor process: which signals end it, how a second one forces, and its exit code.
import { constants } from 'node:os';
import { leaveParent } from '../bootstrap/runtime.mjs';
import { Stop } from '../bootstrap/stop.mjs';
import type { Service } from '../services.ts';
import { up } from './up.ts';

/** One Ctrl-C arrives twice where npm and the terminal both deliver it; what is this close is one. */
const SAME_KEYPRESS_MS = 1_000;

/** Runs the system until a signal, and sets the exit code: 0 after a clean stop of a system that was up. */
export async function runUp(input: {
  readonly root: string;
  readonly services: readonly Service[];
  readonly args: readonly string[];
}): Promise<void> {
  const stop = new AbortController();
  const force = new AbortController();
  let first: { readonly at: number; readonly name: NodeJS.Signals } | undefined;
  const say = (line: string) => void process.stdout.write(`${line}\n`);
  const received = (name: NodeJS.Signals) => {
    if (first === undefined) {
      first = { at: Date.now(), name };
      stop.abort(new Stop(`stopped by ${name} before it was ready`, 128 + constants.signals[name]));
    } else if (Date.now() - first.at > SAME_KEYPRESS_MS && !force.signal.aborted) {
      say('stopping at once');
      force.abort();
    }
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, received);
  // A terminal that was closed reads no more; what remains to be done is done without it.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  // The process that started us is gone, so nobody could tell us to stop any more.
  const orphaned = (): void => received('SIGTERM');
  process.on('disconnect', orphaned);

  try {
    await up({
      ...input,
      env: process.env,
      say,
      stop: stop.signal,
      force: force.signal,
    });
    process.exitCode = force.signal.aborted ? 1 : 0;
  } catch (error) {
    const reason: unknown = stop.signal.aborted ? stop.signal.reason : error;
    if (!(reason instanceof Stop)) throw reason;
    (reason.exitCode === 0 ? process.stdout : process.stderr).write(
      reason.exitCode === 0 ? reason.message : `cortex: ${reason.message}\n`,
    );
    process.exitCode = reason.exitCode;
  }
  process.off('disconnect', orphaned);
  leaveParent();
}
