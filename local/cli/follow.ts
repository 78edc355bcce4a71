// The common end of the commands that wait for a job: wait, show how it ended, tell it as an exit code.
import type { Client } from './client.ts';
import type { Context } from './command.ts';
import { type ExitCode, exitOfState } from './exit.ts';
import { jobHints } from './goes-on.ts';
import type { JobDetail } from './job.ts';
import type { Output } from './output.ts';
import { situation, hasEnded, waitForEnd } from './wait.ts';

/** The exit code tells the outcome. `show` gets the job when it has ended and no JSON was asked for. */
export async function follow(
  context: Context,
  client: Client,
  id: string,
  seconds: number,
  show: (job: JobDetail, out: Output) => void,
): Promise<ExitCode> {
  const { out, args, signal, command } = context;
  const { text, value: job } = await waitForEnd({ client, out, id, seconds, signal, command });
  if (args.flag('json')) out.json(text);
  else if (hasEnded(job)) show(job, out);
  if (!hasEnded(job)) {
    out.note(`job ${id} has not ended: ${situation(job)}`);
    for (const hint of jobHints(id, command)) out.note(hint);
  }
  return exitOfState(job.state);
}
