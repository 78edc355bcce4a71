// A stage for schedulers: any number of engines on one bus in memory, one real Redis, one clock that tests step. Nothing of the engine is
// replaced. Each engine can lose its bus or its store, or be gone from one moment to the next; closing the rig audits the books.
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { createMemoryBusServer, type MemoryBus } from '#core/bus/memory.ts';
import { createEvents } from '#core/events.ts';
import type { JobView, NewJob } from '#core/jobs/job.ts';
import { createKeys } from '#core/jobs/keys.ts';
import { isEnd, type JobState } from '#core/jobs/state.ts';
import type { JobStore } from '#core/jobs/store.ts';
import { newJob } from '#core/jobs/submission.ts';
import { createLog } from '#core/log.ts';
import { createMemoryChecker, type MemoryChecker } from '#core/policy/memory-checker.ts';
import type { Checker } from '#core/policy/checker.ts';
import { decodePacket, encodePacket, jobRequestPacket, type Packet } from '#core/protocol/envelope.ts';
import { subjects } from '#core/protocol/subjects.ts';
import type { RedisConnection } from '#core/redis/redis.ts';
import { unwrap } from '#core/result.ts';
import { parsePools } from '#core/routing/pools.ts';
import { parseTimeouts } from '#core/scheduling/timeouts.ts';
import { systemIds } from '#core/system.ts';
import { type JobResult, type JobRequest, JobRequestSchema } from '#proto/cortex/agent/v1/job_pb.ts';
import { lingerMs } from '../../services/scheduler/announcer.ts';
import type { SchedulerEvent } from '../../services/scheduler/deps.ts';
import { createScheduler, type Scheduler } from '../../services/scheduler/engine.ts';
import { audit } from './audit.ts';
import { createFakeClock, type FakeClock } from './clock.ts';
import { type CountedMetrics, createCountedMetrics } from './counted-metrics.ts';
import { createInFlight } from './in-flight.ts';
import { createOutage, type Outage } from './outage.ts';
import type { RedisStage } from './redis-job-store.ts';
import {
  type CapWorker,
  type CapWorkerOptions,
  capWorker,
  type ScriptedWorker,
  type ScriptedWorkerOptions,
  scriptedWorker,
} from './scripted-worker.ts';

export interface RigOptions {
  readonly pools?: unknown;
  readonly timeouts?: unknown;
  readonly engines?: number;
  readonly streams?: Readonly<Record<string, readonly string[]>>;
  /** Default true: the engines are started. */
  readonly start?: boolean;
}

export interface Engine {
  readonly scheduler: Scheduler;
  readonly bus: MemoryBus;
  /** Its way to the store. */
  readonly outage: Outage;
  readonly metrics: CountedMetrics;
  /** Everything it told, in order. */
  readonly told: readonly SchedulerEvent[];
  /** Lines of its log. */
  readonly logged: readonly string[];
  /** As kill -9: nothing of it moves any more. */
  crash(): Promise<void>;
}

export interface Spec {
  readonly id?: string;
  readonly topic?: string;
  readonly tenant?: string;
  readonly payload?: string;
  /** Further fields of the request. */
  readonly request?: MessageInitShape<typeof JobRequestSchema>;
  /** Default true: the doorbell rings. */
  readonly ring?: boolean;
}

export type SchedulerRig = Awaited<ReturnType<typeof createRig>>;

/** What the shipped configuration says of what these tests use, with short times. */
const defaultPools = { topics: { 'job.echo': 'echo', 'job.other': 'other', 'job.slow': 'echo' } };
const defaultTimeouts = {
  topics: { 'job.slow': { timeout_seconds: 20 }, 'job.other': { max_retries: 2 } },
  reconciler: { dispatch_timeout_seconds: 10, running_timeout_seconds: 12, scan_interval_seconds: 30 },
};

