// A system under test, fresh: servers and processes of its own, so that no run inherits another's keys or warm caches.
import { type RedisOptions, startRedis } from '../../helpers/servers.ts';
import { type ServiceProcess, startService } from '../../helpers/service-process.ts';
import { type PlaneRole, startPlane } from '../plane.ts';
import type { Target } from './clients/client.ts';
import type { Pids } from './cpu.ts';
import type { Door, PathOptions } from './options.ts';

export type SystemName = Target['system'];

export interface Stage {
  readonly target: Target;
  /** Its processes by role. */
  readonly pids: Pids;
  /** The first things that its processes complained of, by role. */
  complaints(): string[];
  stop(): Promise<void>;
}

export interface StageOptions {
  readonly door: Door;
  readonly lanes: number;
  readonly appendfsync: PathOptions['appendfsync'];
  readonly peerConcurrency: number;
  readonly nodeOptions?: (role: PlaneRole) => string;
}

/** The same for everybody. No rewrite of the log: it would begin in the middle of one phase and not of another. */
function redisSettings(options: StageOptions): RedisOptions {
  return { appendonly: true, appendfsync: options.appendfsync, args: ['--auto-aof-rewrite-percentage', '0'] };
}

export function startStage(system: SystemName, options: StageOptions): Promise<Stage> {
  return system === 'cortex' ? startOurs(options) : startPeer(options);
}

async function startOurs(options: StageOptions): Promise<Stage> {
  const { door, lanes, nodeOptions } = options;
  const plane = await startPlane({ redis: redisSettings(options), ...(nodeOptions !== undefined && { nodeOptions }) });
  const { redis, nats, roles, httpUrl } = plane;
  return {
    target: { system: 'cortex', door, redisUrl: redis.url, natsUrl: nats.url, httpUrl, lanes },
    pids: {
      gateway: roles.gateway.pid,
      safety: roles.safety.pid,
      scheduler: roles.scheduler.pid,
      worker: roles.worker.pid,
      nats: nats.pid,
      redis: redis.pid,
    },
    complaints: () => complaints(roles),
    stop: plane.stop,
  };
}

/** A worker process, and in front of it a route or nothing: on the bus the peer's submitter is the load generator itself. */
async function startPeer(options: StageOptions): Promise<Stage> {
  const { door, lanes, peerConcurrency } = options;
  const redis = await startRedis(redisSettings(options));
  const services: ServiceProcess[] = [];
  const stop = async (): Promise<void> => {
    for (const service of services.toReversed()) await service.stop();
    await redis.stop();
  };
  try {
    const start = async (file: string, env: Record<string, string>, name: string): Promise<ServiceProcess> => {
      const service = await startService(`test/bench/path/peer/${file}`, { REDIS_URL: redis.url, ...env }, [name]);
      services.push(service);
      return service;
    };
    const worker = await start('worker.ts', { CONCURRENCY: String(peerConcurrency) }, 'worker');
    const front = door === 'http' ? await start('front.ts', {}, 'http') : undefined;
    return {
      target: {
        system: 'bullmq',
        door,
        redisUrl: redis.url,
        natsUrl: '',
        httpUrl: front?.urls['http'] ?? '',
        lanes,
      },
      pids: { ...(front && { front: front.pid }), worker: worker.pid, redis: redis.pid },
      complaints: () => complaints({ ...(front && { front }), worker }),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function complaints(processes: Readonly<Record<string, ServiceProcess>>): string[] {
  return Object.entries(processes).flatMap(([role, { log, stderr }]) => {
    const lines = log.filter(({ level }) => level === 'warn' || level === 'error').map((line) => JSON.stringify(line));
    return [...lines, ...stderr].slice(0, 5).map((line) => `${role}: ${line.slice(0, 600)}`);
  });
}
