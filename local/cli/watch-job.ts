// Following one job to its end: a line per event.
import { z } from 'zod';
import type { Client } from './client.ts';
import type { Context } from './command.ts';
import { type ExitCode, exitOfState } from './exit.ts';
import { jobDetail } from './job.ts';
import { followEvents } from './job-events.ts';
import { showJob } from './show-job.ts';
import type { SseEvent } from './sse.ts';
import { oneLine } from './text.ts';
import { clock, stateStyle } from './watch-line.ts';

const step = z.looseObject({ state: z.string().default(''), at: z.string().default('') });
const progress = z.looseObject({ percent: z.number().default(0), message: z.string().default('') });

/** The exit code tells how the job ended. Throws Stop: refused, no such job, the gateway away for too long, interrupted. */
export async function watchJob(context: Context, client: Client, id: string): Promise<ExitCode> {
  const { out, args } = context;
  const asJson = args.flag('json');

  const show = ({ type, data }: SseEvent): void => {
    const value = JSON.parse(data) as unknown;
    if (asJson) return out.print(JSON.stringify({ event: type, data: value }));
    switch (type) {
      case 'state': {
        const { state, at } = step.parse(value);
        return out.print(`${clock(at)}  ${out.paint(stateStyle(state), oneLine(state))}`);
      }
      case 'progress': {
        const { percent, message } = progress.parse(value);
        return out.print(`          ${percent}%  ${oneLine(message)}`);
      }
      case 'end': {
        const job = jobDetail.parse(value);
        out.print(`${clock(job.ended_at)}  ${out.paint(stateStyle(job.state), oneLine(job.state))}`, '');
        return showJob(job, out);
      }
      case 'reset':
        return out.note('some of its events are not kept any more; this is where it stands');
      default:
        return undefined;
    }
  };
  const { state } = await followEvents(context, { id, client, lastId: args.text('cursor') ?? '', show });
  return exitOfState(state);
}
