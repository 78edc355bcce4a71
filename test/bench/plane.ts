// The real plane for measuring: one redis-server, one nats-server, and one process for each role, from the entries that `npm start`
// runs and with the settings that they ship with. Nothing is changed for the sake of a number.
import { startNats, startRedis, type NatsOptions, type RedisOptions, type TestServer } from '../helpers/servers.ts';
import { type ServiceProcess, startService } from '../helpers/service-process.ts';
import { until } from '../helpers/until.ts';

export type PlaneRole = 'gateway' | 'safety' | 'scheduler' | 'worker' | 'orchestrator';

export interface Plane {
  readonly nats: TestServer;
  readonly redis: TestServer;
  /** An orchestrator only where one was asked for. */
  readonly roles: Readonly<Record<Exclude<PlaneRole, 'orchestrator'>, ServiceProcess>> & {
    readonly orchestrator?: ServiceProcess;
  };
  /** Where the gateway answers HTTP. */
  readonly httpUrl: string;
  /** Ends everything, the last started first. */
  stop(): Promise<void>;
}

export interface PlaneOptions {
  readonly redis?: RedisOptions;
  readonly nats?: NatsOptions;
  /** NODE_OPTIONS of a role's process, for profiles. */
  readonly nodeOptions?: (role: PlaneRole) => string;
  /** An orchestrator as well, with the workflows of this module, and which pools there are for their topics. */
  readonly workflows?: { readonly path: string; readonly pools: string };
}

/** The worker's id: known, so that what it leaves in Redis can be told apart. */
export const workerId = 'bench-echo';

/** Starts everything and waits until each process says that it is well. One worker process, hosting `echo` alone. */
export async function startPlane(options: PlaneOptions = {}): Promise<Plane> {
  const stops: (() => Promise<unknown>)[] = [];
  const stop = async (): Promise<void> => {
    for (const end of stops.splice(0).toReversed()) await end();
  };
  try {
    const nats = await startNats(options.nats);
    stops.push(() => nats.stop());
    const redis = await startRedis(options.redis);
    stops.push(() => redis.stop());
    const start = async (role: PlaneRole, entry: string, env: Record<string, string>, name: string) => {
      const nodeOptions = options.nodeOptions?.(role);
      const service = await startService(
        entry,
        {
          NATS_URL: nats.url,
          REDIS_URL: redis.url,
          ...env,
          ...(nodeOptions !== undefined && { NODE_OPTIONS: nodeOptions }),
        },
        [name, 'metrics'],
      );
      stops.push(() => service.stop());
      return service;
    };
    const safety = await start('safety', 'functions/safety/node.ts', { SAFETY_KERNEL_ADDR: '127.0.0.1:0' }, 'rpc');
    const kernel = { SAFETY_KERNEL_ADDR: new URL(safety.urls['rpc'] ?? '').host };
    const { workflows } = options;
    const pools = workflows === undefined ? undefined : { POOL_CONFIG_PATH: workflows.pools };
    const scheduler = await start('scheduler', 'services/scheduler/node.ts', { ...kernel, ...pools }, 'metrics');
    const hosted = { WORKERS: 'echo', WORKER_ID: workerId };
    const worker = await start('worker', 'services/worker/node.ts', hosted, 'metrics');
    const addresses = { GATEWAY_HTTP_ADDR: '127.0.0.1:0', GATEWAY_RPC_ADDR: '127.0.0.1:0' };
    const gateway = await start('gateway', 'functions/gateway/node.ts', { ...kernel, ...addresses }, 'http');
    const own = workflows && { WORKFLOWS_PATH: workflows.path };
    const orchestrator = own && (await start('orchestrator', 'services/orchestrator/node.ts', own, 'metrics'));
    const roles = { gateway, safety, scheduler, worker, ...(orchestrator && { orchestrator }) };
    await until(async () => (await Promise.all(Object.values(roles).map(healthy))).every(Boolean), {
      timeout: 15_000,
      message: 'every process to be healthy',
    });
    return { nats, redis, roles, httpUrl: gateway.urls['http'] ?? '', stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function healthy({ urls, pid, log, stderr, exited }: ServiceProcess): Promise<boolean> {
  const gone = await Promise.race([exited, Promise.resolve(undefined)]);
  if (gone !== undefined)
    throw new Error(`process ${pid} ended: ${stderr.join('\n')} ${JSON.stringify(log.slice(-3))}`);
  const response = await fetch(`${urls['metrics']}/health`, { signal: AbortSignal.timeout(2_000) });
  await response.arrayBuffer();
  return response.status === 200;
}
