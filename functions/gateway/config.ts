// What the gateway reads from its environment.
import { storeEnv, storeProblems } from '#core/jobs/store-env.ts';
import { kernelClientEnv } from '#core/policy/kernel-env.ts';
import { type Address, formatAddress, isLoopback } from '#core/process/address.ts';
import { type Env, EnvError, type EnvValues, readEnv, readKnown } from '#core/process/env.ts';
import { address, decimal, int, origins, path, seconds, text, url } from '#core/process/variables.ts';
import { isSubjectToken } from '#core/protocol/subjects.ts';
import type { RateLimitOptions } from '../http/rate-limit.ts';

export const gatewayEnv = {
  natsUrl: url('NATS_URL', 'nats://localhost:4222', 'the bus', ['nats', 'tls']),
  redisUrl: url('REDIS_URL', 'redis://localhost:6379', 'the truth about jobs', ['redis', 'rediss']),
  httpAddr: address('GATEWAY_HTTP_ADDR', '127.0.0.1:8081', 'where REST and Connect answer'),
  rpcAddr: address('GATEWAY_RPC_ADDR', '127.0.0.1:8080', 'where gRPC and Connect answer'),
  apiKey: text(
    'API_KEY',
    undefined,
    'the key of one administrator; with neither it nor API_KEYS_PATH only this machine is served',
    {
      secret: true,
      pattern: /^[\x21-\x7e]{1,512}$/,
      type: 'text of 1 to 512 visible ASCII characters',
    },
  ),
  apiKeysPath: path(
    'API_KEYS_PATH',
    undefined,
    'a file of keys, made by `cortex keys add`; read again when it changes',
  ),
  tenant: text('TENANT_ID', 'default', 'the tenant of API_KEY, and of callers without a key'),
  rateLimit: decimal('API_RATE_LIMIT_RPS', undefined, 'requests a second that one key may make; unset: any number', {
    min: 0.001,
    max: 1_000_000,
  }),
  rateBurst: int('API_RATE_LIMIT_BURST', undefined, "requests that one key may make at once; unset: twice a second's", {
    min: 1,
    max: 1_000_000,
  }),
  tlsCert: path('GRPC_TLS_CERT', undefined, 'certificate chain (PEM) for GATEWAY_RPC_ADDR; together with GRPC_TLS_KEY'),
  tlsKey: path('GRPC_TLS_KEY', undefined, 'private key (PEM) for GATEWAY_RPC_ADDR'),
  corsOrigins: origins(
    'CORS_ORIGINS',
    undefined,
    'origins whose pages may read answers and open streams, separated by commas; unset: none',
  ),
  streamsMax: int('STREAMS_MAX', '5000', 'streams that are open at once', { min: 0, max: 1_000_000 }),
  streamsMaxPerTenant: int('STREAMS_MAX_PER_TENANT', '2000', 'of these for one tenant', { min: 0, max: 1_000_000 }),
  streamLifeMs: seconds('STREAM_MAX_SECONDS', '3600', 'how long one stream may live; its client then comes again', {
    min: 1,
    max: 86_400,
  }),
  ...storeEnv,
  ...kernelClientEnv,
};

/** The port of METRICS_ADDR. */
export const gatewayMetricsPort = 9092;

type Values = EnvValues<typeof gatewayEnv>;

export interface GatewayConfig extends Omit<Values, 'rateLimit' | 'rateBurst'> {
  /** Neither key nor file: this machine alone is served. */
  readonly open: boolean;
  readonly limit: RateLimitOptions | undefined;
}

/** The original's number, for a burst without a rate. */
const defaultRate = 50;

/** Throws EnvError with every problem. */
export function parseGatewayConfig(env: Env): GatewayConfig {
  const read = readEnv(gatewayEnv, env);
  const problems = [...(read.ok ? storeProblems(read.value) : read.error), ...togetherProblems(env)];
  if (!read.ok || problems.length > 0) throw new EnvError(problems);
  const { rateLimit, rateBurst, ...values } = read.value;
  const open = values.apiKey === undefined && values.apiKeysPath === undefined;
  return Object.freeze({ ...values, open, limit: limitOf(rateLimit, rateBurst) });
}

/** What is wrong with values that can be read each by itself; told even when others cannot. */
function togetherProblems(env: Env): string[] {
  const { tenant, httpAddr, rpcAddr } = readKnown(gatewayEnv, env);
  const isSet = ({ name }: { readonly name: string }): boolean => (env[name]?.trim() ?? '') !== '';
  const { apiKey, apiKeysPath, tlsCert, tlsKey } = gatewayEnv;
  const open = !isSet(apiKey) && !isSet(apiKeysPath);
  return [
    ...(tenant === undefined || isSubjectToken(tenant)
      ? []
      : ['TENANT_ID: may hold letters, digits, ".", "_" and "-", 128 at most']),
    ...(open && httpAddr !== undefined ? onlyHere('GATEWAY_HTTP_ADDR', httpAddr) : []),
    ...(open && rpcAddr !== undefined ? onlyHere('GATEWAY_RPC_ADDR', rpcAddr) : []),
    ...(isSet(tlsCert) === isSet(tlsKey)
      ? []
      : ['GRPC_TLS_CERT: goes together with GRPC_TLS_KEY; one of them is not set']),
  ];
}

function onlyHere(name: string, addr: Address): string[] {
  if (isLoopback(addr)) return [];
  return [
    `${name}: without API_KEY or API_KEYS_PATH the gateway serves this machine alone, and ${formatAddress(addr)} can be reached from others`,
  ];
}

/** A rate, a burst, or both; what is not set follows from the other. */
export function limitOf(rate: number | undefined, burst: number | undefined): RateLimitOptions | undefined {
  if (rate === undefined && burst === undefined) return undefined;
  const perSecond = rate ?? defaultRate;
  return { perSecond, burst: burst ?? Math.max(1, Math.ceil(2 * perSecond)) };
}
