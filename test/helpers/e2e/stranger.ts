// A client and a worker of somebody else: the .proto files as protobufjs reads them, a NATS connection, a Redis to put payloads in, and
// not a line of our encoder. What it knows of us is what docs/wire.md says.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { connect, headers as natsHeaders, type NatsConnection } from '@nats-io/transport-node';
import * as protobufjs from 'protobufjs';
import { until } from '../until.ts';
import type { System } from './system.ts';

const root = new protobufjs.Root();
for (const name of ['job', 'heartbeat', 'alert', 'packet']) {
  const path = fileURLToPath(new URL(`../../../proto/cortex/agent/v1/${name}.proto`, import.meta.url));
  protobufjs.parse(readFileSync(path, 'utf8'), root, { keepCase: true });
}
const timestamp = protobufjs.common.get('google/protobuf/timestamp.proto');
if (timestamp?.nested !== undefined) root.addJSON(timestamp.nested);
root.resolveAll();
const packetType = root.lookupType('cortex.agent.v1.BusPacket');
const kinds = {
  job_request: root.lookupType('cortex.agent.v1.JobRequest'),
  job_result: root.lookupType('cortex.agent.v1.JobResult'),
  heartbeat: root.lookupType('cortex.agent.v1.Heartbeat'),
  job_progress: root.lookupType('cortex.agent.v1.JobProgress'),
  job_cancel: root.lookupType('cortex.agent.v1.JobCancel'),
} as const;

export type Kind = keyof typeof kinds;
/** Fields by their names in the .proto files; enums by number or name, int64 as text. */
export type Fields = Readonly<Record<string, unknown>>;

/** CAP's numbers. */
export const Status = {
  ...{ UNSPECIFIED: 0, PENDING: 1, SCHEDULED: 2, DISPATCHED: 3, RUNNING: 4 },
  ...{ SUCCEEDED: 5, FAILED: 6, CANCELLED: 7, DENIED: 8, TIMEOUT: 9 },
} as const;

export interface Wrap {
  /** Fields of the packet itself, over the usual ones. */
  readonly head?: Fields;
  /** Bytes behind the payload's own fields, and behind the packet's. */
  readonly inner?: Uint8Array;
  readonly outer?: Uint8Array;
}

/** Bytes of fields that no schema has yet: a number, a text, a message and a fixed one. */
export const newer = new protobufjs.Writer()
  .uint32((90 << 3) | 0)
  .uint32(7)
  .uint32((91 << 3) | 2)
  .string('from a newer version')
  .uint32((92 << 3) | 2)
  .bytes(new protobufjs.Writer().uint32(8).uint32(1).finish())
  .uint32((93 << 3) | 5)
  .fixed32(3)
  .finish();

/** The packet around a payload, as bytes. */
export function packet(kind: Kind, fields: Fields, { head, inner, outer }: Wrap = {}): Uint8Array {
  const type = kinds[kind];
  const body = Buffer.concat([type.encode(type.fromObject(fields)).finish(), inner ?? Buffer.alloc(0)]);
  const now = Date.now();
  const usual = {
    ...{ trace_id: `trace-${randomUUID()}`, sender_id: 'stranger', protocol_version: 1 },
    created_at: { seconds: Math.floor(now / 1000), nanos: (now % 1000) * 1e6 },
  };
  const number = packetType.fields[kind]?.id as number;
  const around = new protobufjs.Writer()
    .uint32((number << 3) | 2)
    .bytes(body)
    .finish();
  const begin = packetType.encode(packetType.fromObject({ ...usual, ...head })).finish();
  return Buffer.concat([begin, around, outer ?? Buffer.alloc(0)]);
}

/** What a packet says, as a plain object with all its fields; enums as numbers, int64 as text. */
export function read(bytes: Uint8Array): { readonly [field: string]: unknown } & Partial<Record<Kind, Fields>> {
  return packetType.toObject(packetType.decode(bytes), { longs: String, defaults: true });
}

export interface Taken {
  readonly id: string;
  readonly request: Fields;
  /** As they came. */
  readonly bytes: Uint8Array;
}

export interface Work {
  readonly taken: readonly Taken[];
  /** Waits until so many jobs have come, in all. */
  count(n: number): Promise<readonly Taken[]>;
  /** Leaves the topic. */
  leave(): Promise<void>;
}

