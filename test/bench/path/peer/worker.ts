// The peer's worker process: BullMQ's Worker with a handler that does what our echo does.
import { Worker } from 'bullmq';
import { announceListening } from '#core/process/announce.node.ts';
import { connectionOf, type EchoResult, queueName } from './queue.ts';

const worker = new Worker<unknown, EchoResult>(
  queueName,
  async (job) => ({
    job_id: job.id ?? '',
    received_ctx: job.data,
    processed_by: 'peer',
    completed_at_utc: `${new Date().toISOString().slice(0, 19)}Z`,
  }),
  { connection: connectionOf(process.env['REDIS_URL'] ?? ''), concurrency: Number(process.env['CONCURRENCY']) },
);
worker.on('error', (error) => console.error(error));
await worker.waitUntilReady();
announceListening('worker', queueName);
process.once('SIGTERM', () => {
  worker.close().then(
    () => process.exit(0),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
