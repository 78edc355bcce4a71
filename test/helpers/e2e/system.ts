// The whole system for a test: real servers, real processes, HTTP at the front. What strikes it (kill, stop, cut) is the test's affair;
// this starts parts, talks to them, and at the end reads the truth from Redis.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RedisConnection } from '#core/redis/redis.ts';
import { connectRedis } from '#core/redis/ioredis.node.ts';
import { createKeys } from '#core/jobs/keys.ts';
import { createRedisStore } from '#core/jobs/redis-store.ts';
import { isEnd, type JobState } from '#core/jobs/state.ts';
import type { JobView } from '#core/jobs/job.ts';
import type { JobStore } from '#core/jobs/store.ts';
import { freePort } from '../../../local/servers/ports.ts';
import { type NatsOptions, type RedisOptions, startNats, startRedis, type TestServer } from '../servers.ts';
import { type ServiceProcess, startService } from '../service-process.ts';
import { until } from '../until.ts';

export interface System {
  readonly nats: TestServer;
  readonly redis: TestServer;
  /** A connection and a store of the test's own. */
  readonly db: RedisConnection;
  readonly store: JobStore;
  readonly safety: Part;
  readonly gateway: Part;
  readonly schedulers: readonly Part[];
  /** Starts one more worker process for a test topic. */
  worker(topic: string, id: string, parallel?: number): Promise<ServiceProcess>;
  /** POST /api/v1/jobs; answers the id of an accepted job. Throws for any other answer. */
  submit(topic: string, prompt?: string): Promise<string>;
  /** `n` submissions, `outstanding` at a time; the ids that were accepted. With `tolerate`, failures are left out. */
  submitMany(topic: string, n: number, options?: { outstanding?: number; tolerate?: boolean }): Promise<string[]>;
  /** The record, straight from the store. */
  view(id: string): Promise<JobView>;
  /** Waits until the job is in the state. */
  reach(id: string, state: JobState, timeout?: number): Promise<JobView>;
  /** Waits until all have ended; the views. */
  ended(ids: readonly string[], timeout?: number): Promise<JobView[]>;
  http(method: string, path: string, body?: unknown): Promise<{ readonly status: number; readonly body: unknown }>;
  stop(): Promise<void>;
}

export interface Part {
  readonly process: ServiceProcess;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Again, on the same addresses. */
  start(): Promise<void>;
}

export interface SystemOptions {
  readonly redis?: RedisOptions;
  readonly nats?: NatsOptions;
  readonly schedulers?: number;
  /** Of every process. Default warn. */
  readonly logLevel?: string;
  /** A folder beside this file with other pools and time-outs. */
  readonly config?: string;
}

const folder = fileURLToPath(new URL('.', import.meta.url));

