// The peer: BullMQ as its manual shows it, with its defaults. Completed jobs are kept, as we keep ours.
import { Queue, QueueEvents, type ConnectionOptions } from 'bullmq';
import type { payload } from '../payload.ts';

export const queueName = 'echo';

export interface EchoResult {
  readonly job_id: string;
  readonly received_ctx: unknown;
  readonly processed_by: string;
  readonly completed_at_utc: string;
}

export type EchoQueue = Queue<typeof payload, EchoResult>;

export function connectionOf(url: string): ConnectionOptions {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port), maxRetriesPerRequest: null };
}

export interface Submitter {
  readonly queue: EchoQueue;
  add(data: typeof payload): Promise<string>;
  /** Adds a job and waits for its result. */
  run(data: typeof payload): Promise<{ readonly id: string; readonly result: EchoResult }>;
  close(): Promise<void>;
}

/**
 * Adds jobs, and waits for their ends as `job.waitUntilFinished` does: one QueueEvents, whose `completed` brings the result. It spares
 * the peer that method's extra look at the store for each job.
 */
export async function connectSubmitter(redisUrl: string): Promise<Submitter> {
  const connection = connectionOf(redisUrl);
  const queue: EchoQueue = new Queue(queueName, { connection });
  const events = new QueueEvents(queueName, { connection });
  const waiting = new Map<string, (result: EchoResult) => void>();
  /** Ends that came before the answer to the add. */
  const early = new Map<string, EchoResult>();
  let collecting = 0;
  events.on('completed', ({ jobId, returnvalue }: { jobId: string; returnvalue: unknown }) => {
    const result = returnvalue as EchoResult;
    const resolve = waiting.get(jobId);
    if (resolve !== undefined) {
      waiting.delete(jobId);
      resolve(result);
    } else if (collecting > 0) early.set(jobId, result);
  });
  events.on('failed', ({ jobId, failedReason }) => {
    throw new Error(`${jobId} failed: ${failedReason}`);
  });
  await Promise.all([queue.waitUntilReady(), events.waitUntilReady()]);
  const add = async (data: typeof payload): Promise<string> => {
    const { id } = await queue.add('echo', data);
    if (id === undefined) throw new Error('a job without an id');
    return id;
  };
  return {
    queue,
    add,
    async run(data) {
      collecting++;
      const id = await add(data);
      const known = early.get(id);
      early.delete(id);
      if (--collecting === 0) early.clear();
      const result = known ?? (await new Promise<EchoResult>((resolve) => waiting.set(id, resolve)));
      return { id, result };
    },
    async close() {
      await events.close();
      await queue.close();
    },
  };
}
