// The context engine beside a system of system.ts.
import { type ServiceProcess, startService } from '../service-process.ts';
import type { System } from './system.ts';

export interface EngineProcess {
  readonly process: ServiceProcess;
  /** `host:port`, as CONTEXT_ENGINE_ADDR has it. */
  readonly addr: string;
}

/** Starts it on a free port, or on that address again. */
export async function startEngine(
  system: Pick<System, 'redis'>,
  { addr = '127.0.0.1:0', env = {} }: { readonly addr?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<EngineProcess> {
  const process = await startService(
    'services/context-engine/node.ts',
    { REDIS_URL: system.redis.url, CONTEXT_ENGINE_ADDR: addr, ...env },
    ['rpc', 'metrics'],
  );
  return { process, addr: new URL(process.urls['rpc'] ?? '').host };
}