/** Starts servers, kernel, schedulers and gateway. No worker: each test starts those it needs. */
export async function startSystem(options: SystemOptions = {}): Promise<System> {
  const [nats, redis] = await Promise.all([startNats(options.nats), startRedis(options.redis)]);
  const [safetyPort, httpPort] = [await freePort(), await freePort()];
  const env = {
    NATS_URL: nats.url,
    REDIS_URL: redis.url,
    SAFETY_KERNEL_ADDR: `127.0.0.1:${safetyPort}`,
    GATEWAY_HTTP_ADDR: `127.0.0.1:${httpPort}`,
    GATEWAY_RPC_ADDR: '127.0.0.1:0',
    SAFETY_POLICY_PATH: `${folder}safety.yaml`,
    POOL_CONFIG_PATH: join(folder, options.config ?? '.', 'pools.yaml'),
    TIMEOUT_CONFIG_PATH: join(folder, options.config ?? '.', 'timeouts.yaml'),
    LOG_LEVEL: options.logLevel ?? 'warn',
  };
  const all: { stop(): Promise<unknown> }[] = [];
  const part = async (entry: string, names: readonly string[]): Promise<Part> => {
    let process = await startService(entry, env, names);
    let up = true;
    all.push({ stop: async () => (up ? process.stop() : undefined) });
    return {
      get process() {
        return process;
      },
      async kill() {
        up = false;
        await process.kill();
      },
      async start() {
        process = await startService(entry, env, names);
        up = true;
      },
    };
  };
  const safety = await part('functions/safety/node.ts', ['rpc', 'metrics']);
  const [gateway, ...schedulers] = await Promise.all([
    part('functions/gateway/node.ts', ['http', 'metrics']),
    ...Array.from({ length: options.schedulers ?? 1 }, () => part('services/scheduler/node.ts', ['metrics'])),
  ]);
  const db = await connectRedis({ url: redis.url, name: 'test', onError: () => undefined });
  const store = createRedisStore({ redis: db, keys: createKeys(), random: () => 'test' });
  const workers: ServiceProcess[] = [];
  const gone = new Set<ServiceProcess>();

  const http: System['http'] = async (method, path, body) => {
    const response = await fetch(`http://127.0.0.1:${httpPort}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      signal: AbortSignal.timeout(10_000),
    });
    return { status: response.status, body: await response.json() };
  };
  const submit: System['submit'] = async (topic, prompt = 'x') => {
    const { status, body } = await http('POST', '/api/v1/jobs', { topic, prompt });
    if (status !== 202) throw new Error(`${status}: ${JSON.stringify(body)}`);
    return (body as { job_id: string }).job_id;
  };
  const view: System['view'] = async (id) => {
    const seen = await store.view(id, undefined);
    if (seen === undefined) throw new Error(`no record of ${id}`);
    return seen;
  };

  await until(async () => (await healthy(gateway.process)) && (await healthy(schedulers[0]?.process)), {
    timeout: 10_000,
    message: 'gateway and scheduler to be healthy',
  });
  return {
    nats,
    redis,
    db,
    store,
    safety,
    gateway,
    schedulers,
    http,
    submit,
    view,
    async worker(topic, id, parallel) {
      const vars = { TEST_WORKER: topic, WORKER_ID: id, ...(parallel && { WORKER_PARALLEL: String(parallel) }) };
      const started = await startService('test/helpers/e2e/worker-process.ts', { ...env, ...vars }, [
        'worker',
        'metrics',
      ]);
      workers.push(started);
      void started.exited.then(() => gone.add(started));
      return started;
    },
    async submitMany(topic, n, { outstanding = 50, tolerate = false } = {}) {
      const ids: string[] = [];
      let next = 0;
      const lane = async (): Promise<void> => {
        while (next < n) {
          next++;
          try {
            ids.push(await submit(topic));
          } catch (error) {
            if (!tolerate) throw error;
          }
        }
      };
      await Promise.all(Array.from({ length: outstanding }, lane));
      return ids;
    },
    reach: (id, state, timeout = 10_000) => {
      let last: JobState | undefined;
      return until(
        async () => {
          const seen = await view(id);
          last = seen.state;
          return seen.state === state ? seen : undefined;
        },
        { timeout, message: () => `${id} to be ${state}; it is ${last}` },
      );
    },
    async ended(ids, timeout = 20_000) {
      const views = new Map<string, JobView>();
      let others: readonly JobView[] = [];
      const some = (): string =>
        others
          .slice(0, 5)
          .map(({ id, state, attempts, losses, safetyReason }) => [id, state, attempts, losses, safetyReason].join(' '))
          .join('; ');
      await until(
        async () => {
          const open = ids.filter((id) => !views.has(id)).slice(0, 500);
          const seen = await Promise.all(open.map(view));
          for (const one of seen) if (isEnd(one.state)) views.set(one.id, one);
          others = seen.filter(({ state }) => !isEnd(state));
          return views.size === ids.length;
        },
        { timeout, interval: 50, message: () => `${ids.length} jobs to end; ${views.size} have: ${some()}` },
      );
      return ids.map((id) => views.get(id) as JobView);
    },
    async stop() {
      await Promise.all(workers.filter((w) => !gone.has(w)).map((w) => w.stop()));
      await Promise.all(all.map((p) => p.stop()));
      await db.close();
      await Promise.all([nats.stop(), redis.stop()]);
    },
  };
}

async function healthy(process: ServiceProcess | undefined): Promise<boolean> {
  const url = process?.urls['metrics'];
  if (url === undefined) return true;
  const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(2_000) });
  return response.status === 200;
}
