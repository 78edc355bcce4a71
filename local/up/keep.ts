// Keeps one process running: starts it, starts it again with growing pauses when it ends by itself, ends
// it when told. What a process is (a service, a server) is the unit's business.
import { setTimeout as delay } from 'node:timers/promises';

export interface Launched {
  readonly pid: number;
  /** Resolves with the reason as half a sentence: `exit code 1`, `SIGKILL`. */
  readonly exited: Promise<string>;
  /** Asks it to end, forces it after its patience, resolves when it is gone. */
  end(): Promise<void>;
  /** SIGKILL, now. */
  kill(): void;
}

export interface Unit {
  readonly name: string;
  /** Starts the process and resolves when it is ready; leaves nothing behind when it throws. */
  launch(signal: AbortSignal): Promise<Launched>;
}

export interface Kept {
  readonly name: string;
  /** The first start; rejects when it fails, later failures are retried. */
  start(): Promise<void>;
  /** Ends it and starts it afresh, without a pause; also shortens a pause that is under way. */
  restart(): void;
  /** False while it is starting, or starting again after it died. */
  running(): boolean;
  stop(): Promise<void>;
  kill(): void;
}

export interface KeepOptions {
  /** Ends what is under way: a start is given up, a pause cut short, nothing is started again. */
  readonly ending: AbortSignal;
  readonly say: (line: string) => void;
  /** How long to pause, in ms, before start number `failures` in a row. */
  readonly pause?: (failures: number) => number;
  /** Up for this long, in ms, and the next end counts as the first again. */
  readonly settled?: number;
}

export function keepAlive(unit: Unit, options: KeepOptions): Kept {
  const { say, pause = (failures) => Math.min(250 * 2 ** failures, 10_000), settled = 30_000 } = options;
  const stopping = new AbortController();
  const ending = AbortSignal.any([stopping.signal, options.ending]);
  let wake = new AbortController();
  let current: Launched | undefined;
  let launching: Promise<Launched> | undefined;
  let restarting = false;
  let guarding: Promise<void> = Promise.resolve();

  const launch = async (): Promise<Launched> => {
    launching = unit.launch(ending);
    try {
      current = await launching;
      return current;
    } finally {
      launching = undefined;
    }
  };

  const guard = async (first: Launched): Promise<void> => {
    let running: Launched | undefined = first;
    let failures = 0;
    let since = Date.now();
    while (!ending.aborted) {
      let problem: string;
      if (running !== undefined) {
        problem = `ended (${await running.exited})`;
        current = undefined;
        if (Date.now() - since > settled) failures = 0;
      } else problem = 'did not start';
      if (ending.aborted) return;

      const asked = restarting;
      restarting = false;
      if (!asked) {
        const wait = pause(failures++);
        say(`${unit.name} ${problem}: starting it again in ${(wait / 1_000).toFixed(1)} s`);
        await rest(wait);
        restarting = false;
        if (ending.aborted) return;
      }
      try {
        running = await launch();
        since = Date.now();
        say(`${unit.name} runs again (pid ${running.pid})`);
        if (restarting) endToRestart(running); // asked for while it was starting
      } catch (error) {
        if (ending.aborted) return;
        running = undefined;
        say(error instanceof Error ? error.message : String(error));
      }
    }
  };

  const endToRestart = (running: Launched): void => {
    running.end().catch((error: unknown) => say(`${unit.name}: ${String(error)}`));
  };

  const rest = async (ms: number): Promise<void> => {
    wake = new AbortController();
    try {
      await delay(ms, undefined, {
        signal: AbortSignal.any([wake.signal, ending]),
      });
    } catch (error) {
      if (!(error instanceof Error && error.name === 'AbortError')) throw error;
    }
  };

  return {
    name: unit.name,
    async start() {
      const first = await launch();
      guarding = guard(first);
    },
    restart() {
      restarting = true;
      if (current === undefined) wake.abort();
      else endToRestart(current);
    },
    running: () => current !== undefined,
    async stop() {
      stopping.abort();
      // A launch under way sees the signal and cleans up after itself.
      await launching?.catch(() => undefined);
      await current?.end();
      await guarding;
    },
    kill() {
      stopping.abort();
      current?.kill();
    },
  };
}