export interface Stranger {
  readonly nats: NatsConnection;
  /** JobResults on the bus, in order. */
  readonly results: readonly Fields[];
  /** Resolves when the server has it. */
  publish(subject: string, bytes: Uint8Array, headers?: Readonly<Record<string, string>>): Promise<void>;
  /** Puts a payload into Redis unless `context_ptr` is said, and submits; answers the id. */
  submit(topic: string, fields?: Fields, wrap?: Wrap): Promise<string>;
  /** Submits, and waits until there is a record. */
  job(topic: string, fields?: Fields, wrap?: Wrap): Promise<string>;
  beat(worker: string, pool: string, fields?: Fields, wrap?: Wrap): Promise<void>;
  report(jobId: string, status: number, fields?: Fields, wrap?: Wrap): Promise<void>;
  /** Writes the result where the pointer will point, and reports success. */
  succeed(jobId: string, result?: unknown, fields?: Fields): Promise<void>;
  /** Takes a topic, in a queue group. */
  work(topic: string, take?: (job: Taken) => unknown, group?: string): Promise<Work>;
  /** Waits for a result of the job, of this status if one is said. */
  result(id: string, status?: number): Promise<Fields>;
  close(): Promise<void>;
}

export async function stranger(system: System, name = 'stranger'): Promise<Stranger> {
  const nats = await connect({ servers: system.nats.url, name });
  const results: Fields[] = [];
  const failures: unknown[] = [];
  nats.subscribe('sys.job.result', {
    callback(_error, message) {
      try {
        const { job_result: result } = read(message.data);
        if (result != null) results.push(result);
      } catch {
        // Garbage of another test's.
      }
    },
  });
  await nats.flush();
  const publish: Stranger['publish'] = async (subject, bytes, headers = {}) => {
    const own = natsHeaders();
    for (const [key, value] of Object.entries(headers)) own.set(key, value);
    nats.publish(subject, bytes, Object.keys(headers).length === 0 ? {} : { headers: own });
    await nats.flush();
  };
  const report: Stranger['report'] = (jobId, status, fields, wrap) =>
    publish('sys.job.result', packet('job_result', { job_id: jobId, status, worker_id: name, ...fields }, wrap));
  const submit: Stranger['submit'] = async (topic, fields = {}, wrap) => {
    const id = (fields['job_id'] as string | undefined) ?? randomUUID();
    if (fields['context_ptr'] === undefined) await system.db.set(`ctx:${id}`, '{"prompt":"hello"}');
    const request = { job_id: id, topic, priority: 1, context_ptr: `redis://ctx:${id}`, ...fields };
    await publish('sys.job.submit', packet('job_request', request, wrap));
    return id;
  };
  return {
    nats,
    results,
    publish,
    report,
    submit,
    async job(...all) {
      const id = await submit(...all);
      await until(() => system.store.view(id, undefined), { message: `a record of ${id}` });
      return id;
    },
    // As CAP's SDK for Go sends it: no trace id, no time.
    beat: (worker, pool, fields, wrap) =>
      publish(
        'sys.heartbeat',
        packet(
          'heartbeat',
          { worker_id: worker, pool, type: 'cpu', region: 'local', max_parallel_jobs: 4, ...fields },
          { head: { trace_id: '', created_at: undefined }, ...wrap },
        ),
      ),
    async succeed(jobId, result = { from: name }, fields = {}) {
      await system.db.set(`res:${jobId}`, JSON.stringify(result));
      await report(jobId, Status.SUCCEEDED, { result_ptr: `redis://res:${jobId}`, ...fields });
    },
    async work(topic, take, group = `workers-${topic}`) {
      const taken: Taken[] = [];
      const subscription = nats.subscribe(topic, {
        queue: group,
        callback(_error, { data }) {
          const request = read(data).job_request ?? {};
          const job = { id: String(request['job_id']), request, bytes: data };
          taken.push(job);
          Promise.resolve(take?.(job)).catch((error: unknown) => failures.push(error));
        },
      });
      await nats.flush();
      return {
        taken,
        count: (n) =>
          until(() => (taken.length >= n ? taken : undefined), {
            timeout: 15_000,
            message: () => `${n} jobs on ${topic}; ${taken.length} came`,
          }),
        async leave() {
          subscription.unsubscribe();
          await nats.flush();
        },
      };
    },
    result: (id, status) =>
      until(() => results.find((r) => r['job_id'] === id && (status === undefined || r['status'] === status)), {
        timeout: 15_000,
        message: () =>
          `a result ${status ?? ''} of ${id}; ${JSON.stringify(results.filter((r) => r['job_id'] === id))}`,
      }),
    async close() {
      await nats.close();
      if (failures.length > 0) throw new AggregateError(failures, `${name} could not do what a test told it to`);
    },
  };
}
