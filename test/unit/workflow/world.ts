// A small world for workflows in one process: a bus in memory, a real redis-server, the real scheduler, worker hosts and orchestrators.
// An orchestrator can be struck down: its store stops answering, as if the process were gone, and another one takes over.
import { create } from '@bufbuild/protobuf';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { createMemoryBusServer, type MemoryBus } from '#core/bus/memory.ts';
import { createEvents } from '#core/events.ts';
import type { JobView } from '#core/jobs/job.ts';
import { createKeys } from '#core/jobs/keys.ts';
import { postEvents } from '#core/jobs/post-events.ts';
import { createRedisStore } from '#core/jobs/redis-store.ts';
import type { Journal, Sent } from '#core/workflow/journal.ts';
import { createRedisJournal } from '#core/jobs/redis-journal.ts';
import { isEnd } from '#core/jobs/state.ts';
import type { JobStore } from '#core/jobs/store.ts';
import { newJob } from '#core/jobs/submission.ts';
import { silentLog } from '#core/log.ts';
import type { Metrics } from '#core/metrics/metrics.ts';
import { noopMetrics } from '#core/metrics/noop.ts';
import { createMemoryChecker, type MemoryChecker } from '#core/policy/memory-checker.ts';
import { cancelPacket, encodePacket } from '#core/protocol/envelope.ts';
import { subjects, tenantSignals } from '#core/protocol/subjects.ts';
import { connectRedis } from '#core/redis/ioredis.node.ts';
import { type RedisConnection, script } from '#core/redis/redis.ts';
import { unwrap } from '#core/result.ts';
import { parsePools } from '#core/routing/pools.ts';
import { parseTimeouts, type WorkflowLimits } from '#core/scheduling/timeouts.ts';
import { type Clock, systemClock, systemIds } from '#core/system.ts';
import type { WorkflowDefinition } from '#core/workflow/definition.ts';
import { JobPriority, JobRequestSchema } from '#proto/cortex/agent/v1/job_pb.ts';
import { countEvents } from '../../../services/orchestrator/counts.ts';
import type { OrchestratorEvent } from '../../../services/orchestrator/events.ts';
import { createOrchestrator } from '../../../services/orchestrator/host.ts';
import type { SchedulerEvent } from '../../../services/scheduler/deps.ts';
import { createScheduler, type Scheduler } from '../../../services/scheduler/engine.ts';
import type { WorkerDefinition } from '../../../services/worker/define.ts';
import { createHost, type WorkerHost } from '../../../services/worker/host.ts';
import { createOutage, type Outage } from '../../helpers/outage.ts';
import { startRedis, type TestServer } from '../../helpers/servers.ts';
import { until } from '../../helpers/until.ts';

/** Leases of a quarter of the real length, so that a struck orchestrator is missed soon. */
const leaseMs = 1000;
const timingOf = (lease: number) => ({ leaseMs: lease, renewMs: lease / 4, marginMs: lease / 8, aliveMs: lease });

export interface OrchestratorHere {
  readonly outage: Outage;
  readonly host: WorkerHost;
  /** Everything it told, in order. */
  readonly told: OrchestratorEvent[];
  /** The next event of the type, or one that came already. */
  seen(type: OrchestratorEvent['type'], key?: string): Promise<OrchestratorEvent>;
  /** Its store never answers again. */
  strike(): void;
}

export interface World {
  readonly bus: MemoryBus;
  readonly journal: Journal;
  readonly store: JobStore;
  readonly checker: MemoryChecker;
  /** With these workflows instead of the world's, other limits, or another clock. */
  orchestrate(
    metrics?: Metrics,
    workflows?: readonly WorkflowDefinition[],
    more?: Partial<WorkflowLimits>,
    clock?: Clock,
  ): Promise<OrchestratorHere>;
  /** Hosts these workers too. */
  work(definitions: readonly WorkerDefinition[]): Promise<WorkerHost>;
  /** A job for a workflow; its id. */
  submit(topic: string, payload: unknown, more?: Submission): Promise<string>;
  cancel(id: string): Promise<void>;
  signal(id: string, name: string, value: unknown, key?: string): Promise<Sent>;
  view(id: string): Promise<JobView>;
  ended(id: string): Promise<JobView>;
  /** A store whose steps nobody hears of. */
  readonly silentStore: JobStore;
  result(id: string): Promise<unknown>;
  payload(id: string): Promise<unknown>;
  /** Redis writes down what it holds, and comes back with just that when `forget` ends and starts it. */
  remember(): Promise<void>;
  forget(): Promise<void>;
  /** As when its time has run out. */
  erase(key: string): Promise<void>;
  /** Takes it down before the test ends. */
  close(): Promise<void>;
}

