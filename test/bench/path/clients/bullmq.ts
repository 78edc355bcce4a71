// Submits to the peer without HTTP: `queue.add`, and the result from its QueueEvents.
import { setTimeout as delay } from 'node:timers/promises';
import { payload } from '../payload.ts';
import { connectSubmitter, type EchoQueue } from '../peer/queue.ts';
import { type Client, lookMs, type Target } from './client.ts';
import type { StoreLook } from './http.ts';

export async function connectBullmqClient({ redisUrl }: Target): Promise<Client> {
  const submitter = await connectSubmitter(redisUrl);
  return {
    roundTrip: async () => (await submitter.run(payload)).id,
    submit: () => submitter.add(payload),
    ...lookAt(submitter.queue, 0),
    close: () => submitter.close(),
  };
}

/** Its store says at once how many are completed; `before` is how many were at the start of what is measured. */
export function lookAt(queue: EchoQueue, before: number): Pick<StoreLook, 'done' | 'verify'> {
  let seen = before;
  return {
    async done(ids, signal) {
      while ((await queue.getCompletedCount()) < seen + ids.length) {
        signal.throwIfAborted();
        await delay(lookMs, undefined, { signal });
      }
    },
    async verify(ids) {
      if (new Set(ids).size !== ids.length) throw new Error('an id was given twice');
      seen += ids.length;
      const counts = await queue.getJobCounts('completed', 'failed', 'waiting', 'active');
      if (counts['completed'] !== seen || counts['failed'] !== 0 || counts['waiting'] !== 0) {
        throw new Error(`${seen} should be completed: ${JSON.stringify(counts)}`);
      }
    },
  };
}
