// The health of the gateway in workerd, asked anew by each request: Redis with its durability class, NATS, and the safety kernel.
import type { Bus } from '#core/bus/bus.ts';
import type { RpcClientOptions } from '#core/http/connect.ts';
import type { Checker } from '#core/policy/checker.ts';
import { createHealth, type HealthReport } from '#core/process/health.ts';
import { readDurability } from '#core/redis/durability.ts';
import { type Redis, script, text } from '#core/redis/redis.ts';
import type { Clock } from '#core/system.ts';
import type { GatewayEdgeConfig } from './edge-config.ts';
import type { EdgeKeys } from './edge-keys.ts';
import { kernelProbe } from './kernel-health.ts';

// A server that keeps INFO from scripts says nothing, and its class is unknown.
const infoScript = script(
  'info',
  /* lua */ `
local out=''
for _,section in ipairs({'persistence','memory'}) do
  local said=redis.pcall('INFO',section)
  if type(said)=='string' then out=out..said end
end
return out`,
);

/** How long one look is good for, ms. */
const goodForMs = 1_000;

export interface EdgeHealthDeps {
  readonly name: string;
  readonly redis: Pick<Redis, 'run'>;
  readonly bus: Pick<Bus, 'ping'>;
  readonly keys: Pick<EdgeKeys, 'count'>;
  readonly clock: Clock;
  /** A checker for one request; undefined where no kernel is named. */
  readonly checker: (() => Checker) | undefined;
}

export function edgeHealth({ name, redis, bus, keys, clock, checker }: EdgeHealthDeps): () => Promise<HealthReport> {
  const began = clock.monotonic();
  let last: { readonly at: number; readonly report: HealthReport } | undefined;
  const ask = (): Promise<HealthReport> => {
    const health = createHealth(name, clock, began);
    health.check('redis', async () => {
      const info = text(await redis.run(infoScript, [], []));
      return { durability: readDurability({ info, config: undefined }).class };
    });
    health.check('nats', () => bus.ping().then(() => ({})), { required: false });
    health.check('api_keys', () => ({ keys: keys.count() }), { required: false });
    if (checker !== undefined) health.check('safety', kernelProbe(checker()), { required: false });
    health.enter('running');
    return health.report();
  };
  return async () => {
    // It needs no key and asks three servers: once a second is enough, whoever calls.
    if (last !== undefined && clock.monotonic() - last.at < goodForMs) return last.report;
    const at = clock.monotonic();
    const report = await ask();
    last = { at, report };
    return report;
  };
}

/** How the function reaches the kernel: bound to it as SAFETY, or by SAFETY_KERNEL_URL; undefined for neither. */
export function edgeKernel(
  { safetyUrl, safetyToken: token }: Pick<GatewayEdgeConfig, 'safetyUrl' | 'safetyToken'>,
  { SAFETY }: Readonly<Record<string, unknown>>,
): Pick<RpcClientOptions, 'baseUrl' | 'fetch' | 'token'> | undefined {
  const credentials = token === undefined ? {} : { token };
  if (isService(SAFETY))
    return { baseUrl: 'http://safety', fetch: (input, init) => SAFETY.fetch(input, init), ...credentials };
  return safetyUrl === undefined ? undefined : { baseUrl: safetyUrl, ...credentials };
}

interface Service {
  fetch(input: string | URL | Request, init?: RequestInit): Promise<Response>;
}

function isService(value: unknown): value is Service {
  return typeof value === 'object' && value !== null && 'fetch' in value;
}
