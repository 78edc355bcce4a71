// A stage for a worker host: a bus in memory, a store, a clock, and a hand that plays gateway, gate and scheduler for it. Nothing of the
// host is replaced.
import { create, toJsonString, type MessageInitShape } from '@bufbuild/protobuf';
import { createMemoryBusServer, type MemoryBus } from '#core/bus/memory.ts';
import type { Delivery } from '#core/bus/bus.ts';
import type { JobView } from '#core/jobs/job.ts';
import { formatLane } from '#core/jobs/lane.ts';
import type { Claimed, HandOut, JobStore } from '#core/jobs/store.ts';
import { newJob } from '#core/jobs/submission.ts';
import { silentLog } from '#core/log.ts';
import { noopMetrics } from '#core/metrics/noop.ts';
import { cancelPacket, decodePacket, encodePacket, type Packet } from '#core/protocol/envelope.ts';
import { writeHandOut } from '#core/protocol/hand-out.ts';
import { subjects, workerJobs } from '#core/protocol/subjects.ts';
import { type Clock, systemIds } from '#core/system.ts';
import { JobRequestSchema } from '#proto/cortex/agent/v1/job_pb.ts';
import { PolicyConstraintsSchema } from '#proto/cortex/agent/v1/safety_pb.ts';
import type { WorkerDefinition } from '../../services/worker/define.ts';
import type { HostEvent } from '../../services/worker/events.ts';
import { createHost, type HostOptions, type WorkerHost } from '../../services/worker/host.ts';
import type { FakeClock } from './clock.ts';
import { createOutage, type Outage } from './outage.ts';

export const policy = { sequence: 1, hash: 'p' };

export interface Submit {
  readonly topic?: string;
  /** Any JSON; undefined means no payload at all. */
  readonly payload?: unknown;
  /** The payload's text as it is, JSON or not. */
  readonly text?: string;
  readonly timeoutMs?: number;
  readonly maxRetries?: number;
  readonly constraints?: MessageInitShape<typeof PolicyConstraintsSchema>;
  readonly constraintText?: string;
  readonly env?: Record<string, string>;
}

export interface Stage {
  readonly host: WorkerHost;
  readonly bus: MemoryBus;
  /** The host's own connection. */
  readonly hostBus: MemoryBus;
  readonly outage: Outage;
  readonly store: JobStore;
  /** Everything the host told, in order. */
  readonly told: HostEvent[];
  /** Everything on `sys.>`, decoded. */
  readonly news: Packet[];
  readonly fatal: Error[];
  /** Accepted, allowed, in the ready queue; answers the id. */
  submit(submit?: Submit): Promise<string>;
  /** Claims as a scheduler does, and publishes nothing. */
  claim(n?: number, worker?: string, acceptMs?: number): Promise<Claimed>;
  /** Publishes a hand-out as a scheduler does. */
  send(
    handOut: HandOut,
    worker?: string,
    more?: { readonly acceptMs?: number; readonly omit?: string; readonly instance?: string },
  ): Promise<void>;
  /** submit, claim and send in one; answers the hand-out. */
  run(submit?: Submit): Promise<HandOut>;
  view(id: string): Promise<JobView>;
  cancel(id: string): Promise<void>;
  /** Waits for an event of the host about this job, unless it came already. */
  seen<T extends HostEvent['type']>(type: T, job?: string): Promise<Extract<HostEvent, { type: T }>>;
  close(): Promise<void>;
}

export interface StageOptions {
  readonly store: JobStore;
  readonly clock: FakeClock | Clock;
  readonly definitions: readonly WorkerDefinition[];
  readonly host?: Partial<HostOptions>;
  /** Default true. */
  readonly start?: boolean;
  /** Streams that the server has, by name with what they capture. */
  readonly streams?: Readonly<Record<string, readonly string[]>>;
}

