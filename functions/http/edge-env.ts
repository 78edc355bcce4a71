// What every function in workerd reads from its environment (variables and secrets of the worker), and what it makes of it.
import { createLog, type Log, logLevels } from '#core/log.ts';
import { choice, required, text, url } from '#core/process/variables.ts';
import type { EnvValues } from '#core/process/env.ts';
import { systemClock } from '#core/system.ts';

export const edgeEnv = {
  redisRestUrl: required(
    url('REDIS_REST_URL', undefined, 'Redis over HTTP, in the dialect of Upstash', ['http', 'https']),
  ),
  redisRestToken: required(
    text('REDIS_REST_TOKEN', undefined, 'the token that Redis over HTTP asks for', {
      secret: true,
      pattern: /^[\x21-\x7e]{1,1024}$/,
      type: 'text of 1 to 1,024 visible ASCII characters',
    }),
  ),
  logLevel: choice('LOG_LEVEL', 'info', 'the least important lines that are written', logLevels),
};

/** The log of a function: one JSON line each on the console. */
export function consoleLog(service: string, { logLevel }: Pick<EnvValues<typeof edgeEnv>, 'logLevel'>): Log {
  return createLog({
    level: logLevel,
    // oxlint-disable-next-line no-console -- it is where workerd takes a log from
    write: (line) => console.log(line),
    now: () => systemClock.now(),
    fields: { service },
  });
}
