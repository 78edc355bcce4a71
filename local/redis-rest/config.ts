// What the REST front of Redis reads from its environment.
import { isLoopback } from '#core/process/address.ts';
import { type Env, EnvError, type EnvValues, readEnv } from '#core/process/env.ts';
import { address, text, url } from '#core/process/variables.ts';

export const redisRestEnv = {
  redisUrl: url('REDIS_URL', 'redis://localhost:6379', 'the Redis behind the front', ['redis', 'rediss']),
  addr: address('REDIS_REST_ADDR', '127.0.0.1:6380', 'where Redis answers by REST'),
  token: text(
    'REDIS_REST_TOKEN',
    undefined,
    'the bearer token of Redis by REST: who has it has all data; may be unset on a loopback address, where then this machine alone is served',
    { secret: true, pattern: /^[\x21-\x7e]{1,512}$/, type: 'text of 1 to 512 visible ASCII characters' },
  ),
};

/** The port of METRICS_ADDR. */
export const redisRestMetricsPort = 9096;

export type RedisRestConfig = EnvValues<typeof redisRestEnv>;

/** Throws EnvError with every problem. */
export function parseRedisRestConfig(env: Env): RedisRestConfig {
  const read = readEnv(redisRestEnv, env);
  if (!read.ok) throw new EnvError(read.error);
  const { addr, token } = read.value;
  if (token !== undefined || isLoopback(addr)) return read.value;
  throw new EnvError(['REDIS_REST_TOKEN: is not set, and other machines can reach REDIS_REST_ADDR']);
}
