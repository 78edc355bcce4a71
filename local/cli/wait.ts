// Waiting for the end of a job: the gateway is asked again and again, each time for as long as it may hold its answer back. A
// gateway that is away for a moment does not end the wait, for the job does not depend on it.
import { setTimeout as delay } from 'node:timers/promises';
import { type Answer, type Client, ClientError } from './client.ts';
import { exit, exitOfState } from './exit.ts';
import { GoesOn, jobHints } from './goes-on.ts';
import { type JobDetail, jobDetail, jobPath } from './job.ts';
import type { Output } from './output.ts';
import { oneLine } from './text.ts';

export interface Wait {
  readonly client: Client;
  readonly out: Output;
  readonly id: string;
  /** At most, s; Infinity for as long as it takes. */
  readonly seconds: number;
  readonly signal: AbortSignal;
  /** A command of the CLI as the person would type it. */
  readonly command: (rest: string) => string;
  /** How long a gateway may be away, ms. Default 20 s. */
  readonly patience?: number;
}

/** How long the gateway holds one answer back, s: short where a person watches the state change. */
const held = { live: 1, quiet: 20 };

/**
 * The job when it has ended, or as it is when the time is over. Throws Stop: interrupted (the job goes on, and it says how to
 * cancel it), the gateway away for too long, or what it refuses.
 */
export async function waitForEnd(wait: Wait): Promise<Answer<JobDetail>> {
  const { client, out, id, seconds, signal, command, patience = 20_000 } = wait;
  const begin = performance.now();
  const elapsed = (): number => (performance.now() - begin) / 1_000;
  let awaySince: number | undefined;
  let hold = 0; // the first answer comes at once, so that there is something to show
  try {
    for (;;) {
      try {
        const answer = await client.call({
          path: jobPath(id),
          query: { wait: hold === 0 ? undefined : hold },
          schema: jobDetail,
          waits: hold,
        });
        awaySince = undefined;
        const left = seconds - elapsed();
        if (hasEnded(answer.value) || left <= 0) return answer;
        out.progress(situation(answer.value), elapsed());
        hold = Math.min(out.live ? held.live : held.quiet, Math.ceil(left));
      } catch (error) {
        if (!(error instanceof ClientError) || !error.passing) throw error;
        awaySince ??= performance.now();
        if (performance.now() - awaySince > patience || seconds - elapsed() <= 0) throw stillThere(error, id, command);
        out.progress(`waiting for the gateway: ${error.message}`, elapsed());
        hold = 0;
        await delay(error.retryAfter ?? 500, undefined, { signal });
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new GoesOn(`stopped waiting; job ${id} goes on`, exit.interrupted, jobHints(id, command));
  } finally {
    out.done();
  }
}

export function hasEnded({ state }: { readonly state: string }): boolean {
  return exitOfState(state) !== exit.unfinished;
}

/** Where a job stands, in one line. */
export function situation(job: JobDetail): string {
  const { state, worker_id: worker, progress, safety_reason: reason, failures, losses } = job;
  const parts: string[] = [state];
  if (worker !== '' && (state === 'RUNNING' || state === 'DISPATCHED')) parts.push(`on ${worker}`);
  const before = [...(failures > 0 ? [`${failures} failed`] : []), ...(losses > 0 ? [`${losses} lost`] : [])];
  if (before.length > 0) parts.push(`(before: ${before.join(', ')})`);
  if (progress !== undefined && progress.percent > 0) parts.push(`${progress.percent}%`);
  if (progress !== undefined && progress.message !== '') parts.push(progress.message);
  // While it is held back, the reason is the safety kernel's, or says that there is none to ask.
  if (state === 'PENDING' && reason !== '') parts.push(`(${reason})`);
  return oneLine(parts.join(' '));
}

function stillThere(error: ClientError, id: string, command: Wait['command']): GoesOn {
  return new GoesOn(`${error.message}; job ${id} goes on`, exit.unreachable, jobHints(id, command));
}