export interface Submission {
  readonly id?: string;
  readonly tenant?: string;
  readonly principal?: string;
  readonly workflowId?: string;
  readonly env?: Record<string, string>;
  readonly priority?: JobPriority;
}

export interface WorldOptions {
  readonly workflows: readonly WorkflowDefinition[];
  readonly limits?: Partial<WorkflowLimits>;
  /** Topics of workers, besides those of the workflows; a topic's pool is its name without `job.`. */
  readonly topics: readonly string[];
  /** Default 1,000. */
  readonly leaseMs?: number;
}

let server: TestServer | undefined;
let redis: RedisConnection | undefined;
const closing: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  server = await startRedis();
  redis = await connectRedis({ url: server.url, name: 'workflow-tests', onError: () => undefined });
});
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});
afterAll(async () => {
  await redis?.close();
  await server?.stop();
});

export async function makeWorld(options: WorldOptions): Promise<World> {
  const [connection, redisServer] = [redis, server];
  if (connection === undefined || redisServer === undefined) throw new Error('no redis yet');
  await connection.run(script('flush', "return redis.call('FLUSHALL')"), [], []);
  const busServer = createMemoryBusServer();
  const connect = (): MemoryBus => {
    const bus = busServer.connect();
    closing.push(() => bus.close());
    return bus;
  };
  const journal = createRedisJournal({ redis: connection });
  const storeOn = (bus: MemoryBus): JobStore =>
    createRedisStore({
      redis: connection,
      keys: createKeys(1),
      random: () => crypto.randomUUID().replaceAll('-', ''),
      onEvents: postEvents((message) => bus.post(message)),
    });
  const ids = systemIds();
  const clock = systemClock;
  const common = { clock, log: silentLog, metrics: noopMetrics };
  const bus = connect();
  const store = storeOn(bus);
  const checker = createMemoryChecker(() => Date.now());

  const topics = [...options.topics, ...options.workflows.map((w) => w.topic)];
  const pools = Object.fromEntries(topics.map((t) => [t, options.topics.includes(t) ? t.slice(4) : 'workflow']));
  const schedulerBus = connect();
  const scheduler: Scheduler = createScheduler({
    ...common,
    bus: schedulerBus,
    store: storeOn(schedulerBus),
    redis: connection,
    checker,
    pools: unwrapList(parsePools({ topics: pools })),
    timeouts: unwrapList(parseTimeouts({})),
    events: createEvents<SchedulerEvent>(),
  });
  await scheduler.start();
  closing.push(() => scheduler.stop());

  const host = async (prefix: string, definitions: readonly WorkerDefinition[], outage: Outage, hostBus: MemoryBus) => {
    const made = createHost({
      ...{
        ...common,
        bus: hostBus,
        store: outage.store,
        ids,
        timing: timingOf(options.leaseMs ?? leaseMs),
        cpuLoad: () => 0,
        onFatal: () => undefined,
      },
      workers: definitions.map((definition, i) => ({ id: `${prefix}-${i}`, definition })),
    });
    await made.start();
    closing.push(() => {
      outage.mode = 'up';
      outage.release();
      return made.drain({ finishMs: 0 });
    });
    return made;
  };
  let hosts = 0;

  const limits: WorkflowLimits = { childTimeoutMs: 30_000, totalTimeoutMs: 60_000, maxRetries: 1, ...options.limits };
  const world: World = {
    ...{ bus, store, checker, journal },
    silentStore: createRedisStore({ redis: connection, keys: createKeys(1), random: () => crypto.randomUUID() }),
    async work(definitions) {
      const own = connect();
      return host(`worker-${hosts++}`, definitions, createOutage(storeOn(own)), own);
    },
    async orchestrate(metrics = noopMetrics, workflows = options.workflows, more = {}, hisClock = clock) {
      const own = connect();
      const outage = createOutage(storeOn(own));
      const orchestrator = createOrchestrator({
        ...{ bus: own, store: outage.store, clock: hisClock, log: silentLog, workflows },
        journal: outage.journal(journal),
        limits: new Map(workflows.map((w) => [w.name, { ...limits, ...more }])),
      });
      countEvents(orchestrator.events, metrics);
      const told: OrchestratorEvent[] = [];
      orchestrator.events.on((event) => void told.push(event));
      await orchestrator.start();
      closing.push(() => orchestrator.stop());
      const made = await host(`orchestrator-${hosts++}`, orchestrator.workers, outage, own);
      return {
        ...{ outage, host: made, told },
        seen(type, key) {
          const fits = (e: OrchestratorEvent): boolean =>
            e.type === type && (key === undefined || ('key' in e && e.key === key));
          const past = told.find(fits);
          return past === undefined ? orchestrator.events.next(type, { match: fits }) : Promise.resolve(past);
        },
        strike() {
          outage.only = undefined;
          outage.mode = 'hung';
        },
      };
    },
    async submit(topic, payload, more = {}) {
      const { id = ids.job(), tenant = 'default', principal = 'ann', env = {}, workflowId = '' } = more;
      const priority = more.priority ?? JobPriority.INTERACTIVE;
      const contextPtr = `redis://ctx:${id}`;
      const request = create(JobRequestSchema, { jobId: id, topic, contextPtr, env, workflowId, priority });
      const facts = { tenant, principal, traceId: `trace-${id}`, sender: 'test', now: Date.now() };
      const job = newJob({ request, ...facts, payload: JSON.stringify(payload) });
      await store.create([job]);
      bus.post({ subject: subjects.submit, data: job.packet });
      return id;
    },
    async cancel(id) {
      const why = { seen: undefined, errorCode: 'cancelled', errorMessage: 'by the test' };
      await store.end([{ id, tenant: undefined, to: 'CANCELLED', ...why }]);
      const packet = cancelPacket({ traceId: id, senderId: 'test', atMs: Date.now() }, { jobId: id });
      await bus.publish([{ subject: subjects.cancel, data: encodePacket(packet) }]);
    },
    async signal(id, name, value, key = '') {
      const sent = await journal.send({ id, tenant: 'default', name, value: JSON.stringify(value), key });
      await bus.publish([{ subject: tenantSignals('default'), data: new TextEncoder().encode(id) }]);
      return sent;
    },
    async view(id) {
      const view = await store.view(id, undefined);
      if (view === undefined) throw new Error(`no job ${id}`);
      return view;
    },
    async ended(id) {
      const look = async (): Promise<JobView | undefined> => {
        const view = await store.view(id, undefined);
        return view !== undefined && isEnd(view.state) ? view : undefined;
      };
      return until(look, { timeout: 15_000, message: `the end of ${id}` });
    },
    async remember() {
      const client = new Redis(redisServer.port, '127.0.0.1');
      await client.save();
      client.disconnect();
    },
    async forget() {
      await redisServer.kill();
      await redisServer.restart();
    },
    async erase(key) {
      await connection.run(script('erase', "return redis.call('DEL',KEYS[1])"), [key], []);
    },
    async close() {
      for (const close of closing.splice(0).toReversed()) await close();
    },
    async payload(id) {
      return JSON.parse((await connection.get(`ctx:${id}`)) ?? 'null') as unknown;
    },
    async result(id) {
      return JSON.parse((await store.result(id, 'default')) ?? 'null') as unknown;
    },
  };
  return world;
}

function unwrapList<T>(result: { ok: true; value: T } | { ok: false; error: readonly string[] }): T {
  return result.ok ? result.value : unwrap({ ok: false, error: new Error(result.error.join('; ')) });
}
