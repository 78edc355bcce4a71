// A client and a worker that know CAP and nothing of ours: packets on NATS, payloads in Redis, no HTTP, no fences.
import { create } from '@bufbuild/protobuf';
import { randomUUID } from 'node:crypto';
import { connectBus } from '#core/bus/nats-tcp.node.ts';
import {
  decodePacket,
  encodePacket,
  heartbeatPacket,
  jobRequestPacket,
  jobResultPacket,
} from '#core/protocol/envelope.ts';
import { subjects } from '#core/protocol/subjects.ts';
import { type JobRequest, JobRequestSchema, type JobResult, JobStatus } from '#proto/cortex/agent/v1/job_pb.ts';
import type { Bus, Subscription } from '#core/bus/bus.ts';
import { until } from '../until.ts';
import type { System } from './system.ts';

/** What a test says of a request beside its topic. */
export interface CapRequest {
  readonly jobId?: string;
  readonly contextPtr?: string;
}

export interface CapPeer {
  readonly bus: Bus;
  /** Every JobResult heard on the bus, in order. */
  readonly results: readonly JobResult[];
  /** Stores a payload and publishes a submission, as the original's scripts do; answers the id. */
  submit(topic: string, parts?: CapRequest): Promise<string>;
  /** Publishes a packet again, byte for byte. */
  again(id: string): Promise<void>;
  /** Waits for a result of the job on the bus. */
  result(id: string, timeout?: number): Promise<JobResult>;
  report(jobId: string, status: JobStatus, parts?: { resultPtr?: string; workerId?: string }): Promise<void>;
  heartbeat(workerId: string, pool: string, parallel: number): void;
  /** Takes jobs of a topic, in a queue group, until closed. */
  work(topic: string, group: string, take: (request: JobRequest) => void): Promise<Subscription>;
  close(): Promise<void>;
}

export async function capPeer(system: System, name = 'cap'): Promise<CapPeer> {
  const bus = await connectBus({ url: system.nats.url, name, onError: () => undefined });
  const results: JobResult[] = [];
  const sent = new Map<string, Uint8Array>();
  await bus.subscribe(subjects.result, ({ data }) => {
    const packet = decodePacket(data);
    if (packet.ok && packet.value.payload.case === 'jobResult') results.push(packet.value.payload.value);
  });
  const head = (traceId: string) => ({ traceId, senderId: name, atMs: Date.now() });
  return {
    bus,
    results,
    async submit(topic, parts = {}) {
      const jobId = parts.jobId ?? randomUUID();
      const contextPtr = parts.contextPtr ?? `redis://ctx:${jobId}`;
      if (contextPtr === `redis://ctx:${jobId}`)
        await system.db.set(`ctx:${jobId}`, JSON.stringify({ prompt: 'hello' }));
      const request = create(JobRequestSchema, { topic, ...parts, jobId, contextPtr });
      const data = encodePacket(jobRequestPacket(head(`trace-${jobId}`), request));
      sent.set(jobId, data);
      await bus.publish([{ subject: subjects.submit, data }]);
      return jobId;
    },
    again: (id) => bus.publish([{ subject: subjects.submit, data: sent.get(id) as Uint8Array }]),
    result: (id, timeout = 10_000) =>
      until(() => results.find((result) => result.jobId === id), { timeout, message: `a result of ${id} on the bus` }),
    report: (jobId, status, parts = {}) =>
      bus.publish([
        { subject: subjects.result, data: encodePacket(jobResultPacket(head('t'), { jobId, status, ...parts })) },
      ]),
    heartbeat(workerId, pool, maxParallelJobs) {
      // As the SDKs send it: no trace id, no time of its own, no labels.
      const data = encodePacket(
        heartbeatPacket({ traceId: '', senderId: workerId, atMs: 0 }, { workerId, pool, maxParallelJobs }),
      );
      bus.post({ subject: subjects.heartbeat, data });
    },
    work: (topic, queue, take) =>
      bus.subscribe(
        topic,
        ({ data }) => {
          const packet = decodePacket(data);
          if (packet.ok && packet.value.payload.case === 'jobRequest') take(packet.value.payload.value);
        },
        { queue },
      ),
    close: () => bus.close(),
  };
}

export { JobStatus };
