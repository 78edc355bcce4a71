// A connection that is made again whenever it breaks: with a pause, and not for ever when nobody is there.
import { setTimeout as delay } from 'node:timers/promises';
import { Stop } from '../bootstrap/stop.mjs';
import { ClientError } from './client.ts';
import type { Context } from './command.ts';
import { exit } from './exit.ts';

/** How long a gateway may be away, ms. */
const patienceMs = 20_000;
const pauseMs = 500;
/** A gateway gives a sign of life every 15 s; after this long without any, ms, it is taken for dead. */
const silentMs = 45_000;

/**
 * Calls `connect` until it answers true (all is told). It calls `alive` for each sign of life, and ends by its signal when there is none.
 * Throws the refusal, or Stop when no gateway answers for 20 s, and when it is interrupted; `goesOn` then says what that means.
 */
export async function reconnecting(
  { signal, out }: Pick<Context, 'signal' | 'out'>,
  goesOn: string,
  connect: (alive: () => void, signal: AbortSignal) => Promise<boolean>,
): Promise<void> {
  let awaySince: number | undefined;
  for (;;) {
    const silent = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const alive = (): void => {
      awaySince = undefined;
      out.done();
      clearTimeout(timer);
      timer = setTimeout(() => silent.abort(), silentMs);
    };
    let wait = pauseMs;
    try {
      if (await connect(alive, AbortSignal.any([signal, silent.signal]))) return;
    } catch (error) {
      if (signal.aborted) throw new Stop(`stopped; ${goesOn}`, exit.interrupted);
      if (error instanceof ClientError) {
        if (!error.passing) throw error;
        awaySince ??= performance.now();
        if (performance.now() - awaySince > patienceMs) throw error;
        out.progress(`waiting for the gateway: ${error.message}`, (performance.now() - awaySince) / 1_000);
        wait = error.retryAfter ?? pauseMs;
      } else if (!isBroken(error)) throw error;
    } finally {
      clearTimeout(timer);
    }
    if (signal.aborted) throw new Stop(`stopped; ${goesOn}`, exit.interrupted);
    try {
      await delay(wait, undefined, { signal });
    } catch {
      throw new Stop(`stopped; ${goesOn}`, exit.interrupted);
    }
  }
}

/** A connection that broke while it was read: fetch throws a TypeError then, or says that it was aborted. */
function isBroken(error: unknown): boolean {
  return error instanceof TypeError || (error instanceof Error && error.name === 'AbortError');
}
