// Submits to us the CAP way: the payload into Redis, then a packet on sys.job.submit. A job counts as done when its JobResult came over
// the bus and the result behind its pointer has been read.
import { randomUUID } from 'node:crypto';
import { connectBus } from '#core/bus/nats-tcp.node.ts';
import { decodePacket, encodePacket, jobRequestPacket } from '#core/protocol/envelope.ts';
import { stateOfStatus } from '#core/protocol/status.ts';
import { subjects } from '#core/protocol/subjects.ts';
import { connectRedis } from '#core/redis/ioredis.node.ts';
import { JobPriority, JobStatus } from '#proto/cortex/agent/v1/job_pb.ts';
import { payload } from '../payload.ts';
import type { Client, Target } from './client.ts';
import { resultsAreThere, succeeded } from './store-look.ts';

const text = JSON.stringify(payload);

export async function connectBusClient({ natsUrl, redisUrl }: Target): Promise<Client> {
  const onError = (error: unknown): void => console.error(error);
  const bus = await connectBus({ url: natsUrl, name: 'bench', onError });
  const redis = await connectRedis({ url: redisUrl, name: 'bench', onError, commandTimeoutMs: 10_000 });
  const waiting = new Map<
    string,
    { readonly resolve: (pointer: string) => void; readonly reject: (error: Error) => void }
  >();
  const heard = new Set<string>();
  const twice: string[] = [];
  await bus.subscribe(subjects.result, ({ data }) => {
    const packet = decodePacket(data);
    if (!packet.ok || packet.value.payload.case !== 'jobResult') throw new Error('not a result');
    const { jobId, status, resultPtr, errorCode, errorMessage } = packet.value.payload.value;
    const waiter = waiting.get(jobId);
    waiting.delete(jobId);
    if (status === JobStatus.SUCCEEDED) waiter?.resolve(resultPtr);
    else waiter?.reject(new Error(`${jobId} ended as ${stateOfStatus(status)}: ${errorCode} ${errorMessage}`));
    if (heard.has(jobId)) twice.push(jobId);
    heard.add(jobId);
  });
  const submit = async (id: string): Promise<void> => {
    await redis.set(`ctx:${id}`, text);
    const packet = jobRequestPacket(
      { traceId: randomUUID(), senderId: 'bench', atMs: Date.now() },
      {
        jobId: id,
        topic: 'job.echo',
        priority: JobPriority.INTERACTIVE,
        contextPtr: `redis://ctx:${id}`,
        tenantId: 'default',
      },
    );
    bus.post({ subject: subjects.submit, data: encodePacket(packet) });
  };
  return {
    async roundTrip() {
      const id = randomUUID();
      const ended = new Promise<string>((resolve, reject) => waiting.set(id, { resolve, reject }));
      await submit(id);
      const pointer = await ended;
      const result = await redis.get(pointer.slice('redis://'.length));
      if (result === null || !result.includes(id)) throw new Error(`${id} has no result`);
      return id;
    },
    async submit() {
      const id = randomUUID();
      await submit(id);
      return id;
    },
    done: (ids, signal) => resultsAreThere(redis, ids, signal),
    async verify(ids) {
      if (twice.length > 0) throw new Error(`told twice: ${twice.join(', ')}`);
      await succeeded(redis, ids);
    },
    async close() {
      await bus.close();
      await redis.close();
    },
  };
}