export async function createRig(stage: RedisStage, options: RigOptions = {}) {
  const clock: FakeClock = createFakeClock();
  const keys = createKeys(1);
  const ids = systemIds(clock);
  const flight = createInFlight();
  clock.quiet = () => flight.quiet();
  const server = createMemoryBusServer({ ...(options.streams !== undefined && { streams: options.streams }) });
  const bus = server.connect();
  let randoms = 0;
  const driver = await stage.make({
    keys,
    now: () => clock.now(),
    onEvents: () => undefined,
    random: () => (++randoms).toString(16).padStart(16, '0'),
  });
  const announced = new Set<string>();
  const store = flight.track<JobStore>({
    ...driver.store,
    async announced(items) {
      const answers = await driver.store.announced(items);
      for (const [i, { id }] of items.entries()) if (answers[i] !== undefined) announced.add(id);
      return answers;
    },
  });
  const redis: RedisConnection = stage.redis();
  const checker: MemoryChecker = createMemoryChecker(() => clock.now());
  const pools = unwrap(orThrow(parsePools(options.pools ?? defaultPools)));
  const timeouts = unwrap(orThrow(parseTimeouts(options.timeouts ?? defaultTimeouts)));

  const news: { subject: string; packet: Packet; header(name: string): string | undefined }[] = [];
  await bus.subscribe('sys.>', (message) => {
    const packet = decodePacket(message.data);
    if (packet.ok)
      news.push({ subject: message.subject, packet: packet.value, header: (name) => message.header(name) });
  });

  const engines: Engine[] = [];
  const running = new Set<Engine>();
  const addEngine = (with_: { readonly checker?: Checker } = {}): Engine => {
    const its = { dead: false };
    const events = createEvents<SchedulerEvent>();
    const told: SchedulerEvent[] = [];
    events.on((event) => void told.push(event));
    const logged: string[] = [];
    const outage = createOutage(store);
    const engineBus = server.connect();
    const metrics = createCountedMetrics();
    const scheduler = createScheduler({
      bus: engineBus,
      store: outage.store,
      redis: flight.track(redis),
      checker: with_.checker ?? checker,
      clock: { ...clock, after: (ms, run) => clock.after(ms, () => (its.dead ? undefined : run())) },
      log: createLog({ level: 'debug', write: (line) => void logged.push(line), now: () => clock.now() }),
      metrics,
      pools,
      timeouts,
      events,
    });
    const engine: Engine = {
      scheduler,
      bus: engineBus,
      outage,
      metrics,
      told,
      logged,
      async crash() {
        its.dead = true;
        outage.mode = 'down';
        running.delete(engine);
        await engineBus.close();
      },
    };
    engines.push(engine);
    return engine;
  };
  const start = async (engine: Engine): Promise<void> => {
    running.add(engine);
    await engine.scheduler.start();
  };

  const request = (spec: Spec, id: string): JobRequest =>
    create(JobRequestSchema, {
      jobId: id,
      topic: spec.topic ?? 'job.echo',
      contextPtr: `redis://ctx:${id}`,
      tenantId: spec.tenant ?? 'default',
      ...spec.request,
    });
  const packetOf = (its: JobRequest): Uint8Array =>
    encodePacket(jobRequestPacket({ traceId: `t-${its.jobId}`, senderId: 'test', atMs: clock.now() }, its));
  const view = async (id: string): Promise<JobView> => {
    const seen = await driver.store.view(id, undefined);
    if (seen === undefined) throw new Error(`no job ${id}`);
    return seen;
  };

  for (let i = 0; i < (options.engines ?? 1); i++) addEngine();
  if (options.start !== false) for (const engine of engines) await start(engine);

  const rig = {
    clock,
    bus,
    server,
    redis,
    store,
    checker,
    news,
    engines,
    announced,
    addEngine,
    start,
    ids,
    request,
    packetOf,
    view,
    /** The first engine. */
    get engine(): Engine {
      return engines[0] as Engine;
    },
    publish: (subject: string, data: Uint8Array, headers?: Readonly<Record<string, string>>) =>
      bus.publish([{ subject, data, ...(headers !== undefined && { headers }) }]),
    /** A job as a gateway of ours submits it: the record first, then the doorbell. Answers the id. */
    submit: async (spec: Spec = {}): Promise<string> => (await rig.submitMany(1, spec))[0] as string,
    /** The same for many, in one turn. */
    async submitMany(n: number, spec: Spec = {}): Promise<string[]> {
      const tenant = spec.tenant ?? 'default';
      const jobs = Array.from({ length: n }, (): NewJob => {
        const id = spec.id ?? ids.job();
        const named = { tenant, principal: 'p', traceId: `t-${id}`, sender: 'test', now: clock.now() };
        return newJob({ ...named, request: request(spec, id), payload: spec.payload ?? '{}' });
      });
      for (const created of await store.create(jobs)) {
        if (created.outcome !== 'created') throw new Error(`create answered ${created.outcome}`);
      }
      if (spec.ring !== false) for (const job of jobs) bus.post({ subject: subjects.submit, data: job.packet });
      return jobs.map((job) => job.id);
    },
    /** The doorbell once more. */
    ring: (id: string, spec: Spec = {}): void =>
      bus.post({ subject: subjects.submit, data: packetOf(request(spec, id)) }),
    /** A job that exists on the bus alone; the payload is written as its client would. Answers the id. */
    async submitOnBus(spec: Spec = {}, subject: string = subjects.submit): Promise<string> {
      const id = spec.id ?? ids.random();
      if (spec.payload !== undefined) await driver.write(spec.tenant ?? 'default', `ctx:${id}`, spec.payload);
      await rig.publish(subject, packetOf(request(spec, id)));
      return id;
    },
    write: driver.write,
    read: driver.read,
    worker: (its: ScriptedWorkerOptions): Promise<ScriptedWorker> => scriptedWorker(its, { bus, store, clock }),
    cap: (its: CapWorkerOptions): Promise<CapWorker> => capWorker(its, { bus, clock }),
    /** Lets everything happen that waits for nothing, and for no company. */
    settle: () => clock.advance(lingerMs),
    advance: (ms: number) => clock.advance(ms),
    async state(id: string): Promise<JobState> {
      return (await view(id)).state;
    },
    async path(id: string): Promise<string> {
      const lines = (await driver.store.transitions(id, (await view(id)).tenant)) ?? [];
      return lines.map((line) => line.slice(line.indexOf('|') + 1)).join(' ');
    },
    /** Lets time go by until all are in the state, a tenth of a second at a time; the views. */
    async reach(jobs: string | readonly string[], state: JobState | 'ended', withinMs = 5_000): Promise<JobView[]> {
      const wanted = typeof jobs === 'string' ? [jobs] : jobs;
      const waiting = Array.from(wanted);
      const deadline = clock.monotonic() + withinMs;
      for (await clock.quiet(); ; await clock.advance(100)) {
        let last: JobView | undefined;
        while (waiting.length > 0) {
          last = await view(waiting.at(-1) ?? '');
          if (state === 'ended' ? !isEnd(last.state) : last.state !== state) break;
          waiting.pop();
        }
        if (waiting.length === 0) {
          await rig.settle();
          return Promise.all(wanted.map(view));
        }
        if (clock.monotonic() >= deadline) {
          const seen = `${last?.id} of ${last?.topic} is ${last?.state} (${last?.safetyReason})`;
          throw new Error(`after ${withinMs} ms ${waiting.length} jobs are not ${state}: ${seen}`);
        }
      }
    },
    /** Results heard on the bus about a job. */
    results: (id: string): JobResult[] =>
      news.flatMap(({ packet: { payload } }) =>
        payload.case === 'jobResult' && payload.value.jobId === id ? [payload.value] : [],
      ),
    /** Everything that an engine told of a type. */
    told<T extends SchedulerEvent['type']>(type: T, engine = engines[0]): Extract<SchedulerEvent, { type: T }>[] {
      return (engine?.told ?? []).filter(
        (event): event is Extract<SchedulerEvent, { type: typeof type }> => event.type === type,
      );
    },
    /** Stops what runs; then the books must be sound, and nobody may listen any more. */
    async close(): Promise<void> {
      for (const engine of running) {
        engine.outage.mode = 'up';
        engine.outage.release();
        if (engine.bus.state === 'disconnected') engine.bus.reconnect();
      }
      await clock.quiet();
      await Promise.all(Array.from(running, (engine) => engine.scheduler.stop()));
      await clock.quiet();
      const books = await driver.books();
      // The snapshot of the workers is no book; payloads and results that clients of the bus write belong to nobody until a job names them.
      const strays = books.strays.filter((stray) => !/^(cortex:workers|ctx:|res:)/.test(stray));
      const context = { now: clock.now(), announced, capacity: new Map(), pushMs: 30_000 };
      const wrong = audit({ ...books, strays }, context);
      for (const engine of engines) await engine.bus.close();
      await bus.close();
      if (server.subscriptions > 0) wrong.push(`${server.subscriptions} subscriptions left open`);
      if (wrong.length > 0) throw new Error(`the books are wrong:\n${wrong.slice(0, 20).join('\n')}`);
    },
  };
  return rig;
}

function orThrow<T>(result: { ok: true; value: T } | { ok: false; error: readonly string[] }) {
  return result.ok ? result : { ok: false as const, error: new Error(result.error.join('; ')) };
}