/** The host's first worker is `w0`, the next `w1` and so on; `job.test` is the default topic. */
export async function createStage(options: StageOptions): Promise<Stage> {
  const { clock, definitions } = options;
  const server = createMemoryBusServer({ streams: options.streams ?? {} });
  const bus = server.connect();
  const hostBus = server.connect();
  const outage = createOutage(options.store);
  const { store } = options;
  if ('quiet' in clock) clock.quiet = outage.quiet;
  const ids = systemIds();
  const fatal: Error[] = [];
  const host = createHost({
    workers: definitions.map((definition, i) => ({ id: `w${i}`, definition })),
    bus: hostBus,
    store: outage.store,
    clock,
    ids,
    log: silentLog,
    metrics: noopMetrics,
    cpuLoad: () => 12.5,
    onFatal: (error) => void fatal.push(error),
    ...options.host,
  });
  const told: HostEvent[] = [];
  host.events.on((event) => void told.push(event));
  const news: Packet[] = [];
  await bus.subscribe('sys.>', (message: Delivery) => {
    const packet = decodePacket(message.data);
    if (packet.ok) news.push(packet.value);
  });
  if (options.start !== false) await host.start();

  const laneOf = (topic: string, direct: boolean) => formatLane({ topic, requires: [], labels: {}, direct });
  const poolOf = (topic: string) => definitions.find((d) => d.topic === topic)?.pool ?? 'test';
  const stage: Stage = {
    host,
    bus,
    hostBus,
    outage,
    store,
    told,
    news,
    fatal,
    async submit({ topic = 'job.test', ...asked } = {}) {
      const id = ids.job();
      const request = create(JobRequestSchema, {
        jobId: id,
        topic,
        contextPtr: `redis://ctx:${id}`,
        env: asked.env ?? {},
      });
      const text = asked.text ?? (asked.payload === undefined ? undefined : JSON.stringify(asked.payload));
      const job = newJob({
        ...{ request, tenant: 'default', principal: 'p', traceId: `t-${id}`, sender: 'test', now: clock.now() },
        payload: text ?? '',
      });
      await store.create([{ ...job, payload: text }]);
      const constraints =
        asked.constraintText ??
        (asked.constraints === undefined
          ? ''
          : toJsonString(PolicyConstraintsSchema, create(PolicyConstraintsSchema, asked.constraints)));
      const [gated] = await store.gate([
        {
          ...{ id, tenant: 'default', digest: job.digest, to: 'SCHEDULED', decision: 'ALLOW', reason: '', rule: '' },
          ...{ policy, constraints, pool: poolOf(topic), lane: laneOf(topic, constraints !== '') },
          ...{ timeoutMs: asked.timeoutMs ?? 60_000, maxRetries: asked.maxRetries ?? 0, holdMs: 0 },
          ...{ errorCode: '', errorMessage: '' },
        },
      ]);
      if (gated?.outcome !== 'applied') throw new Error(`not gated: ${gated?.outcome}`);
      return id;
    },
    async claim(n = 1, worker = 'w0', acceptMs = 2000) {
      const definition = definitions[Number(worker.slice(1))];
      if (definition === undefined) throw new Error(`no worker ${worker}`);
      const lanes = [laneOf(definition.topic, false), laneOf(definition.topic, true)];
      const [claimed] = await store.claim([
        {
          ...{ pool: definition.pool, worker, instance: host.instance, n, capacity: definition.parallel, lanes },
          ...{ acceptMs, policy },
        },
      ]);
      if (claimed === undefined) throw new Error('no answer');
      return claimed;
    },
    async send(handOut, worker = 'w0', { acceptMs = 2000, omit, instance = host.instance } = {}) {
      const headers = writeHandOut({ ...handOut, instance, leaseMs: acceptMs });
      if (omit !== undefined) delete headers[omit];
      await bus.publish([{ subject: workerJobs(worker), data: handOut.packet, headers }]);
    },
    async run(submit) {
      const id = await stage.submit(submit);
      const worker = `w${Math.max(
        0,
        definitions.findIndex((d) => d.topic === (submit?.topic ?? 'job.test')),
      )}`;
      const { jobs } = await stage.claim(1, worker);
      const [handOut] = jobs;
      if (handOut?.id !== id) throw new Error(`claimed ${handOut?.id ?? 'nothing'} instead of ${id}`);
      await stage.send(handOut, worker);
      return handOut;
    },
    async view(id) {
      const view = await store.view(id, 'default');
      if (view === undefined) throw new Error(`no job ${id}`);
      return view;
    },
    async cancel(id) {
      await store.end([
        { id, tenant: 'default', to: 'CANCELLED', seen: undefined, errorCode: 'canceled', errorMessage: 'by the test' },
      ]);
      const packet = cancelPacket({ traceId: 't', senderId: 'test', atMs: clock.now() }, { jobId: id });
      await bus.publish([{ subject: subjects.cancel, data: encodePacket(packet) }]);
    },
    seen(type, job) {
      type Event = Extract<HostEvent, { type: typeof type }>;
      const fits = (event: HostEvent): event is Event =>
        event.type === type && (job === undefined || ('job' in event && event.job === job));
      const past = told.find(fits);
      return past === undefined ? host.events.next(type, { match: fits }) : Promise.resolve(past);
    },
    async close() {
      outage.mode = 'up';
      outage.release();
      await host.drain({ finishMs: 0 });
      await hostBus.close();
      await bus.close();
      if (server.subscriptions > 0) throw new Error(`${server.subscriptions} subscriptions left open`);
    },
  };
  return stage;
}
