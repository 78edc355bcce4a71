// The events of one job as they come, until it has ended. Where the gateway breaks off, the next connection goes on behind what was shown.
import type { Client } from './client.ts';
import type { Context } from './command.ts';
import { jobDetail, type JobDetail, jobPath } from './job.ts';
import { reconnecting } from './reconnect.ts';
import { readEvents, type SseEvent } from './sse.ts';

export interface Followed {
  readonly id: string;
  readonly client: Client;
  /** The last event that was seen before; empty: none. */
  readonly lastId: string;
  readonly show: (event: SseEvent) => void;
}

/** The job as it ended. Throws Stop: refused, no such job, the gateway away for too long, interrupted. */
export async function followEvents(
  context: Pick<Context, 'out' | 'signal'>,
  { id, client, lastId: from, show }: Followed,
): Promise<JobDetail> {
  let lastId = from;
  let end: JobDetail | undefined;
  await reconnecting(context, `job ${id} goes on`, async (alive, signal) => {
    const headers: Record<string, string> = lastId === '' ? {} : { 'last-event-id': lastId };
    const response = await client.open(`${jobPath(id)}/events`, headers, signal);
    if (response.status === 204 || response.body === null) {
      // It ended, and all of it had been told.
      ({ value: end } = await client.call({ path: jobPath(id), schema: jobDetail }));
      return true;
    }
    alive();
    const onId = (seen: string): void => {
      lastId = seen;
    };
    for await (const event of readEvents(response.body, { onId, onLife: alive })) {
      if (event.type === 'end') end = jobDetail.parse(JSON.parse(event.data));
      show(event);
    }
    return end !== undefined;
  });
  if (end === undefined) throw new Error(`the events of ${id} ended without an end`);
  return end;
}
